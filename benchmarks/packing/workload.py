"""Hosts and pods of a packing benchmark, read from the CSV files of the openb traces (or alike)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.fault import RecordError, reading
from records.files import read_table
from records.form import UNSAID
from records.numbers import whole_of
from records.table import Table
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.recorded import input_faults

_MOST_DEVICES: Final = 1024
NO_DEVICE = -1
"""Free thousandths of a device that does not exist."""


@dataclass(frozen=True, slots=True, eq=False)
class Fleet:
    """Empty hosts.

    Attributes:
        cpu_milli: int64 (H,).
        memory_mib: int64 (H,).
        gpu_milli: int64 (H, D), 1000 where there is a device, `NO_DEVICE` elsewhere.
        models: names of the M GPU models.
        model: int64 (H,), index of each host's model.
    """

    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    models: tuple[str, ...]
    model: NDArray[np.int64]

    @property
    def capacity_milli(self) -> int:
        """Thousandths of a device over all hosts."""
        return int(np.maximum(self.gpu_milli, 0).sum())

    def listed(self, order: NDArray[np.int64]) -> "Fleet":
        """Return the same hosts in another order, int64 (H,)."""
        return Fleet(
            self.cpu_milli[order], self.memory_mib[order], self.gpu_milli[order], self.models, self.model[order]
        )

    def times(self, copies: int) -> "Fleet":
        """Return a fleet of so many copies, one after the other."""
        return Fleet(
            np.tile(self.cpu_milli, copies),
            np.tile(self.memory_mib, copies),
            np.tile(self.gpu_milli, (copies, 1)),
            self.models,
            np.tile(self.model, copies),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Pods:
    """A list of pods.

    Attributes:
        shapes: the K different shapes, sorted by size.
        shape: int64 (N,), the index of each pod's shape, in the order of the list.
    """

    shapes: tuple[Shape, ...]
    shape: NDArray[np.int64]

    @property
    def gpu_milli(self) -> NDArray[np.int64]:
        """Thousandths of a device each shape asks for in all, int64 (K,)."""
        return np.array([shape.total_gpu_milli for shape in self.shapes], dtype=np.int64)

    def times(self, copies: int) -> "Pods":
        """Return a list that repeats this one."""
        return Pods(self.shapes, np.tile(self.shape, copies))

    @classmethod
    def of(cls, pods: list[Shape]) -> "Pods":
        """Number the shapes of a list."""
        shapes = tuple(sorted(set(pods), key=_size))
        index = {shape: k for k, shape in enumerate(shapes)}
        return cls(shapes, np.array([index[pod] for pod in pods], dtype=np.int64))


def read_hosts(path: Path) -> Fleet:
    """Read columns cpu_milli, memory_mib, gpu (devices) and model; other columns are passed over.

    Raises:
        ConfigError: no such file, a column is missing, or a value is no whole number.
    """
    with input_faults("BadValue"), reading(path):
        table = _table(path, ("cpu_milli", "memory_mib", "gpu", "model"), "hosts")
        cpu, memory, gpus = (whole_of(table.column(name), UNSAID) for name in ("cpu_milli", "memory_mib", "gpu"))
        many = np.flatnonzero(gpus > _MOST_DEVICES)
        if len(many):
            raise table.column("gpu").fault(int(many[0]), f"is more than a host has ({_MOST_DEVICES})")
        named = table.column("model").cells
    models = tuple(sorted(set(named)))
    gpu = np.where(np.arange(max(int(gpus.max()), 1)) < gpus[:, None], WHOLE_DEVICE_MILLI, NO_DEVICE)
    model = np.array([models.index(name) for name in named], dtype=np.int64)
    return Fleet(cpu, memory, gpu.astype(np.int64), models, model)


def read_pods(path: Path) -> Pods:
    """Read columns cpu_milli, memory_mib, num_gpu, gpu_milli and, where there is one, gpu_spec ("T4|A10").

    Raises:
        ConfigError: no such file, a column is missing, or a value is impossible.
    """
    with input_faults("BadValue"), reading(path):
        names = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
        table = _table(path, names, "pods")
        numbers = [whole_of(table.column(name), UNSAID).tolist() for name in names]
        specs = table.column("gpu_spec").cells if table.has("gpu_spec") else [""] * len(table.rows)
        rows = zip(table.lines, zip(*numbers, strict=True), specs, strict=True)
        pods = [_shape(line, row, spec) for line, row, spec in rows]
        if not any(pod.gpu_count for pod in pods):
            raise RecordError("no pod asks for a device", help="pods with a num_gpu above 0")
    return Pods.of(pods)


def _shape(line: int, numbers: tuple[int, ...], spec: str) -> Shape:
    cpu, memory, count, milli = numbers
    models = frozenset(filter(None, spec.split("|")))
    try:
        return Shape(cpu, memory, count, milli, models) if count else Shape(cpu, memory)
    except ValueError as error:
        raise RecordError(str(error), line=line, help="correct or remove the row") from None


def _size(shape: Shape) -> tuple[int, int, int, int, tuple[str, ...]]:
    return (shape.gpu_count, shape.gpu_milli, shape.cpu_milli, shape.memory_mib, tuple(sorted(shape.gpu_models)))


def _table(path: Path, names: tuple[str, ...], kind: str) -> Table:
    table = read_table(path, [names])
    for name in names:
        table.column(name)
    if not table.rows:
        raise RecordError(f"there are no {kind} in it", help=f"a row each, with {', '.join(names)}")
    return table
