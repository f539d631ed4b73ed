"""Placement scores from the literature, as published with FGD (Weng et al., USENIX ATC 2023), per pod over host rows.

Each returns whole scores, the highest wins and ties go to the first host. The weights, the normalisation by the largest
host (128 cores, 8 devices) and the rounding down are part of the published definitions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.room import Room, ShapeTable
from policies.packing.fgd import Typical, fragment, score_of
from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

MOST_CPU_MILLI: Final = 128_000
MOST_GPU_MILLI: Final = 8_000
_TOP: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of host rows for one shape.

    Attributes:
        score: int64 (N,), higher is better.
        device: int64 (N,), the device a share goes to; empty where the fullest that fits is taken.
    """

    score: NDArray[np.int64]
    device: NDArray[np.int64] | None = None


Scoring = Callable[[Room, ShapeTable, int, NDArray[np.int64]], Scores]
"""Scores rows that all have room for the shape."""


def first_fit(_room: Room, _table: ShapeTable, _shape: int, rows: NDArray[np.int64]) -> Scores:
    """Prefer nothing, so that the first host wins."""
    return Scores(np.zeros(len(rows), dtype=np.int64))


def best_fit(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> Scores:
    """Prefer the host with least left, CPU and GPU weighing the same."""
    cpu = (room.cpu_milli[rows] - table.cpu_milli[shape]) / MOST_CPU_MILLI
    gpu = (room.free_milli(rows) - table.total_milli[shape]) / MOST_GPU_MILLI
    return Scores((_TOP * (1 - 0.5 * cpu - 0.5 * gpu)).astype(np.int64))


def dot_product(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> Scores:
    """Prefer the smallest product of what is free and what is asked for (as Tetris, Grandl et al., SIGCOMM 2014)."""
    cpu = room.cpu_milli[rows] / MOST_CPU_MILLI * (table.cpu_milli[shape] / MOST_CPU_MILLI)
    gpu = room.free_milli(rows) / MOST_GPU_MILLI * (table.total_milli[shape] / MOST_GPU_MILLI)
    return Scores((_TOP * (1 - (cpu + gpu) / 2)).astype(np.int64))


def gpu_packing(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> Scores:
    """Prefer devices in use, then free devices of hosts in use, then free hosts."""
    if not table.gpu_count[shape]:
        return first_fit(room, table, shape, rows)
    count, milli = int(table.gpu_count[shape]), int(table.gpu_milli[shape])
    free = room.gpu_milli[rows]
    used = np.sort(np.where(free >= milli, free, np.iinfo(np.int64).max), axis=1)[:, :count]
    whole_used = (used == WHOLE_DEVICE_MILLI).sum(axis=1)
    shared = np.maximum(_TOP - (used * 100 // WHOLE_DEVICE_MILLI).sum(axis=1) // 10, _TOP // 2)
    opening = np.maximum(_TOP // 2 - whole_used, _TOP // 3)
    whole, devices = (free == WHOLE_DEVICE_MILLI).sum(axis=1), (free >= 0).sum(axis=1)
    untouched = np.maximum(_TOP // 3 - whole, whole)
    return Scores(np.where(whole == devices, untouched, np.where(whole_used > 0, opening, shared)))


def fgd(mix: SizeMix, models: tuple[str, ...]) -> Scoring:
    """Return FGD with the typical pods of a mix."""
    typical = Typical.of(mix)
    by_model = np.array([typical.accepts(model) for model in models])

    def score(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> Scores:
        accepts, cpu = by_model[room.fleet.model[rows]], room.cpu_milli[rows]
        before = fragment(typical, accepts, cpu, room.gpu_milli[rows])
        left = cpu - table.cpu_milli[shape]
        ways = _ways(room, table, shape, rows)
        after = np.stack([fragment(typical, accepts, left, way) for way in ways], axis=1)
        scores = np.where(_possible(room, table, shape, rows), score_of(after - before[:, None]), -1)
        best = scores.argmax(axis=1)
        shares = table.gpu_count[shape] == 1 and table.gpu_milli[shape] < WHOLE_DEVICE_MILLI
        return Scores(scores[np.arange(len(rows)), best], best if shares else None)

    return score


def _possible(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return bool (N, W): which of the ways of `_ways` a host has."""
    if table.gpu_count[shape] == 1 and table.gpu_milli[shape] < WHOLE_DEVICE_MILLI:
        room_on: NDArray[np.bool_] = room.gpu_milli[rows] >= table.gpu_milli[shape]
        return room_on
    return np.ones((len(rows), 1), dtype=bool)


def _ways(room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return what each device of each row has left, int64 (N, D), per way to seat the pod: a share on any device."""
    free, count, milli = room.gpu_milli[rows], int(table.gpu_count[shape]), int(table.gpu_milli[shape])
    devices = np.arange(free.shape[1])
    if count == 1 and milli < WHOLE_DEVICE_MILLI:
        return [np.where(devices == device, free - milli, free) for device in devices]
    whole = free == WHOLE_DEVICE_MILLI
    return [np.where(whole & (whole.cumsum(axis=1) <= count), 0, free)]


@dataclass(slots=True, eq=False)
class Clustering:
    """GpuClustering: prefer hosts that run pods of the same kind and no other, the fuller the better.

    Attributes:
        running: int64 (H, kinds), pods of each kind (share, one device, two devices, …) on each host.
    """

    running: NDArray[np.int64]

    @classmethod
    def on(cls, hosts: int, table: ShapeTable) -> "Clustering":
        """Begin with empty hosts."""
        return cls(np.zeros((hosts, int(table.gpu_count.max()) + 1), dtype=np.int64))

    def score(self, room: Room, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> Scores:
        """Score rows in four bands of 25."""
        if not table.gpu_count[shape]:
            return first_fit(room, table, shape, rows)
        present = self.running[rows] > 0
        same, kinds = present[:, kind_of(table, shape)], present.sum(axis=1)
        band = np.where(same, np.where(kinds == 1, 3, 2), np.where(kinds == 0, 1, 0))
        full = 25 * (MOST_GPU_MILLI - room.free_milli(rows)) // MOST_GPU_MILLI
        return Scores(full + 25 * band)


def kind_of(table: ShapeTable, shape: int) -> int:
    """Return the kind of a GPU pod: 0 for a share of a device, else its number of devices."""
    return int(table.gpu_count[shape]) if table.gpu_milli[shape] == WHOLE_DEVICE_MILLI else 0
