"""What a pod of a service asks for, as the section `resources` of a model writes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.amounts import pod_amounts

Object = Mapping[str, Any]

DEVICES: Final = ("amd.com/", "nvidia.com/", "gpu.intel.com/", "habana.ai/")
"""Whose device plugins name their resources so."""
WHOLE: Final = frozenset({"amd.com/gpu", "nvidia.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "habana.ai/gaudi"})
"""Resources of which one is a whole device."""
MODEL_LABELS: Final = ("amd.com/gpu.product-name", "nvidia.com/gpu.product")
"""Labels of nodes that tell the model of their devices."""
HOSTNAME: Final = "kubernetes.io/hostname"
KIB: Final = 2**10
MILLI: Final = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a pod asks for.

    Attributes:
        resources: the section.
        remarks: sentences about what it does not say, or what is not taken over.
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
    placed = _placed(pod)
    return Asked({**resources, **placed.resources}, (*remarks, *placed.remarks))


def is_device(resource: str) -> bool:
    """Whether a resource stands for devices, or parts of them."""
    return resource.startswith(DEVICES)


def _said_of(resource: str) -> Iterable[str]:
    if not is_device(resource):
        yield f"{resource} is no device that Headroom knows"
    elif resource not in WHOLE:
        yield f"{resource} is a part of a device: say its gpu_memory"


def _placed(pod: Object) -> Asked:
    """Return what it says of nodes: their labels are taken over, rules beyond them are not."""
    selector = dict(pod.get("nodeSelector") or {})
    models = [selector.pop(label) for label in MODEL_LABELS if label in selector]
    remarks = [f"pinned to the host {selector.pop(HOSTNAME)}"] if HOSTNAME in selector else []
    resources: dict[str, Any] = {"gpu_model": models[0]} if models else {}
    if selector:
        resources["host_labels"] = selector
    node_rules = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if node_rules:
        hosts = _host_names(node_rules)
        remarks.append(f"pinned to the hosts {', '.join(hosts)}" if hosts else "has rules of node affinity")
    return Asked(resources, tuple(f"{said}: not taken over, kube-scheduler goes by it" for said in remarks))


def _host_names(node_rules: Object) -> list[str]:
    terms = node_rules.get("nodeSelectorTerms") or ()
    rules = [rule for term in terms for rule in (*term.get("matchExpressions", ()), *term.get("matchFields", ()))]
    named = [rule for rule in rules if rule.get("key") in {HOSTNAME, "metadata.name"} and rule.get("operator") == "In"]
    return sorted({str(host) for rule in named for host in rule.get("values", ())})


def _size(mib: int) -> str:
    return f"{mib}Mi" if mib % KIB else f"{mib // KIB}Gi"


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number
