"""Free capacity per host and device as whole numbers: an immutable value, and private working copies of it.

The only module of the model that knows numpy. Row i of every table is host i of `Ledger.hosts`.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Final, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from scheduler.model.hosts import Host, HostState
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot

_Made = TypeVar("_Made")

ABSENT: Final = -1
"""Free thousandths of a device that does not exist (hosts have different numbers of devices)."""
ANY_DEVICE: Final = -1
"""Device memory asked for by work that uses no device."""


def count_units(
    shape: Shape,
    matches: NDArray[np.bool_],
    cpu_milli: NDArray[np.int64],
    memory_mib: NDArray[np.int64],
    gpu_milli: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return int64 (N,): how many units of `shape` fit into each of N free amounts, one after the other.

    Args:
        shape: what one unit needs.
        matches: bool (N, max(D, 1)), where its constraints hold.
        cpu_milli: int64 (N,), free; below zero counts as nothing.
        memory_mib: int64 (N,), likewise.
        gpu_milli: int64 (N, D), free; `ABSENT` where there is no device.
    """
    limit: NDArray[np.int64] = np.where(matches.any(axis=1), np.iinfo(np.int64).max, 0)
    for free, asked in ((cpu_milli, shape.cpu_milli), (memory_mib, shape.memory_mib)):
        if asked:
            limit = np.minimum(limit, np.maximum(free, 0) // asked)
    if not shape.gpu_count:
        return limit
    per_device = np.where(matches & (gpu_milli > 0), gpu_milli // shape.gpu_milli, 0)
    fitting: NDArray[np.int64] = np.minimum(limit, per_device.sum(axis=1) // shape.gpu_count)
    return fitting


class HostTable:
    """What never changes while the set of hosts stays the same; shared by a ledger and all its copies.

    Attributes:
        hosts: H hosts, in the order given.
        rows: row of each host name.
        usable: bool (H,), whether the host takes new work.
        draining: bool (H,), whether its work is moved away.
        leaving: bool (H,), whether it is draining or lost.
        device_memory_mib: int64 (H, D), 0 where unknown or absent.
        device_exists: bool (H, D).
        device_is_part: bool (H, D), whether it is a partition of an accelerator.
        gpu_models: names of the M GPU models in the order in which hosts have them; "" where there are no devices.
        gpu_model: int64 (H,), index of each host's model.
    """

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Tabulate hosts whose names must differ."""
        self.hosts = tuple(hosts)
        self.rows = {host.name: row for row, host in enumerate(self.hosts)}
        width = max((len(host.devices) for host in self.hosts), default=0)
        self.set_states(self.hosts)
        self.device_exists = np.zeros((len(self.hosts), width), dtype=bool)
        self.device_memory_mib = np.zeros((len(self.hosts), width), dtype=np.int64)
        self.device_is_part = np.zeros((len(self.hosts), width), dtype=bool)
        for row, host in enumerate(self.hosts):
            for device in host.devices:
                self.device_exists[row, device.index] = True
                self.device_is_part[row, device.index] = device.partitions > 1
                self.device_memory_mib[row, device.index] = device.memory_mib
        index = {name: m for m, name in enumerate(dict.fromkeys(host.gpu_model for host in self.hosts))}
        self.gpu_models = tuple(index)
        self.gpu_model = np.array([index[host.gpu_model] for host in self.hosts], dtype=np.int64)
        self._remembered: dict[str, object] = {}
        self._matches: dict[tuple[frozenset[str], int, tuple[tuple[str, str], ...]], NDArray[np.bool_]] = {}

    def set_states(self, hosts: tuple[Host, ...]) -> None:
        """Take over hosts that differ in their states only; for a table that nobody else has yet."""
        self.hosts = hosts
        self.usable = np.array([host.takes_new_work for host in self.hosts], dtype=bool)
        self.draining = np.array([host.state is HostState.DRAINING for host in self.hosts], dtype=bool)
        self.leaving = self.draining | np.array([host.state is HostState.LOST for host in self.hosts], dtype=bool)

    def with_states(self, hosts: tuple[Host, ...]) -> "HostTable | None":
        """Return the table of the same hosts, perhaps in other states; None when anything else about them changed."""
        if hosts == self.hosts:
            return self
        if len(hosts) != len(self.hosts):
            return None
        changed = [(old, new) for old, new in zip(self.hosts, hosts, strict=True) if old is not new]
        if any(replace(new, state=old.state, reason=old.reason, since_s=old.since_s) != old for old, new in changed):
            return None
        table = copy(self)
        table.set_states(hosts)
        return table

    def matching(self, shape: Shape) -> NDArray[np.bool_]:
        """Return bool (H, max(D, 1)): where the shape's constraints hold, whatever is free.

        A part of an accelerator is only for those who say how much device memory they need; whoever does not say so
        may need all of it.

        A pure function of the table; the answer is kept because the same few constraints are asked for all the time.
        """
        key = (shape.gpu_models, shape.device_memory_mib if shape.gpu_count else ANY_DEVICE, shape.host_labels)
        if key not in self._matches:
            self._matches[key] = self._match(*key)
        return self._matches[key]

    def remembered(self, name: str, make: Callable[[], _Made]) -> _Made:
        """Return what a function of the hosts alone makes, made once; `name` tells different ones apart."""
        if name not in self._remembered:
            self._remembered[name] = make()
        return cast("_Made", self._remembered[name])

    def _match(
        self, gpu_models: frozenset[str], device_memory_mib: int, labels: tuple[tuple[str, str], ...]
    ) -> NDArray[np.bool_]:
        wanted = set(labels)
        by_host = np.array(
            [wanted <= set(host.labels) and (not gpu_models or host.gpu_model in gpu_models) for host in self.hosts],
            dtype=bool,
        )
        if self.device_memory_mib.shape[1] == 0:
            return by_host[:, None]
        suits = self.device_memory_mib >= device_memory_mib
        if device_memory_mib == 0:
            suits &= ~self.device_is_part
        return by_host[:, None] & suits


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
        before: tuple[dict[Shape, NDArray[np.int64]], NDArray[np.int64]] | None = None,
    ) -> None:
        """Wrap tables that nobody else writes to; `before`: counts of a ledger that differs in some rows, and which."""
        self.table = table
        self.cpu_milli = cpu_milli
        self.memory_mib = memory_mib
        self.gpu_milli = gpu_milli
        self._counts: dict[Shape, NDArray[np.int64]] = {}
        self._before = before

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

        The answer is remembered, and so is what the ledger before this one knew: only rows that changed are counted.
        """
        if shape not in self._counts:
            known = self._before and self._before[0].get(shape)
            if known is None or self._before is None:
                self._counts[shape] = self.units_fitting(shape)
            else:
                units, rows = known.copy(), self._before[1]
                units[rows] = self.units_fitting(shape, rows)
                self._counts[shape] = units
        return self._counts[shape]

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
        touched = [table.rows[slot.host] for slot, _ in (*left, *here) if slot.host in table.rows]
        rows = np.union1d(np.flatnonzero(table.usable != self.table.usable), np.array(touched, dtype=np.int64))
        frozen = trial.freeze()
        return Ledger(table, frozen.cpu_milli, frozen.memory_mib, frozen.gpu_milli, (self._counts, rows))

    def fits(self, row: int, shape: Shape) -> bool:
        """Whether one unit of `shape` fits on a host row, its state included."""
        return self.table.usable[row] and self.devices_for(row, shape) is not None

    def devices_for(self, row: int, shape: Shape) -> tuple[int, ...] | None:
        """Return the devices one unit would get (the fullest that still fit, lowest index first), or None.

        The state of the host is not looked at: room on a cordoned host is still room for what is there.
        """
        matches = self.table.matching(shape)[row]
        if not matches.any() or self.cpu_milli[row] < shape.cpu_milli or self.memory_mib[row] < shape.memory_mib:
            return None
        if not shape.gpu_count:
            return ()
        free = self.gpu_milli[row]
        fitting = np.flatnonzero(matches & (free >= shape.gpu_milli))
        if len(fitting) < shape.gpu_count:
            return None
        fullest_first = fitting[np.argsort(free[fitting], kind="stable")]
        return tuple(sorted(int(i) for i in fullest_first[: shape.gpu_count]))

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
