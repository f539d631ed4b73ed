"""The state of a packing run: what is free on every host, as arrays that one run owns and edits."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.workload import Fleet
from scheduler.model.resources import Shape


class Seat(NamedTuple):
    """Where a pod went: a host row and the indices of its devices."""

    row: int
    devices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ShapeTable:
    """The K shapes of a run as columns.

    Attributes:
        shapes: the shapes themselves.
        cpu_milli, memory_mib, gpu_count, gpu_milli: int64 (K,); the last is per device and 0 without devices.
        allowed: bool (K, M), whether a GPU model will do.
    """

    shapes: tuple[Shape, ...]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    gpu_count: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    allowed: NDArray[np.bool_]

    @classmethod
    def of(cls, shapes: tuple[Shape, ...], models: tuple[str, ...]) -> "ShapeTable":
        """Tabulate shapes against the models of a fleet."""
        return cls(
            shapes,
            np.array([s.cpu_milli for s in shapes], dtype=np.int64),
            np.array([s.memory_mib for s in shapes], dtype=np.int64),
            np.array([s.gpu_count for s in shapes], dtype=np.int64),
            np.array([s.gpu_milli if s.gpu_count else 0 for s in shapes], dtype=np.int64),
            np.array([[not s.gpu_count or not s.gpu_models or m in s.gpu_models for m in models] for s in shapes]),
        )

    @property
    def total_milli(self) -> NDArray[np.int64]:
        """Thousandths of a device asked for in all, int64 (K,)."""
        return self.gpu_count * self.gpu_milli


class Room:
    """Free amounts of every host.

    Attributes:
        fleet: the hosts when empty.
        cpu_milli, memory_mib: int64 (H,).
        gpu_milli: int64 (H, D).
    """

    def __init__(self, fleet: Fleet) -> None:
        """Begin with empty hosts."""
        self.fleet = fleet
        self.cpu_milli = fleet.cpu_milli.copy()
        self.memory_mib = fleet.memory_mib.copy()
        self.gpu_milli = fleet.gpu_milli.copy()

    def add(self, seat: Seat, shape: Shape, sign: int) -> None:
        """Put a pod into its seat (sign -1) or take it out again (+1)."""
        row, devices = seat
        self.cpu_milli[row] = self.cpu_milli.item(row) + sign * shape.cpu_milli
        self.memory_mib[row] = self.memory_mib.item(row) + sign * shape.memory_mib
        for device in devices:
            self.gpu_milli[row, device] += sign * shape.gpu_milli

    def fitting(self, table: ShapeTable, shape: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return bool (N,): which of the rows have room for a pod of this shape."""
        fits: NDArray[np.bool_] = (self.cpu_milli[rows] >= table.cpu_milli[shape]) & (
            self.memory_mib[rows] >= table.memory_mib[shape]
        )
        if not table.gpu_count[shape]:
            return fits
        devices = (self.gpu_milli[rows] >= table.gpu_milli[shape]).sum(axis=1)
        fits &= (devices >= table.gpu_count[shape]) & table.allowed[shape, self.fleet.model[rows]]
        return fits

    def free_milli(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 (N,): thousandths of a device free on each row."""
        free: NDArray[np.int64] = np.maximum(self.gpu_milli[rows], 0).sum(axis=1)
        return free

    def fullest(self, row: int, shape: Shape) -> tuple[int, ...]:
        """Return the devices with least room that still fit, lowest index first among equals."""
        free = self.gpu_milli[row]
        fitting = np.flatnonzero(free >= shape.gpu_milli)
        order = np.argsort(free[fitting], kind="stable")[: shape.gpu_count]
        return tuple(int(d) for d in fitting[order])
