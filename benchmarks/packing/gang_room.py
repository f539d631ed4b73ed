"""How many gangs of each shape the hosts have room for, kept while hosts change."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.room import Room
from policies.packing.gang_capacity import GangRooms, Vacancy
from scheduler.model.resources import Shape


class GangRoom:
    """Counts room per shape; hosts that have changed are counted again when it is next asked for."""

    def __init__(self, room: Room, gangs: Sequence[Shape]) -> None:
        """Count on all hosts, for G shapes."""
        self._room, self._rooms = room, GangRooms(gangs, room.kinds)
        self._changed: set[int] = set()
        self._of_host = self._rooms.of(room.vacancy())
        self._total: NDArray[np.int64] = self._of_host.sum(axis=0)

    def changed(self, row: int) -> None:
        """Remember that a host has changed."""
        self._changed.add(row)

    def total(self, whole: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 (G,): how many of each there is room for, where hosts have so many whole free devices, (H,)."""
        rows = np.fromiter(self._changed, dtype=np.int64, count=len(self._changed))
        self._changed.clear()
        room = self._room
        vacancy = Vacancy(
            whole[rows], room.cpu_milli[rows], room.memory_mib[rows], room.kinds.of_host[rows], room.kinds
        )
        now = self._rooms.of(vacancy)
        self._total += (now - self._of_host[rows]).sum(axis=0)
        self._of_host[rows] = now
        return self._total.copy()
