"""Pods, cut down to what is read of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts, pod_amounts
from scheduler.backends.kubernetes.connection import Object
from scheduler.backends.kubernetes.reflector import key_of, version_of
from scheduler.backends.kubernetes.times import seconds

READ: Final = ("headroom/", "controller.kubernetes.io/", "batch.kubernetes.io/", "serving.")
"""How the annotations begin that are kept."""
OVER: Final = frozenset({"Succeeded", "Failed"})


class Owner(NamedTuple):
    """The controller of an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""


NOBODY: Final = Owner()


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        uid: never used twice.
        namespace: where it is.
        name: its name.
        requests: what it takes of its host.
        labels: all of them.
        annotations: those that are read, see `READ`.
        has_annotations: whether it has any at all.
        owner: its controller.
        node: the host it is bound to; "" while it is not.
        phase: as Kubernetes says.
        is_ready: whether it is.
        is_going: whether it was deleted and is there still.
        gates: what keeps it from being scheduled.
        node_selector: (key, value) pairs.
        created_s: epoch seconds.
        grace_s: how long it may take to end.
        unscheduled: why kube-scheduler finds no host; "" when it does, or has not looked yet.
        trouble: why a container waits or has ended; "" where none does.
    """

    key: str
    version: int
    uid: str
    namespace: str
    name: str
    requests: Amounts = NOTHING
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    has_annotations: bool = False
    owner: Owner = NOBODY
    node: str = ""
    phase: str = "Pending"
    is_ready: bool = False
    is_going: bool = False
    gates: tuple[str, ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    created_s: float = 0.0
    grace_s: float = 30.0
    unscheduled: str = ""
    trouble: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended and holds nothing."""
        return self.phase in OVER

    @property
    def holds_room(self) -> bool:
        """Whether it takes room on a host."""
        return bool(self.node) and not self.is_over


def cut_pod(content: Object) -> Pod:
    """Keep what is read of a pod."""
    metadata, spec, status = content["metadata"], content.get("spec") or {}, content.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    scheduled = conditions.get("PodScheduled") or {}
    statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return Pod(
        key=key_of(content),
        version=version_of(content),
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        requests=pod_amounts(spec, statuses, refused=_is_refused(status, conditions)),
        labels=metadata.get("labels") or {},
        annotations=kept_annotations(metadata),
        has_annotations=bool(metadata.get("annotations")),
        owner=owner_of(metadata),
        node=spec.get("nodeName") or "",
        phase=status.get("phase") or "Pending",
        is_ready=(conditions.get("Ready") or {}).get("status") == "True",
        is_going="deletionTimestamp" in metadata,
        gates=tuple(gate["name"] for gate in spec.get("schedulingGates") or ()),
        node_selector=tuple(sorted((spec.get("nodeSelector") or {}).items())),
        created_s=seconds(metadata.get("creationTimestamp")),
        grace_s=float(spec.get("terminationGracePeriodSeconds", 30)),
        unscheduled=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else "",
        trouble=_trouble(statuses, status),
    )


def kept_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations that are read."""
    return {key: text for key, text in (metadata.get("annotations") or {}).items() if key.startswith(READ)}


def owner_of(metadata: Mapping[str, Any]) -> Owner:
    """Return the controller of an object."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return Owner(owner["kind"], owner["name"], owner["uid"])
    return Owner()


def _is_refused(status: Mapping[str, Any], conditions: Mapping[str, Mapping[str, Any]]) -> bool:
    pending = conditions.get("PodResizePending") or {}
    return status.get("resize") == "Infeasible" or pending.get("reason") == "Infeasible"


def _trouble(statuses: Iterable[Mapping[str, Any]], status: Mapping[str, Any]) -> str:
    for each in statuses:
        state = each.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
            return f"{each['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()
        if ended.get("exitCode"):
            said = ended.get("message") or ended.get("reason") or ""
            return f"{each['name']} ended with code {ended['exitCode']} {said}".strip()
    return " ".join(part for part in (status.get("reason", ""), status.get("message", "")) if part)
