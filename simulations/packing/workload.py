"""Hosts and pods of a packing benchmark, read from the CSV files of the openb traces (or alike)."""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scheduler.model.errors import ConfigError, Fault
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

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
    rows = list(_rows(path, ("cpu_milli", "memory_mib", "gpu", "model")))
    if not rows:
        raise ConfigError(Fault("EmptyFile", "no hosts", file=str(path)))
    models = tuple(sorted({row["model"] for _, row in rows}))
    cpu, memory, gpus = (
        np.array([_whole(path, line, row, name) for line, row in rows], dtype=np.int64)
        for name in ("cpu_milli", "memory_mib", "gpu")
    )
    gpu = np.where(np.arange(max(int(gpus.max()), 1)) < gpus[:, None], WHOLE_DEVICE_MILLI, NO_DEVICE)
    model = np.array([models.index(row["model"]) for _, row in rows], dtype=np.int64)
    return Fleet(cpu, memory, gpu.astype(np.int64), models, model)


def read_pods(path: Path) -> Pods:
    """Read columns cpu_milli, memory_mib, num_gpu, gpu_milli and, where there is one, gpu_spec ("T4|A10").

    Raises:
        ConfigError: no such file, a column is missing, or a value is impossible.
    """
    rows = list(_rows(path, ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")))
    pods = [_shape(path, line, row) for line, row in rows]
    if not any(pod.gpu_count for pod in pods):
        raise ConfigError(Fault("EmptyFile", "no pod asks for a device", file=str(path)))
    return Pods.of(pods)


def _shape(path: Path, line: int, row: dict[str, str]) -> Shape:
    cpu, memory, count, milli = (
        _whole(path, line, row, name) for name in ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
    )
    models = frozenset(filter(None, (row.get("gpu_spec") or "").split("|")))
    try:
        return Shape(cpu, memory, count, milli, models) if count else Shape(cpu, memory)
    except ValueError as error:
        raise ConfigError(Fault("BadValue", str(error), file=str(path), line=line)) from error


def _size(shape: Shape) -> tuple[int, int, int, int, tuple[str, ...]]:
    return (shape.gpu_count, shape.gpu_milli, shape.cpu_milli, shape.memory_mib, tuple(sorted(shape.gpu_models)))


def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                text = f"no column {', '.join(missing)}"
                raise ConfigError(
                    Fault("MissingColumn", text, file=str(path), line=1, help=f"needs {', '.join(needed)}")
                )
            yield from ((line, row) for line, row in enumerate(reader, start=2))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Fault("Unreadable", f"cannot be read: {error}", file=str(path))) from error


def _whole(path: Path, line: int, row: dict[str, str], name: str) -> int:
    try:
        return int(row[name])
    except (TypeError, ValueError):
        text = f"{name} is {row[name]!r}, not a whole number"
        raise ConfigError(Fault("BadValue", text, file=str(path), line=line, field=name)) from None
