"""What a pod of a service asks for, as the section `resources` of a model writes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.amounts import pod_amounts
from scheduler.backends.kubernetes.devices import is_part_name, model_of

Object = Mapping[str, Any]

USUAL: Final = frozenset({"amd.com/gpu", "nvidia.com/gpu"})
"""Resources that are devices where a configuration does not say which are."""
DEVICES: Final = ("amd.com/", "nvidia.com/", "gpu.intel.com/", "habana.ai/")
"""Whose device plugins name their resources so."""
KIB: Final = 2**10
MILLI: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pod asks for.

    Attributes:
        resources: the section.
        remarks: sentences about what it does not say, or what is not taken over.

    Where its pods may go is not written down: the workload says so, as it is at any time.
    """

    resources: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def asked_by(pod: Object, containers: Sequence[Object]) -> Asked:
    """Return what a pod with these containers asks for; a container's limit is its request where it has none."""
    total = pod_amounts({**pod, "containers": containers})
    resources: dict[str, Any] = {}
    if total.cpu_milli:
        resources["cpus"] = _plain(total.cpu_milli / MILLI)
    if total.memory_mib:
        resources["memory"] = _size(total.memory_mib)
    if count := sum(count for name, count in total.devices if is_device(name)):
        resources["gpus"] = count
    absent = [what for what, amount in (("cpu", total.cpu_milli), ("memory", total.memory_mib)) if not amount]
    remarks = [f"asks for no {what}" for what in absent]
    remarks += [said for name, _ in total.devices for said in _said_of(name)]
    if model := model_of(pod.get("nodeSelector") or {}):
        resources["gpu_model"] = model
    return Asked(resources, tuple(remarks))


def is_device(resource: str) -> bool:
    """Whether a resource stands for devices, or parts of them."""
    return resource.startswith(DEVICES)


def _said_of(resource: str) -> Iterable[str]:
    if not is_device(resource):
        yield f"{resource} is no device that Headroom knows"
    elif resource not in USUAL:
        yield f"{resource} must stand in backend.devices"
    if is_part_name(resource):
        yield f"{resource} is a part of a device: say its gpu_memory"


def _size(mib: int) -> str:
    return f"{mib}Mi" if mib % KIB else f"{mib // KIB}Gi"


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number
