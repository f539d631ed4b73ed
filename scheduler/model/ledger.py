"""Free capacity per host and device as whole numbers: an immutable value, and private working copies of it.

Row i of every table is host i of `Ledger.hosts`.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import ABSENT, HostTable, count_units
from scheduler.model.hosts import Host
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot

MOST_SHAPES: Final = 512
"""Shapes for which counts are remembered; when more are asked about, all are forgotten."""
MOST_CHANGES: Final = 1_000_000
"""Changes of rows after which a line of ledgers begins to count anew."""


class _Line:
    """What is remembered of units that fit, along a line of ledgers each of which was made from the one before.

    Attributes:
        rows: rows in the order in which they changed, over the whole line.
        counts: by shape, how many of these changes are in the count, and the units on each host.
    """

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.counts: dict[Shape, tuple[int, NDArray[np.int64]]] = {}

    def remember(self, shape: Shape, age: int, units: NDArray[np.int64]) -> None:
        """Keep a count; those of many shapes that nobody asks for any more would only fill the memory."""
        if len(self.counts) >= MOST_SHAPES:
            self.counts.clear()
        self.counts[shape] = (age, units)


class Ledger:
    """Free capacity of every host. Never changed; `trial()` gives a copy that may be.

    Attributes:
        table: the hosts, see `HostTable`.
        cpu_milli: int64 (H,), free thousandths of a core.
        memory_mib: int64 (H,), free MiB.
        gpu_milli: int64 (H, D), free thousandths of each device; `ABSENT` where there is none.
    """

    def __init__(
        self,
        table: HostTable,
        cpu_milli: NDArray[np.int64],
        memory_mib: NDArray[np.int64],
        gpu_milli: NDArray[np.int64],
        line: _Line | None = None,
    ) -> None:
        """Wrap tables that nobody else writes to; `line` is that of the ledger before, with all that has changed."""
        self.table = table
        self.cpu_milli = cpu_milli
        self.memory_mib = memory_mib
        self.gpu_milli = gpu_milli
        self._line = line or _Line()
        self._age = len(self._line.rows)

    @classmethod
    def of(cls, hosts: Sequence[Host], taken: Iterable[tuple[Slot, Shape]] = ()) -> "Ledger":
        """Build the ledger of `hosts` on which `taken` already sits; slots on unknown hosts are passed over.

        What is taken may exceed what a host has (somebody else's work, a host that shrank): free amounts then go
        below zero, and nothing fits there.
        """
        table = HostTable(hosts)
        trial = Trial(
            table,
            np.array([host.cpu_milli for host in hosts], dtype=np.int64),
            np.array([host.memory_mib for host in hosts], dtype=np.int64),
            np.where(table.device_exists, WHOLE_DEVICE_MILLI, ABSENT).astype(np.int64),
        )
        for slot, shape in taken:
            if slot.host in table.rows:
                trial.take(slot, shape)
        return trial.freeze()

    def __eq__(self, other: object) -> bool:
        """Compare by hosts and free amounts."""
        return (
            isinstance(other, Ledger)
            and self.table.hosts == other.table.hosts
            and np.array_equal(self.cpu_milli, other.cpu_milli)
            and np.array_equal(self.memory_mib, other.memory_mib)
            and np.array_equal(self.gpu_milli, other.gpu_milli)
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content of arrays, so not a key

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts, in row order."""
        return self.table.hosts

    def row(self, host: str) -> int:
        """Return the row of a host; KeyError when there is none of that name."""
        return self.table.rows[host]

    def units_fitting(self, shape: Shape, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return int64 (H,), or (len(rows),): how many units of `shape` each usable host could take now.

        Exact: that many units can be placed one after the other, and not one more.
        """
        pick = slice(None) if rows is None else rows
        matches = self.table.matching(shape)[pick] & self.table.usable[pick][:, None]
        return count_units(shape, matches, self.cpu_milli[pick], self.memory_mib[pick], self.gpu_milli[pick])

    def units(self, shape: Shape) -> NDArray[np.int64]:
        """Return `units_fitting(shape)`, not to be written to.

        The count of an earlier ledger of the same line is taken over for all rows that have not changed since.
        """
        seen, units = self._line.counts.get(shape, (self._age + 1, None))
        if units is not None and seen == self._age:
            return units
        if units is None or seen > self._age:
            fresh = self.units_fitting(shape)
        else:
            fresh, rows = units.copy(), np.unique(self._line.rows[seen : self._age])
            fresh[rows] = self.units_fitting(shape, rows)
        fresh.setflags(write=False)
        if units is None or seen < self._age:
            self._line.remember(shape, self._age, fresh)
        return fresh

    def with_freed(self, freed: NDArray[np.int64]) -> "Ledger":
        """Return the ledger with amounts freed, int64 (H, 2 + D): CPU, memory, then each device."""
        return Ledger(
            self.table,
            self.cpu_milli + freed[:, 0],
            self.memory_mib + freed[:, 1],
            self.gpu_milli + freed[:, 2:],
        )

    def after(
        self, gone: Iterable[tuple[Slot, Shape]], come: Iterable[tuple[Slot, Shape]], table: HostTable
    ) -> "Ledger":
        """Return the ledger after units left and others came; slots on unknown hosts are passed over.

        Args:
            gone: units that sit here no more.
            come: units that sit here now.
            table: the hosts now: the same, but perhaps in other states.
        """
        trial, left, here = self.trial(), list(gone), list(come)
        for slot, shape in left:
            trial.give_all((slot,), shape)
        for slot, shape in here:
            trial.take_all((slot,) if slot.host in table.rows else (), shape)
        changed = [table.rows[slot.host] for slot, _ in (*left, *here) if slot.host in table.rows]
        changed += np.flatnonzero(table.usable != self.table.usable).tolist()
        frozen = trial.freeze()
        return Ledger(table, frozen.cpu_milli, frozen.memory_mib, frozen.gpu_milli, self._continued(changed))

    def fits(self, row: int, shape: Shape) -> bool:
        """Whether one unit of `shape` fits on a host row, its state included."""
        return self.table.usable[row] and self.devices_for(row, shape) is not None

    def devices_for(self, row: int, shape: Shape) -> tuple[int, ...] | None:
        """Return the devices one unit would get (the fullest that still fit, lowest index first), or None.

        The state of the host is not looked at: room on a cordoned host is still room for what is there.
        """
        suits = self.table.matching(shape)[row].tolist()
        if not any(suits) or self.cpu_milli[row] < shape.cpu_milli or self.memory_mib[row] < shape.memory_mib:
            return None
        if not shape.gpu_count:
            return ()
        free, asked = self.gpu_milli[row].tolist(), shape.gpu_milli
        fullest_first = sorted((left, i) for i, left in enumerate(free) if left >= asked and suits[i])
        if len(fullest_first) < shape.gpu_count:
            return None
        return tuple(sorted(i for _, i in fullest_first[: shape.gpu_count]))

    def _continued(self, changed: Sequence[int]) -> _Line | None:
        """Return the line of a ledger in which these rows differ; None when another one goes on from here already."""
        line = self._line
        if len(line.rows) != self._age or self._age > MOST_CHANGES:
            return None
        line.rows.extend(changed)
        return line

    def trial(self) -> "Trial":
        """Return a private working copy; costs microseconds, so there is no undo log anywhere."""
        return Trial(self.table, self.cpu_milli.copy(), self.memory_mib.copy(), self.gpu_milli.copy())


class Trial(Ledger):
    """A working copy of a ledger that one search owns and edits."""

    def units(self, shape: Shape) -> NDArray[np.int64]:
        """Return `units_fitting(shape)`, counted anew: the next change would make it wrong."""
        return self.units_fitting(shape)

    def take(self, slot: Slot, shape: Shape) -> None:
        """Put one unit of `shape` into a slot; the caller has seen that it fits."""
        self._add(slot, shape, -1)

    def give(self, slot: Slot, shape: Shape) -> None:
        """Take one unit of `shape` out of a slot again."""
        self._add(slot, shape, 1)

    def take_all(self, slots: Iterable[Slot], shape: Shape) -> Self:
        """Put one unit of `shape` into each slot and return the trial itself."""
        for slot in slots:
            self.take(slot, shape)
        return self

    def give_all(self, slots: Iterable[Slot], shape: Shape) -> Self:
        """Take one unit of `shape` out of each slot whose host is known and return the trial itself."""
        for slot in slots:
            if slot.host in self.table.rows:
                self.give(slot, shape)
        return self

    def freeze(self) -> Ledger:
        """Return the present state as an immutable ledger of its own."""
        arrays = (self.cpu_milli.copy(), self.memory_mib.copy(), self.gpu_milli.copy())
        for array in arrays:
            array.setflags(write=False)
        return Ledger(self.table, *arrays)

    def _add(self, slot: Slot, shape: Shape, sign: int) -> None:
        row = self.row(slot.host)
        self.cpu_milli[row] += sign * shape.cpu_milli
        self.memory_mib[row] += sign * shape.memory_mib
        for device in slot.devices:
            self.gpu_milli[row, device] += sign * shape.gpu_milli
