"""The hosts as tables that never change, and how many units of a shape fit into free amounts.

Row i of every table is host i of `HostTable.hosts`.
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from scheduler.model.hosts import Host, HostState
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot

_Made = TypeVar("_Made")

ABSENT: Final = -1
"""Free thousandths of a device that does not exist (hosts have different numbers of devices)."""
ANY_DEVICE: Final = -1
"""Device memory asked for by work that uses no device."""
NO_BOUND: Final = np.iinfo(np.int64).max
"""Units of a shape that asks for nothing."""


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
        gpu_milli: int64 (N, D), free, at most 1000; `ABSENT` where there is no device.
    """
    limit = _host_limit(shape, cpu_milli, memory_mib)
    if not shape.gpu_count:
        return np.where(matches.any(axis=1), limit, 0)
    suits = matches & (gpu_milli >= shape.gpu_milli)
    if 2 * shape.gpu_milli > WHOLE_DEVICE_MILLI:
        devices = (suits.astype(np.float32) @ np.ones(suits.shape[1], dtype=np.float32)).astype(np.int64)
    else:
        devices = np.einsum("ij->i", gpu_milli // shape.gpu_milli * suits)
    fitting: NDArray[np.int64] = np.minimum(limit, devices // shape.gpu_count if shape.gpu_count > 1 else devices)
    return fitting


def _host_limit(shape: Shape, cpu_milli: NDArray[np.int64], memory_mib: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many units CPU and memory are enough for, int64 (N,)."""
    limit = np.full(len(cpu_milli), NO_BOUND)
    for free, asked in ((cpu_milli, shape.cpu_milli), (memory_mib, shape.memory_mib)):
        if asked:
            limit = np.minimum(limit, np.maximum(free, 0) // asked)
    return limit


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
        device_parts: int64 (H, D), into how many parts its accelerator is cut; 1 where it is whole.
        device_is_part: bool (H, D), whether it is a partition of an accelerator.
        is_cut: whether any is.
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
        self.device_parts = np.ones((len(self.hosts), width), dtype=np.int64)
        for row, host in enumerate(self.hosts):
            for device in host.devices:
                self.device_exists[row, device.index] = True
                self.device_parts[row, device.index] = device.partitions
                self.device_memory_mib[row, device.index] = device.memory_mib
        self.device_is_part = self.device_parts > 1
        self.is_cut = bool(self.device_is_part.any())
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

    def domains(self, label: str) -> NDArray[np.int64]:
        """Return int64 (H,): hosts with the same value of a label have the same number, from 0.

        A host without the label is alone: nothing is known to be near it. Kept like the answers of `matching`.
        """
        return self.remembered(f"domains of {label}", lambda: self._numbered(label))

    def _numbered(self, label: str) -> NDArray[np.int64]:
        values = [(dict(host.labels).get(label), host.name) for host in self.hosts]
        keys = [(name, "") if value is None else ("", value) for value, name in values]
        number = {key: n for n, key in enumerate(dict.fromkeys(keys))}
        return np.array([number[key] for key in keys], dtype=np.int64)

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

    def in_whole(self, gpu_milli: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return sums over the devices of N hosts, int64 (N,), in thousandths of whole accelerators.

        A part counts as its share of the accelerator: one of eight as 125.

        Args:
            gpu_milli: int64 (N, D), thousandths of each device or part.
            rows: int64 (N,), of which hosts; all when left out.
        """
        if self.is_cut:
            gpu_milli = gpu_milli // (self.device_parts if rows is None else self.device_parts[rows])
        sums: NDArray[np.int64] = gpu_milli.sum(axis=1)
        return sums

    def parts_for(self, shape: Shape) -> tuple[int, int]:
        """Return into how many parts the accelerators are cut that suit a shape, at least and at most; 1, 1 if none."""
        if not self.is_cut or not shape.device_memory_mib or not shape.gpu_count:
            return 1, 1
        key = f"parts for {sorted(shape.gpu_models)} {shape.device_memory_mib} {shape.host_labels}"
        return self.remembered(key, lambda: self._parts_of(self.matching(shape)))

    def gpus_of(self, shape: Shape) -> float:
        """Return the whole accelerators that a unit of a shape takes: a part as its share, the smallest that suits."""
        return shape.total_gpu_milli / WHOLE_DEVICE_MILLI / self.parts_for(shape)[1]

    def gpus_at(self, slot: Slot, shape: Shape) -> float:
        """Return the whole accelerators that a unit of a shape takes in a slot: a part as its share."""
        row = self.rows.get(slot.host)
        if row is None or not self.is_cut:
            return shape.total_gpu_milli / WHOLE_DEVICE_MILLI
        return float((shape.gpu_milli // self.device_parts[row, list(slot.devices)]).sum()) / WHOLE_DEVICE_MILLI

    def _parts_of(self, suits: NDArray[np.bool_]) -> tuple[int, int]:
        parts = self.device_parts[suits & self.device_exists]
        return (int(parts.min()), int(parts.max())) if len(parts) else (1, 1)

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
