"""Hosts and their devices, as the cluster reports them."""

from dataclasses import dataclass
from enum import StrEnum


class HostState(StrEnum):
    """What may be done with a host."""

    READY = "ready"
    """Takes new work."""
    CORDONED = "cordoned"
    """Keeps its work, takes no more."""
    DRAINING = "draining"
    """Its work is moved away."""
    LOST = "lost"
    """Gone, or not heard of for so long that what ran there is given up for gone; silent for less, it is CORDONED."""


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator, or one partition of one, that can be shared in thousandths.

    Attributes:
        index: position on the host, from 0.
        memory_mib: memory of this device, or of this partition, in MiB; 0 when unknown.
        partitions: into how many equal parts the accelerator is cut that this is one of; 1 when it is whole.
    """

    index: int
    memory_mib: int = 0
    partitions: int = 1


def devices_offered(accelerators: int, memory_mib: int, partitions: int = 1) -> tuple[Device, ...]:
    """Return what a host offers whose accelerators are whole, or all cut into as many equal parts.

    Args:
        accelerators: physical ones on the host.
        memory_mib: memory of each accelerator; its parts share it equally. 0 when unknown.
        partitions: parts of each accelerator, at least 1 (an MI300X has modes with 1, 2, 4 and 8).
    """
    return tuple(Device(index, memory_mib // partitions, partitions) for index in range(accelerators * partitions))


@dataclass(frozen=True, slots=True)
class Host:
    """A bare-metal machine with a fixed capacity.

    Attributes:
        name: unique in the cluster.
        cpu_milli: thousandths of a core that work may use.
        memory_mib: memory in MiB that work may use.
        devices: in index order; empty for a CPU host.
        gpu_model: for instance "MI300X"; empty for a CPU host.
        labels: sorted (key, value) pairs.
        state: see `HostState`.
        reason: why it is cordoned, draining or lost, in the words of who did it.
        since_s: when the state began, epoch seconds.
    """

    name: str
    cpu_milli: int
    memory_mib: int
    devices: tuple[Device, ...] = ()
    gpu_model: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    state: HostState = HostState.READY
    reason: str = ""
    since_s: float = 0.0

    @property
    def accelerators(self) -> float:
        """How many physical devices it has; a partition counts as its share of one."""
        return sum(1.0 / device.partitions for device in self.devices)

    @property
    def takes_new_work(self) -> bool:
        """Whether anything may be started here."""
        return self.state is HostState.READY
