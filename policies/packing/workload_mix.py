"""What work asks for, as counted from the jobs seen so far: an immutable value that prices are learned from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape


@dataclass(frozen=True, slots=True)
class SizeMix:
    """How often each shape was asked for.

    Attributes:
        counts: (shape, times seen) pairs, in the order in which shapes were first seen.
    """

    counts: tuple[tuple[Shape, int], ...] = ()

    @classmethod
    def of(cls, counts: Mapping[Shape, int]) -> "SizeMix":
        """Take counts as they are; shapes never seen are left out."""
        return cls(tuple((shape, int(count)) for shape, count in counts.items() if count > 0))

    def and_seen(self, shapes: Iterable[Shape]) -> "SizeMix":
        """Return the mix with more shapes counted."""
        counts = Counter(dict(self.counts))
        counts.update(shapes)
        return SizeMix.of(counts)

    @property
    def total(self) -> int:
        """Shapes counted, repeats included."""
        return sum(count for _, count in self.counts)

    @property
    def gpu(self) -> tuple[tuple[Shape, int], ...]:
        """The part that asks for devices."""
        return tuple((shape, count) for shape, count in self.counts if shape.gpu_count)

    @property
    def gpu_models(self) -> frozenset[str]:
        """The models that some shape asks for by name."""
        return frozenset().union(*(shape.gpu_models for shape, _ in self.counts))

    @property
    def gpu_milli(self) -> int:
        """Thousandths of a device asked for by all that was counted."""
        return sum(shape.total_gpu_milli * count for shape, count in self.counts)

    def pieces(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the pieces that devices are cut into: sizes int64 (J,), ascending, and how many of each (J,)."""
        pieces: Counter[int] = Counter()
        for shape, count in self.gpu:
            pieces[shape.gpu_milli] += shape.gpu_count * count
        sizes = sorted(pieces)
        return np.array(sizes, dtype=np.int64), np.array([pieces[size] for size in sizes], dtype=np.float64)

    def share_fitting(self, gpu_model: str) -> NDArray[np.float64]:
        """Return float64 (1001,): the share of all shapes that a remainder of r thousandths of this model could hold.

        Shapes without devices count among all, so that the share stays below one where they are common.
        """
        fitting = np.zeros(WHOLE_DEVICE_MILLI + 1)
        for shape, count in self.gpu:
            if not shape.gpu_models or gpu_model in shape.gpu_models:
                fitting[shape.gpu_milli] += count
        return fitting.cumsum() / max(self.total, 1)


PRIOR: Final = SizeMix(
    (
        (Shape(cpu_milli=8000, memory_mib=32768, gpu_count=1), 12),
        (Shape(cpu_milli=16000, memory_mib=65536, gpu_count=2), 2),
        (Shape(cpu_milli=32000, memory_mib=131072, gpu_count=4), 2),
        (Shape(cpu_milli=64000, memory_mib=262144, gpu_count=8), 1),
        (Shape(cpu_milli=4000, memory_mib=16384, gpu_count=1, gpu_milli=500), 4),
    )
)
"""What a site is taken to run before it has been watched: mostly whole devices, some halves, few gangs."""
