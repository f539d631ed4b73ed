"""What the room would be if what is held or promised were not: all of it at once, for reasons and outlooks."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import AMOUNTS
from scheduler.planning.room import Room

Taken = tuple[Sequence[Slot], Shape]
"""Slots, and what sits in each of them."""


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
