"""Whole-unit quantities: what one worker or replica asks for, and which devices it got.

Units are part of every name: `cpu_milli` (1000 = one core), `memory_mib` (2**20 bytes), `gpu_milli` (1000 = one
whole device). Everything is an integer; a scheduler that adds floats oversubscribes sooner or later.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

WHOLE_DEVICE_MILLI = 1000
"""One whole device, in thousandths of a device."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one worker of a gang, or one replica of a model, needs on a single host.

    Several devices are always whole ones; a fraction (`gpu_milli` < 1000) is a share of exactly one device.

    Attributes:
        cpu_milli: thousandths of a core.
        memory_mib: host memory in MiB.
        gpu_count: devices; 0 for CPU-only work.
        gpu_milli: share of each device, 1 to 1000; 1000 when `gpu_count` is not 1.
        gpu_models: GPU models that will do; empty means any.
        device_memory_mib: least memory a device (or partition of one) must have; 0 means any.
        host_labels: (key, value) pairs the host must carry, sorted.
    """

    cpu_milli: int = 0
    memory_mib: int = 0
    gpu_count: int = 0
    gpu_milli: int = WHOLE_DEVICE_MILLI
    gpu_models: frozenset[str] = frozenset()
    device_memory_mib: int = 0
    host_labels: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Refuse sizes that mean nothing.

        Raises:
            ValueError: a negative size, a share outside 1 to 1000, or a share of more than one device.
        """
        if min(self.cpu_milli, self.memory_mib, self.gpu_count, self.device_memory_mib) < 0:
            msg = f"negative size in {self}"
            raise ValueError(msg)
        if not 1 <= self.gpu_milli <= WHOLE_DEVICE_MILLI:
            msg = f"gpu_milli is {self.gpu_milli}, not between 1 and {WHOLE_DEVICE_MILLI}"
            raise ValueError(msg)
        if self.gpu_count > 1 and self.gpu_milli != WHOLE_DEVICE_MILLI:
            msg = f"{self.gpu_count} devices must be whole, not {self.gpu_milli} thousandths each"
            raise ValueError(msg)

    @property
    def total_gpu_milli(self) -> int:
        """Thousandths of a device over all devices asked for."""
        return self.gpu_count * self.gpu_milli


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """Room for one worker or replica: a host and the indices of its devices, ascending."""

    host: str
    devices: tuple[int, ...] = ()


Held: TypeAlias = tuple[Slot, Shape]
"""Room that is held: where, and how much of it."""


def slots_without(slots: Iterable[Slot], some: Iterable[Slot]) -> tuple[Slot, ...]:
    """Return slots without some of them, each once for each; workers that share a device, or have none, have equals."""
    left, kept = Counter(some), []
    for slot in slots:
        if left[slot]:
            left[slot] -= 1
        else:
            kept.append(slot)
    return tuple(kept)
