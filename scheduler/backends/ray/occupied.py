"""What Ray's nodes have in use beyond what is known of: other people's actors and tasks, see `Observation.occupied`."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.names import MIB
from scheduler.backends.ray.strangers import Group
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Held, Shape, Slot

STEADY_S: Final = 3.0
"""What is in use for less is what ours takes or leaves just now: Ray's figures are up to a second old."""
Amounts: TypeAlias = tuple[int, int, int]
"""Thousandths of a core, MiB, thousandths of a device."""
NOTHING: Final[Amounts] = (0, 0, 0)


def beyond(nodes: Iterable[Mapping[str, Any]], groups: Sequence[Group], known: Iterable[Held], fleet: Fleet) -> dict[
    str, Amounts
]:  # fmt: skip
    """Return by host what is in use and belongs to nothing that is known.

    Args:
        nodes: as the driver lists them, with what each has `Free`.
        groups: all placement groups; what is kept for a bundle is in use.
        known: what is held outside of them: by our replicas and by other applications.
        fleet: the hosts.
    """
    left = {fleet.names[node["NodeID"]]: _in_use(node) for node in nodes if node.get("NodeID") in fleet.names}
    bundles = ((fleet.names.get(node, ""), _amounts(kept)) for group in groups for node, kept in group["bundles"])
    for host, amounts in (*bundles, *((slot.host, _asked(shape)) for slot, shape in known)):
        if host in left:
            left[host] = _less(left[host], amounts)
    return {host: amounts for host, amounts in left.items() if amounts != NOTHING}


@dataclass(slots=True)
class Occupied:
    """Remembers what was in use lately, so that only what lasts is shown, and as the same objects while it does."""

    _looks: deque[tuple[float, Mapping[str, Amounts]]] = field(default_factory=deque)
    _shown: dict[str, tuple[Held, ...]] = field(default_factory=dict)

    def seen(self, at_s: float, now: Mapping[str, Amounts], taken: Iterable[Held], fleet: Fleet) -> tuple[Held, ...]:
        """Return the room that other work takes.

        Args:
            at_s: monotonic seconds.
            now: as `beyond` returns it.
            taken: the room of all that is known; other work is shown on devices that have room beside it.
            fleet: the hosts.
        """
        self._looks.append((at_s, now))
        while len(self._looks) > 1 and self._looks[1][0] <= at_s - STEADY_S:
            self._looks.popleft()
        free = _free(taken, fleet)
        held = {host: tuple(_held(host, amounts, free[host])) for host, amounts in sorted(self._steady())}
        self._shown = {host: self._shown[host] if self._shown.get(host) == one else one for host, one in held.items()}
        return tuple(each for some in self._shown.values() for each in some)

    def _steady(self) -> Iterator[tuple[str, Amounts]]:
        for host in self._looks[-1][1]:
            cpu, memory, gpu = zip(*(amounts.get(host, NOTHING) for _, amounts in self._looks), strict=True)
            least = (min(cpu), min(memory), min(gpu))
            if least != NOTHING:
                yield host, least


def _held(host: str, amounts: Amounts, free: dict[int, int]) -> Iterator[Held]:
    """Yield the slots of other work: whole devices with all CPU and memory, then parts of devices; the last first."""
    cpu, memory, gpu = amounts
    parts = list[tuple[int, int]]()
    for device in sorted(free, reverse=True):
        part = min(gpu, free[device])
        if part:
            parts.append((device, part))
            gpu -= part
    whole = tuple(sorted(device for device, part in parts if part == WHOLE_DEVICE_MILLI))
    shares = sorted((device, part) for device, part in parts if part != WHOLE_DEVICE_MILLI)
    if cpu or memory or whole:
        yield Slot(host, whole), Shape(cpu, memory, len(whole))
    yield from ((Slot(host, (device,)), Shape(gpu_count=1, gpu_milli=part)) for device, part in shares)


def _free(taken: Iterable[Held], fleet: Fleet) -> dict[str, dict[int, int]]:
    free = {host.name: {device.index: WHOLE_DEVICE_MILLI for device in host.devices} for host in fleet.hosts}
    for slot, shape in taken:
        for device in slot.devices if slot.host in free else ():
            free[slot.host][device] = max(0, free[slot.host].get(device, 0) - shape.gpu_milli)
    return free


def _in_use(node: Mapping[str, Any]) -> Amounts:
    return _less(_amounts(node["Resources"]), _amounts(node["Free"]))


def _amounts(resources: Mapping[str, float]) -> Amounts:
    return (
        round(resources.get("CPU", 0) * 1000),
        int(resources.get("memory", 0)) // MIB,
        round(resources.get("GPU", 0) * WHOLE_DEVICE_MILLI),
    )


def _asked(shape: Shape) -> Amounts:
    return shape.cpu_milli, shape.memory_mib, shape.total_gpu_milli


def _less(some: Amounts, other: Amounts) -> Amounts:
    return max(0, some[0] - other[0]), max(0, some[1] - other[1]), max(0, some[2] - other[2])
