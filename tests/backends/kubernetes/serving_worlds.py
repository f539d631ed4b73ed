"""A cluster that serves, written down object by object, and what a server would have been sent."""

from collections.abc import Callable, Iterable
from typing import Any

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.connection import Form
from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.pods import Pod, cut_pod
from scheduler.backends.kubernetes.quota import QUOTAS, cut_quota
from scheduler.backends.kubernetes.serving import Serving
from scheduler.backends.kubernetes.serving_objects import (
    DEPLOYMENTS,
    REPLICA_SETS,
    REVISIONS,
    SERVICES,
    cut_deployment,
    cut_replica_set,
    cut_revision,
    cut_service,
)
from scheduler.control.settings import Declared, Workload
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import ServingModel

CUTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "Pod": ("pods", cut_pod),
    "Deployment": (DEPLOYMENTS, cut_deployment),
    "ReplicaSet": (REPLICA_SETS, cut_replica_set),
    "Revision": (REVISIONS, cut_revision),
    "InferenceService": (SERVICES, cut_service),
    "ResourceQuota": (QUOTAS, cut_quota),
}
SHAPE = Shape(cpu_milli=1000, memory_mib=1024)


def metadata(kind: str, name: str, owner: tuple[str, str] | None = None, **more: Any) -> dict[str, Any]:
    owners = (
        [{"kind": owner[0], "name": owner[1], "uid": f"{owner[0]}-{owner[1]}", "controller": True}] if owner else []
    )
    told = {"name": name, "namespace": "ns", "uid": f"{kind}-{name}", "resourceVersion": "5", "ownerReferences": owners}
    return {**told, **more}


def a_deployment(
    name: str, replicas: int, *, revision: str = "", surge: Any = "25%", failure: str = ""
) -> dict[str, Any]:
    configuration = revision.rpartition("-")[0]
    knative = {"serving.knative.dev/revision": revision, "serving.knative.dev/configuration": configuration}
    conditions = [{"type": "ReplicaFailure", "status": "True", "message": failure}] if failure else []
    return {
        "kind": "Deployment",
        "metadata": metadata("Deployment", name, labels=knative if revision else {}),
        "spec": {"replicas": replicas, "strategy": {"rollingUpdate": {"maxSurge": surge}}},
        "status": {"conditions": conditions},
    }


def a_set(name: str, deployment: str, replicas: int) -> dict[str, Any]:
    return {
        "kind": "ReplicaSet",
        "metadata": metadata("ReplicaSet", name, ("Deployment", deployment)),
        "spec": {"replicas": replicas},
    }


def a_revision(name: str, least: int | None = None, *, ready: bool = True, routing: str = "active") -> dict[str, Any]:
    labels = {"serving.knative.dev/configuration": name.rpartition("-")[0], "serving.knative.dev/routingState": routing}
    notes = {} if least is None else {"autoscaling.knative.dev/min-scale": str(least)}
    return {
        "kind": "Revision",
        "metadata": metadata("Revision", name, labels=labels, annotations=notes),
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def a_service(name: str, *, mode: str = "", scaler: str = "") -> dict[str, Any]:
    notes = {"serving.kserve.io/deploymentMode": mode, "serving.kserve.io/autoscalerClass": scaler}
    kept = {key: text for key, text in notes.items() if text}
    return {"kind": "InferenceService", "metadata": metadata("InferenceService", name, annotations=kept)}


def a_pod(  # noqa: PLR0913  # the states of a pod
    name: str,
    of: str,
    *,
    node: str = "",
    ready: bool = True,
    going: bool = False,
    first: bool = False,
    why: str = "",
    cpu: str = "1",
) -> dict[str, Any]:
    notes = {"controller.kubernetes.io/pod-deletion-cost": "-1000000"} if first else {}
    told = metadata("Pod", name, ("ReplicaSet", of), annotations=notes, creationTimestamp="2026-11-30T12:00:00Z")
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
    resources = {"requests": {"cpu": cpu, "memory": "1Gi"}}
    return {
        "kind": "Pod",
        "metadata": {**told, **({"deletionTimestamp": "2026-11-30T12:00:00Z"} if going else {})},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": resources}]},
        "status": {
            "phase": "Running" if node else "Pending",
            "conditions": [{"type": "Ready", "status": str(ready and bool(node))}, *([unscheduled] if why else [])],
        },
    }


def caches_of(*objects: Any, hosts: Iterable[str | Node] = ("h1", "h2")) -> Caches:
    parts: dict[str, dict[str, Any]] = {name: {} for name, _ in CUTS.values()}
    for one in objects:
        name, cut = CUTS[one["kind"]]
        if (kept := cut(one)) is not None:
            parts[name][kept.key] = kept
    nodes = [host if isinstance(host, Node) else Node(host, 1) for host in hosts]
    return Caches({**parts, "nodes": {node.key: node for node in nodes}})


class Sent:
    """In place of a connection: keeps what is sent, and answers as a server would that has changed the object."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, Any]] = []

    def patch(self, path: str, body: Any, form: Form = Form.JSON) -> dict[str, Any]:
        assert form is (Form.JSON if path.endswith("/scale") else Form.MERGE)
        self.patches.append((path.partition("/namespaces/ns/")[2], body))
        return {"metadata": {"name": "x", "namespace": "ns", "resourceVersion": str(100 + len(self.patches))}}

    def said(self) -> list[tuple[str, Any]]:
        """Return what was sent since this was asked last: of scales the numbers, of others the annotations."""
        taken, self.patches = self.patches, []
        return [
            (path, body[-1]["value"] if isinstance(body, list) else body["metadata"]["annotations"])
            for path, body in taken
        ]


class Noon:
    """A clock that is set by hand."""

    speed = 1.0

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_s(self) -> float:
        return self.at_s

    def to_world_s(self, wall_s: float) -> float:
        return wall_s

    def sleep(self, duration_s: float) -> None:
        self.at_s += duration_s


def serving_of(kind: str = "Deployment", **more: Any) -> tuple[Serving, Sent, Noon]:
    """Return a serving part with one model "m"."""
    sent, clock = Sent(), Noon()
    model = ServingModel("m", SHAPE, max_replicas=9, **more)
    declared = Declared(model, workload=Workload(kind, "ns", "m"))
    return Serving(sent, [declared], clock), sent, clock  # type: ignore[arg-type]  # the part of it that is used


def seat(pod: Pod) -> Slot:
    return Slot(pod.node)
