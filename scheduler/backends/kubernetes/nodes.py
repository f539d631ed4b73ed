"""Nodes, cut down to what is read of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts
from scheduler.backends.kubernetes.connection import Object
from scheduler.backends.kubernetes.pods import kept_annotations
from scheduler.backends.kubernetes.quantities import at_most
from scheduler.backends.kubernetes.reflector import version_of
from scheduler.backends.kubernetes.times import seconds

HOSTNAME: Final = "kubernetes.io/hostname"
"""Label by which pods are pinned."""
KEEPS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})
"""Effects of taints that keep pods from a node."""
STATES: Final = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/unschedulable",
    "node.kubernetes.io/network-unavailable",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.cloudprovider.kubernetes.io/uninitialized",
)
"""Taints that say how a node is at the moment, rather than whom it is for."""


class Taint(NamedTuple):
    """Whom a node is not for."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node.

    Attributes:
        key: its name.
        version: its resourceVersion.
        allocatable: what its pods may take together.
        pods: how many they may be.
        labels: all of them.
        annotations: ours.
        taints: those that keep pods off and are not about its state.
        trouble: taints that are; "" where there are none that keep pods off.
        is_unschedulable: whether somebody cordoned it.
        is_ready: whether its kubelet says that it is well.
        ready_since_s: since when that is so, or not so; epoch seconds.
        why: what is wrong, in the cluster's words; "" when it is ready.
    """

    key: str
    version: int
    allocatable: Amounts = NOTHING
    pods: int = 110
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    trouble: str = ""
    is_unschedulable: bool = False
    is_ready: bool = True
    ready_since_s: float = 0.0
    why: str = ""

    @property
    def hostname(self) -> str:
        """The value of the label by which pods are pinned to it."""
        return self.labels.get(HOSTNAME, self.key)


def cut_node(content: Object) -> Node:
    """Keep what is read of a node: heartbeats, images and addresses are not."""
    metadata, spec, status = content["metadata"], content.get("spec") or {}, content.get("status") or {}
    ready: Mapping[str, Any] = next((each for each in status.get("conditions") or () if each["type"] == "Ready"), {})
    there = dict(status.get("allocatable") or {})
    taints = [Taint(t["key"], t.get("value", ""), t["effect"]) for t in spec.get("taints") or ()]
    binding = [taint for taint in taints if taint.effect in KEEPS_OFF]
    is_ready = ready.get("status") == "True"
    return Node(
        key=metadata["name"],
        version=version_of(content),
        pods=at_most(there.pop("pods", "0")),
        allocatable=Amounts.there(there),
        labels=metadata.get("labels") or {},
        annotations=kept_annotations(metadata),
        taints=tuple(sorted(taint for taint in binding if taint.key not in STATES)),
        trouble=", ".join(sorted({taint.key for taint in binding if taint.key in STATES[3:]})),
        is_unschedulable=bool(spec.get("unschedulable")),
        is_ready=is_ready,
        ready_since_s=seconds(ready.get("lastTransitionTime")),
        why="" if is_ready else str(ready.get("message") or "its kubelet has not said that it is ready"),
    )
