"""The planner's working copy of the room: what is free now, and what is still to be had once all that goes is gone.

The only place of the planner that knows how free, coming and reserved room add up:

    free    what the ledger shows, less what this plan starts; the only room a start may use
    coming  free + room being freed - room reserved for somebody or held; what a reservation may use
    now     the lower of the two, host by host and device by device: what a start may use that breaks no reservation
"""

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import AMOUNTS
from scheduler.planning.placement.cached_trial import CachedTrial

Taken = tuple[Sequence[Slot], Shape]
"""Slots, and what sits in each of them."""


class Room:
    """Free, coming and usable room of one planning run; see the module's docstring.

    Attributes:
        grown: how often more room came to be expected: in between, what did not fit will not fit.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Start from a snapshot's ledger, with nothing being freed and nothing reserved."""
        self.free = ledger.trial()
        self.coming = CachedTrial(ledger)
        self.now = CachedTrial(ledger)
        self.grown = 0

    def copy(self) -> "Room":
        """Return an independent copy."""
        other = copy(self)
        other.free, other.coming, other.now = self.free.trial(), CachedTrial(self.coming), CachedTrial(self.now)
        return other

    def start(self, rows: Sequence[int], shape: Shape, usable: CachedTrial | None = None) -> tuple[Slot, ...]:
        """Take one unit of `shape` on each row, which must fit into what is usable now, and return where they sit.

        Args:
            rows: a host row for each unit.
            shape: what each needs.
            usable: a part of `now` within which they must stay; None for all of it.
        """
        if usable is None or usable is self.now:
            return tuple(self._start_one(row, shape) for row in rows)
        slots = CachedTrial(usable).put(rows, shape)
        self.start_at(slots, shape)
        return slots

    def start_at(self, slots: Sequence[Slot], shape: Shape) -> None:
        """Take one unit of `shape` in each slot, which must fit."""
        for ledger in (self.free, self.coming, self.now):
            ledger.take_all(slots, shape)

    def take_back(self, slots: Sequence[Slot], shape: Shape) -> None:
        """Undo `start_at`."""
        for ledger in (self.free, self.coming, self.now):
            ledger.give_all(slots, shape)

    def reserve(self, rows: Sequence[int], shape: Shape, usable: CachedTrial | None = None) -> tuple[Slot, ...]:
        """Keep room for one unit of `shape` on each row of what is coming, which must fit, and return where.

        `usable` is a part of it within which they must stay; None for all of it.
        """
        if usable is None or usable is self.coming:
            slots = self.coming.put(rows, shape)
        else:
            slots = CachedTrial(usable).put(rows, shape)
            self.coming.take_all(slots, shape)
        self._lower_now(slots)
        return slots

    def reserve_at(self, slots: Sequence[Slot], shape: Shape) -> None:
        """No longer count on the room of these slots: it is reserved, held, or not freed after all."""
        self._change_coming(slots, shape, -1)

    def expect(self, slots: Sequence[Slot], shape: Shape) -> None:
        """Count on the room of these slots: it is being freed, or a reservation of it is withdrawn."""
        self._change_coming(slots, shape, 1)

    def _start_one(self, row: int, shape: Shape) -> Slot:
        slot = self.now.slot_on(row, shape)
        self.start_at((slot,), shape)
        return slot

    def _change_coming(self, slots: Sequence[Slot], shape: Shape, sign: int) -> None:
        known = [slot for slot in slots if slot.host in self.coming.table.rows]
        self.grown += sign > 0 and bool(known)
        (self.coming.give_all if sign > 0 else self.coming.take_all)(known, shape)
        self._lower_now(known)

    def _lower_now(self, slots: Sequence[Slot]) -> None:
        for row in sorted({self.coming.row(slot.host) for slot in slots}):
            self.now.set_lower(row, self.free, self.coming)


def fits_in(ledger: CachedTrial, slots: Sequence[Slot], shape: Shape) -> bool:
    """Whether one unit of `shape` fits in each of these very slots, all of them together."""
    rows = ledger.table.rows
    if not all(slot.host in rows and ledger.table.usable[rows[slot.host]] for slot in slots):
        return False
    if any(device >= ledger.gpu_milli.shape[1] for slot in slots for device in slot.devices):
        return False
    ledger.take_all(slots, shape)
    fits = not ledger.overdrawn(slots)
    ledger.give_all(slots, shape)
    return fits


def lifted(room: Room, taken: Iterable[Taken]) -> Room:
    """Return a copy of the room in which these slots are expected to be free: equal to `Room.expect`, one by one."""
    other = room.copy()
    rows, freed = _summed(taken, room.coming.table)
    other.coming.release(rows, freed)
    other.now.lower(rows, other.free, other.coming)
    return other


def _summed(taken: Iterable[Taken], table: HostTable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of all known hosts among slots, and what the slots take there, int64 (N, 2 + D)."""
    sums: dict[int, list[int]] = {}
    width = AMOUNTS + table.device_exists.shape[1]
    for slots, shape in taken:
        for slot in slots:
            row = table.rows.get(slot.host)
            if row is None:
                continue
            amounts = sums.setdefault(row, [0] * width)
            amounts[0] += shape.cpu_milli
            amounts[1] += shape.memory_mib
            for device in slot.devices:
                amounts[AMOUNTS + device] += shape.gpu_milli
    return np.array(list(sums), dtype=np.int64), np.array(list(sums.values()), dtype=np.int64).reshape(-1, width)
