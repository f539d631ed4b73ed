"""How many free devices a host will strand for want of CPU, if it is filled with the work that is expected."""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

Amounts: TypeAlias = NDArray[np.int64] | NDArray[np.float64]

_LEAST_SPREAD: Final = 1.0
"""Thousandths of a core; keeps the normal law a law when all work is alike."""


def _shortage(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected shortage of a standard normal law where z is needed beyond what there is."""
    shortage: NDArray[np.float64] = np.exp(-z * z / 2) / math.sqrt(2 * math.pi) + z * ndtr(z)
    return shortage


@dataclass(frozen=True, slots=True)
class CpuPerDevice:
    """CPU that a stream of work uses by the time it has filled one device.

    Attributes:
        mean_milli: thousandths of a core per whole device.
        spread_milli: standard deviation of the same, for one device.
    """

    mean_milli: float
    spread_milli: float

    @classmethod
    def of(cls, mix: SizeMix) -> "CpuPerDevice":
        """Return the moments of a renewal-reward process: rewards are cores, time is device-thousandths."""
        counts = np.array([count for _, count in mix.gpu], dtype=np.float64)
        cores = np.array([shape.cpu_milli for shape, _ in mix.gpu], dtype=np.float64)
        devices = np.array([shape.total_gpu_milli for shape, _ in mix.gpu]) / WHOLE_DEVICE_MILLI
        if not len(counts):
            return cls(0.0, _LEAST_SPREAD)
        mean = float(counts @ cores / (counts @ devices))
        variance = float(counts @ (cores - mean * devices) ** 2 / (counts @ devices))
        return cls(mean, max(math.sqrt(variance), _LEAST_SPREAD))

    def stranded_milli(self, cpu_milli: Amounts, gpu_milli: Amounts) -> NDArray[np.float64]:
        """Return the thousandths of a device that are expected to find no CPU, elementwise.

        The newsvendor's expected shortage of a normal law: filling n devices takes n·mean cores with a variance of
        n·spread², and what is missing is counted in the devices it would have served.

        Args:
            cpu_milli: free thousandths of a core per host.
            gpu_milli: free thousandths of a device per host, all its devices together.
        """
        if self.mean_milli <= 0:
            return np.zeros(np.broadcast_shapes(cpu_milli.shape, gpu_milli.shape))
        devices = np.maximum(gpu_milli, 0) / WHOLE_DEVICE_MILLI
        needed, spread = devices * self.mean_milli, np.maximum(self.spread_milli * np.sqrt(devices), 1e-9)
        z = (needed - cpu_milli) / spread
        shortage = spread * _shortage(z)
        return np.where(devices > 0, shortage / self.mean_milli * WHOLE_DEVICE_MILLI, 0.0)
