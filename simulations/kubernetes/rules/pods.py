"""Pods: defaults, status at creation, and what may change when: gates only go, selectors only grow while gated."""

import json
from copy import deepcopy
from typing import Any

from simulations.kubernetes.failures import Cause, Json, forbidden_change, invalid_value, required
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.quantities import value
from simulations.kubernetes.rules.affinity import affinity_causes
from simulations.kubernetes.rules.base import Rules, setdefaults
from simulations.kubernetes.rules.templates import fill_pod_spec

COST = "controller.kubernetes.io/pod-deletion-cost"
GATED = "Scheduling is blocked due to non-empty scheduling gates"
FEW_FIELDS = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
ONLY_GROWS = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"


def fill(body: Json) -> None:
    """Fill in a pod's defaults; requests follow limits."""
    spec = body.setdefault("spec", {})
    fill_pod_spec(spec)
    setdefaults(spec, enableServiceLinks=True)
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    for condition in (body.get("status") or {}).get("conditions") or []:
        condition.setdefault("lastProbeTime", None)
        condition.setdefault("lastTransitionTime", None)
    for word in ("schedulingGates", "nodeSelector", "tolerations"):
        if not spec.get(word):
            spec.pop(word, None)


def create(body: Json, around: Surroundings) -> None:
    """Give a new pod its status: pending, gated or not."""
    spec = body["spec"]
    spec.pop("schedulingGroup", None)
    body["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}
    if spec.get("schedulingGates"):
        condition = {"type": "PodScheduled", "status": "False", "lastProbeTime": None}
        condition |= {"lastTransitionTime": around.stamp(), "reason": "SchedulingGated", "message": GATED}
        body["status"]["conditions"] = [condition]


def qos_class(spec: Json) -> str:
    """Return the class by which a kubelet would evict."""
    containers = [*spec.get("containers", []), *(spec.get("initContainers") or [])]
    amounts = [_counted(container["resources"]) for container in containers]
    if not any(requests or limits for requests, limits in amounts):
        return "BestEffort"
    even = all(set(limits) == {"cpu", "memory"} and requests == limits for requests, limits in amounts)
    return "Guaranteed" if even else "Burstable"


def _counted(resources: Json) -> tuple[dict[str, Any], dict[str, Any]]:
    words = ("requests", "limits")
    requests, limits = (
        {name: value(amount) for name, amount in (resources.get(word) or {}).items() if name in {"cpu", "memory"}}
        for word in words
    )
    return requests, limits


def check(body: Json) -> list[Cause]:
    """Return what is wrong with a new pod."""
    spec = body["spec"]
    causes = [] if spec.get("containers") else [required("spec.containers")]
    for place, container in enumerate(spec.get("containers") or []):
        missing = [word for word in ("name", "image") if not container.get(word)]
        causes += [required(f"spec.containers[{place}].{word}") for word in missing]
    if spec.get("nodeName") and spec.get("schedulingGates"):
        causes.append(forbidden_change("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
    return causes + _cost_causes(body) + resource_causes(spec, "spec")


def _cost_causes(body: Json) -> list[Cause]:
    cost = (body["metadata"].get("annotations") or {}).get(COST)
    if cost is None or cost.removeprefix("-").isdigit():
        return []
    return [invalid_value(f"metadata.annotations[{COST}]", f'"{cost}"', "must be a 32bit integer")]


def resource_causes(spec: Json, where: str) -> list[Cause]:
    """Return the containers that request more than their limit."""
    causes = []
    for place, container in enumerate(spec.get("containers") or []):
        resources = container.get("resources") or {}
        limits = resources.get("limits") or {}
        for name, amount in (resources.get("requests") or {}).items():
            if name in limits and value(amount) > value(limits[name]):
                why = f"must be less than or equal to {name} limit of {limits[name]}"
                field = f"{where}.containers[{place}].resources.requests"
                causes.append(invalid_value(field, f'"{amount}"', why))
    return causes


def check_update(new: Json, old: Json) -> list[Cause]:
    """Return what a change of a pod breaks."""
    causes = _cost_causes(new) * 2 + _gate_causes(new["spec"], old["spec"])
    munged, before = deepcopy(new["spec"]), old["spec"]
    for word in ("containers", "initContainers"):
        for mine, theirs in zip(munged.get(word) or [], before.get(word) or [], strict=False):
            mine["image"] = theirs.get("image")
    for word in ("activeDeadlineSeconds", "schedulingGates"):
        _restore(munged, before, word)
    if (munged.get("tolerations") or [])[: len(before.get("tolerations") or [])] == (before.get("tolerations") or []):
        _restore(munged, before, "tolerations")
    if before.get("schedulingGates"):
        causes += _selector_causes(munged, before) + affinity_causes(munged, before)
        _restore(munged, before, "nodeSelector")
        _restore(munged, before, "affinity")
    return causes if munged == before else [*causes, forbidden_change("spec", FEW_FIELDS)]


def _restore(munged: Json, before: Json, word: str) -> None:
    if word in before:
        munged[word] = before[word]
    else:
        munged.pop(word, None)


def _gate_causes(new: Json, old: Json) -> list[Cause]:
    known = {gate.get("name", "") for gate in old.get("schedulingGates") or []}
    return [
        forbidden_change(
            f"spec.schedulingGates[{place}].name",
            f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'",
        )
        for place, gate in enumerate(new.get("schedulingGates") or [])
        if gate.get("name", "") not in known
    ]


def _selector_causes(new: Json, old: Json) -> list[Cause]:
    mine, theirs = new.get("nodeSelector"), old.get("nodeSelector") or {}
    if all((mine or {}).get(key) == each for key, each in theirs.items()):
        return []
    shown = json.dumps(mine, separators=(",", ":"), sort_keys=True)
    return [invalid_value("spec.nodeSelector", shown, ONLY_GROWS)]


def update(new: Json, old: Json) -> None:
    """Keep the status, and what the server filled in, at an update of the object."""
    new["status"] = old.get("status", {})


PODS = Rules(fill, create, update, check, check_update, metadata_checks=4)
