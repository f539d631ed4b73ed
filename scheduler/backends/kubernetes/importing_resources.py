"""What a pod of a service asks for, as the section `resources` of a model writes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, Final

from kubernetes.utils.quantity import parse_quantity

Object = Mapping[str, Any]

DEVICES: Final = ("amd.com/", "nvidia.com/", "gpu.intel.com/", "habana.ai/")
"""Whose device plugins name their resources so."""
WHOLE: Final = frozenset({"amd.com/gpu", "nvidia.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "habana.ai/gaudi"})
"""Resources of which one is a whole device."""
MODEL_LABELS: Final = ("amd.com/gpu.product-name", "nvidia.com/gpu.product")
"""Labels of nodes that tell the model of their devices."""
HOSTNAME: Final = "kubernetes.io/hostname"
KIB: Final = 2**10
MIB: Final = 2**20


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
    total = _total(containers)
    resources: dict[str, Any] = {}
    remarks = [f"{name} is no device that Headroom knows" for name in total if "/" in name and not is_device(name)]
    if "cpu" in total:
        resources["cpus"] = _plain(total["cpu"])
    if "memory" in total:
        resources["memory"] = _size(ceil(total["memory"] / MIB))
    remarks += [f"asks for no {what}" for what, name in (("cpu", "cpu"), ("memory", "memory")) if name not in total]
    if devices := {name: count for name, count in total.items() if is_device(name) and count}:
        resources["gpus"] = _plain(sum(devices.values(), Decimal(0)))
        remarks += [f"{name} is a part of a device: say its gpu_memory" for name in devices if name not in WHOLE]
    placed = _placed(pod)
    return Asked({**resources, **placed.resources}, (*remarks, *placed.remarks))


def is_device(resource: str) -> bool:
    """Whether a resource stands for devices, or parts of them."""
    return resource.startswith(DEVICES)


def _total(containers: Iterable[Object]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        wants = container.get("resources") or {}
        for name, quantity in {**(wants.get("limits") or {}), **(wants.get("requests") or {})}.items():
            total[name] = total.get(name, Decimal(0)) + parse_quantity(quantity)
    return total


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


def _plain(quantity: Decimal) -> int | float:
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)
