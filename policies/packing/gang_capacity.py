"""How many gangs of several whole devices hosts have room for: now, and once what runs there is over.

A gang of eight with 120 cores fits on other hosts than one with 64: room is counted per shape, and only where the CPU
and memory beside the devices suffice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.ledger import Ledger
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

_PLENTY = 1 << 40
"""Room where nothing is asked for."""


@dataclass(frozen=True, slots=True)
class HostKind:
    """A host when nothing runs there; its devices are whole ones, parts of devices do not count."""

    devices: int
    cpu_milli: int
    memory_mib: int
    gpu_model: str

    def units(self, gang: Shape) -> int:
        """Return how many units of a shape of whole devices it could take."""
        if gang.gpu_models and self.gpu_model not in gang.gpu_models:
            return 0
        asked = (gang.gpu_count, gang.cpu_milli, gang.memory_mib)
        return min(has // wants for has, wants in zip(self._amounts, asked, strict=True) if wants)

    @property
    def _amounts(self) -> tuple[int, int, int]:
        return (self.devices, self.cpu_milli, self.memory_mib)


class HostKinds:
    """The different kinds of H hosts.

    Attributes:
        kinds: each once.
        of_host: int64 (H,), the index of each host's kind.
        gpu_models: names of the M GPU models, "" among them where hosts have no devices.
        gpu_model: int64 (kinds,), the index of each kind's model.
        most_devices: of the largest kind.
    """

    def __init__(self, hosts: Iterable[HostKind]) -> None:
        """Sort hosts by kind."""
        index: dict[HostKind, int] = {}
        self.of_host = np.array([index.setdefault(host, len(index)) for host in hosts], dtype=np.int64)
        self.kinds = tuple(index)
        models = {model: m for m, model in enumerate(dict.fromkeys(kind.gpu_model for kind in self.kinds))}
        self.gpu_models = tuple(models)
        self.gpu_model = np.array([models[kind.gpu_model] for kind in self.kinds], dtype=np.int64)
        self.most_devices = max((kind.devices for kind in self.kinds), default=0)
        self._most: dict[Shape, NDArray[np.int64]] = {}

    def most(self, gang: Shape) -> NDArray[np.int64]:
        """Return int64 (kinds,): how many units of a shape an empty host of each kind takes.

        A pure function; the answer is kept because the same few shapes are asked for all the time.
        """
        if gang not in self._most:
            self._most[gang] = np.array([kind.units(gang) for kind in self.kinds], dtype=np.int64)
        return self._most[gang]

    def room_to_come(self, gang: Shape, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what room for a shape counts that is there once devices in use are given back.

        Args:
            gang: the shape.
            share: float64 (D + 1,), what a unit counts that takes so many devices to be given back.

        Returns:
            float64 (kinds, D + 1), by how many whole devices are free.
        """
        most, free = self.most(gang), np.arange(len(share))
        unit = np.arange(1, int(most.max(initial=0)) + 1)
        missing = unit * gang.gpu_count - free[:, None]
        counted = np.where(missing > 0, share[np.clip(missing, 0, len(share) - 1)], 0.0)
        possible = unit <= most[:, None]
        to_come: NDArray[np.float64] = (counted[None] * possible[:, None]).sum(axis=2)
        return to_come


@dataclass(frozen=True, slots=True, eq=False)
class Vacancy:
    """What is free on N hosts.

    Attributes:
        whole: int64 (N,), whole free devices.
        cpu_milli: int64 (N,), free thousandths of a core.
        memory_mib: int64 (N,), free MiB.
        kind: int64 (N,), the index of each host's kind.
        kinds: what the hosts are when empty.
    """

    whole: NDArray[np.int64]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: HostKinds

    @classmethod
    def of(cls, ledger: Ledger) -> "Vacancy":
        """Return what is free on all hosts of a ledger; parts of devices do not count."""
        whole = (ledger.gpu_milli == WHOLE_DEVICE_MILLI) & ~ledger.table.device_is_part
        kinds = kinds_of(ledger.table)
        return cls(whole.sum(axis=1), ledger.cpu_milli, ledger.memory_mib, kinds.of_host, kinds)

    def at(self, rows: NDArray[np.int64]) -> "Vacancy":
        """Return what is free on some of the hosts."""
        return Vacancy(self.whole[rows], self.cpu_milli[rows], self.memory_mib[rows], self.kind[rows], self.kinds)


class GangRooms:
    """How many units of each of G shapes of whole devices hosts can take, for all shapes at once."""

    def __init__(self, gangs: Sequence[Shape], kinds: HostKinds) -> None:
        """Look at what shapes ask for."""
        shape = (len(gangs), len(kinds.kinds))
        self._most = np.array([kinds.most(gang) for gang in gangs], dtype=np.int64).reshape(shape).T
        self._devices = np.array([gang.gpu_count for gang in gangs], dtype=np.int64)
        self._beside = [
            (np.maximum(asked, 1), np.where(asked > 0, 0, _PLENTY))
            for asked in (
                np.array([gang.cpu_milli for gang in gangs], dtype=np.int64),
                np.array([gang.memory_mib for gang in gangs], dtype=np.int64),
            )
        ]

    def of(self, vacancy: Vacancy) -> NDArray[np.int64]:
        """Return int64 (N, G): how many units each host can take now."""
        rooms: NDArray[np.int64] = np.minimum(self._most[vacancy.kind], vacancy.whole[:, None] // self._devices)
        for free, (asked, more) in zip((vacancy.cpu_milli, vacancy.memory_mib), self._beside, strict=True):
            np.minimum(rooms, np.maximum(free, 0)[:, None] // asked + more, out=rooms)
        return rooms


class RoomValue:
    """What the room for gangs is worth that hosts offer.

    Shapes of as many devices have the same devices in view: the dearest of them counts.

    Attributes:
        gangs: the shapes.
    """

    def __init__(self, gangs: Sequence[Shape], kinds: HostKinds) -> None:
        """Value room for shapes, of which those of as many devices stand side by side."""
        self.gangs, self._rooms = tuple(gangs), GangRooms(gangs, kinds)
        self._first = np.flatnonzero(np.diff([gang.gpu_count for gang in gangs], prepend=0))

    def of(self, vacancy: Vacancy, prices: Sequence[float]) -> NDArray[np.float64]:
        """Return float64 (N,), at so much for a unit of room for each of the shapes."""
        if not self.gangs:
            return np.zeros(len(vacancy.whole))
        worth = self._rooms.of(vacancy) * np.array(prices)
        value: NDArray[np.float64] = np.maximum.reduceat(worth, self._first, axis=1).sum(axis=1)
        return value


def kinds_of(table: HostTable) -> HostKinds:
    """Return the kinds of the hosts of a table; the answer is kept with it, whatever states its hosts are in."""
    return table.remembered("kinds", lambda: _kinds(table))


def _kinds(table: HostTable) -> HostKinds:
    whole = (table.device_exists & ~table.device_is_part).sum(axis=1).tolist()
    return HostKinds(
        HostKind(devices, host.cpu_milli, host.memory_mib, host.gpu_model)
        for devices, host in zip(whole, table.hosts, strict=True)
    )
