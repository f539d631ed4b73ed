"""The lowest of several rooms: what is free in all of them."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scheduler.planning.room import Counted


class Lowest(Counted):
    """The lowest of several rooms, host by host and device by device, which follows their changes."""

    def __init__(self, rooms: Sequence[Counted]) -> None:
        """Follow these rooms, at least one."""
        super().__init__(rooms[0])
        self._rooms, self._followed = tuple(rooms), [len(room.touched) for room in rooms]
        for room in rooms[1:]:
            np.minimum(self.cpu_milli, room.cpu_milli, out=self.cpu_milli)
            np.minimum(self.memory_mib, room.memory_mib, out=self.memory_mib)
            np.minimum(self.gpu_milli, room.gpu_milli, out=self.gpu_milli)
        self.touched.extend(np.flatnonzero(self._differs_from(rooms[0])).tolist())

    def caught_up(self) -> Self:
        """Return itself with all that has changed meanwhile."""
        rows: set[int] = set()
        for index, room in enumerate(self._rooms):
            rows.update(room.touched[self._followed[index] :])
            self._followed[index] = len(room.touched)
        if rows:
            self._lower(np.array(sorted(rows), dtype=np.int64))
        return self

    def _differs_from(self, room: Counted) -> NDArray[np.bool_]:
        """Return which rows are not as in a room, bool (H,)."""
        devices = self.gpu_milli != room.gpu_milli
        differs: NDArray[np.bool_] = (
            (self.cpu_milli != room.cpu_milli)
            | (self.memory_mib != room.memory_mib)
            | (devices.astype(np.float32) @ np.ones(devices.shape[1], dtype=np.float32) > 0)
        )
        return differs

    def _lower(self, rows: NDArray[np.int64]) -> None:
        changed = np.zeros(len(rows), dtype=bool)
        for name in ("cpu_milli", "memory_mib", "gpu_milli"):
            own = getattr(self, name)
            lowest = np.minimum.reduce([getattr(room, name)[rows] for room in self._rooms])
            changed |= (own[rows] != lowest).reshape(len(rows), -1).any(axis=1)
            own[rows] = lowest
        self.touched.extend(rows[changed].tolist())
