"""What shapes lose by the CPU they take, on every host, and where CPU or memory does not suffice."""

from bisect import bisect_right
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.room import Room, ShapeTable
from policies.packing.cpu_stranding import CpuPerDevice
from policies.packing.score import CPU_WEIGHT, STEP_MILLI
from scheduler.model.resources import WHOLE_DEVICE_MILLI

NEVER: Final = np.float32(8000)
"""Steps of loss where a shape does not fit; three of them still fit an int16."""
_CPU_GRAIN: Final = 250
_GPU_GRAIN: Final = 10
"""Grains of the table of stranded devices, in thousandths of a core and of a device."""

Rows: TypeAlias = NDArray[np.float32]


class CpuLosses:
    """Losses by CPU for every shape on every host, in steps; hosts that change must be settled."""

    def __init__(self, room: Room, shapes: ShapeTable) -> None:
        """Look at every host; `learn` must follow."""
        self._room = room
        self._cores = np.arange(int(room.fleet.cpu_milli.max()) // _CPU_GRAIN + 1) * _CPU_GRAIN
        self._gpus = np.arange(room.gpu_milli.shape[1] * WHOLE_DEVICE_MILLI // _GPU_GRAIN + 1) * _GPU_GRAIN
        self._width = len(self._cores)
        taken = shapes.total_milli // _GPU_GRAIN * self._width + shapes.cpu_milli // _CPU_GRAIN
        self._most = int(taken.max())
        self._left = self._most - taken
        self._levels = [np.unique(asked).tolist() for asked in (shapes.cpu_milli, shapes.memory_mib)]
        self._misfits = [_misfits(asked) for asked in (shapes.cpu_milli, shapes.memory_mib)]
        self._misfits_of: dict[tuple[int, int], Rows] = {}
        self._state, self._cpu_rank, self._memory_rank = (
            np.zeros(len(room.cpu_milli), dtype=np.int64) for _ in range(3)
        )
        self._stranded: Rows = np.zeros(self._most + self._width * len(self._gpus), dtype=np.float32)
        for row, free_milli in enumerate(np.maximum(room.gpu_milli, 0).sum(axis=1).tolist()):
            self.changed(row, free_milli)

    def learn(self, cpu: CpuPerDevice) -> None:
        """Tabulate what is stranded by free CPU and free devices."""
        self._stranded[self._most :] = cpu.stranded_table(self._cores, self._gpus, CPU_WEIGHT / STEP_MILLI).ravel()

    def changed(self, row: int, free_milli: int) -> Rows:
        """Look at a changed host, of whose devices so much is free; return the loss of every shape, float32 (K,)."""
        cpu, memory = self._room.cpu_milli.item(row), self._room.memory_mib.item(row)
        state = free_milli // _GPU_GRAIN * self._width + cpu // _CPU_GRAIN
        ranks = bisect_right(self._levels[0], cpu), bisect_right(self._levels[1], memory)
        self._state[row] = state
        self._cpu_rank[row], self._memory_rank[row] = ranks
        misfits = self._misfits_of.get(ranks)
        if misfits is None:
            misfits = self._misfits_of[ranks] = self._misfits[0][ranks[0]] + self._misfits[1][ranks[1]]
        lost: Rows = self._stranded[state : state + self._most + 1][self._left]
        lost += misfits
        lost -= self._stranded.item(state + self._most)
        return lost

    def of_hosts(self, rows: NDArray[np.int64]) -> Rows:
        """Return the loss of every shape on some hosts, float32 (N, K)."""
        state = self._state[rows][:, None]
        lost: Rows = self._stranded.take(state + self._left)
        lost -= self._stranded.take(state + self._most)
        lost += self._misfits[0][self._cpu_rank[rows]]
        lost += self._misfits[1][self._memory_rank[rows]]
        return lost

    def of_shape(self, shape: int) -> Rows:
        """Return the loss of one shape on every host, float32 (H,)."""
        lost: Rows = self._stranded.take(self._state + self._left[shape])
        lost -= self._stranded.take(self._state + self._most)
        lost += self._misfits[0][:, shape].take(self._cpu_rank)
        lost += self._misfits[1][:, shape].take(self._memory_rank)
        return lost


def _misfits(asked: NDArray[np.int64]) -> Rows:
    """Return `NEVER` where a shape asks for more than the host has, float32 (levels + 1, K), by the host's rank."""
    levels = np.unique(asked)
    most = np.concatenate([[-1], levels])
    return np.where(asked <= most[:, None], 0, NEVER).astype(np.float32)
