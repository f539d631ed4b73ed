"""Binding, eviction and scale: the parts of objects that are no status."""

from collections.abc import Callable
from dataclasses import dataclass

from simulations.kubernetes import failures
from simulations.kubernetes.deleting import Deleter
from simulations.kubernetes.failures import Json, Refused, bad_request
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.selectors import matches_selector
from simulations.kubernetes.store import Entry, Store
from simulations.kubernetes.topology import copy_topology
from simulations.kubernetes.visible import selectable

SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
TWO_BUDGETS = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
NO_BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
BUDGETS = ("policy", "poddisruptionbudgets")
STILL_PROCESSING_S = 10


@dataclass
class Subresources:
    """What is POSTed below a pod."""

    store: Store
    around: Surroundings
    deleter: Deleter

    def bind(self, kind: Kind, entry: Entry, body: Json) -> Answer:
        """Bind a pod to a node; nobody checks capacity, or whether the node is there."""
        pod, name = entry.object(), entry.key[1]
        if (body.get("metadata") or {}).get("uid") not in {None, pod["metadata"]["uid"]}:
            raise failures.conflict(kind, name, self._other_uid(entry, body))
        if "deletionTimestamp" in pod["metadata"]:
            why = f"pod {name} is being deleted, cannot be assigned to a host"
            raise failures.conflict(kind, name, why, sub="binding")
        if pod["spec"].get("nodeName"):
            why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
            raise failures.conflict(kind, name, why, sub="binding")
        if pod["spec"].get("schedulingGates"):
            raise failures.conflict(kind, name, f"pod {name} has non-empty .spec.schedulingGates", sub="binding")
        pod["spec"]["nodeName"] = body["target"]["name"]
        copy_topology(self.store, pod)
        pod["metadata"].setdefault("annotations", {}).update((body.get("metadata") or {}).get("annotations") or {})
        if not pod["metadata"]["annotations"]:
            del pod["metadata"]["annotations"]
        _set_scheduled(pod, self.around.stamp())
        self.store.write(kind.table, entry.key, pod, selectable(kind, pod))
        return Answer(201, SUCCESS)

    def _other_uid(self, entry: Entry, body: Json) -> str:
        mine, theirs = body["metadata"]["uid"], entry.object()["metadata"]["uid"]
        why = f"Precondition failed: UID in precondition: {mine}, UID in object meta: {theirs}"
        place = f"/registry/pods/{entry.key[0]}/{entry.key[1]}"
        return f"StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: {why}"

    def evict(self, kind: Kind, entry: Entry, body: Json, request: Request) -> Answer:
        """Delete a pod as far as its disruption budget lets it go."""
        if (name := (body.get("metadata") or {}).get("name")) not in {None, "", entry.key[1]}:
            del name
            raise bad_request("name in URL does not match name in Eviction object")
        pod = entry.object()
        if pod["spec"].get("nodeName") and pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}:
            self._spend_budget(entry, pod, request)
        if not request.query.get("dryRun"):
            entry = self._mark_evicted(kind, entry, pod)
        self.deleter.delete(kind, entry, body.get("deleteOptions") or {}, request)
        return Answer(201, SUCCESS)

    def _mark_evicted(self, kind: Kind, entry: Entry, pod: Json) -> Entry:
        """Say on the pod why it goes."""
        made = {"type": "DisruptionTarget", "status": "True", "lastProbeTime": None}
        made |= {"lastTransitionTime": self.around.stamp(), "reason": "EvictionByEvictionAPI"}
        kept = [each for each in pod["status"].get("conditions") or [] if each["type"] != "DisruptionTarget"]
        pod["status"]["conditions"] = [*kept, made | {"message": "Eviction API: evicting"}]
        return self.store.write(kind.table, entry.key, pod, selectable(kind, pod))

    def _spend_budget(self, entry: Entry, pod: Json, request: Request) -> None:
        budgets = [each for each in self.store.entries(BUDGETS, entry.key[0]) if _covers(each.object(), pod)]
        if len(budgets) > 1:
            raise Refused(500, "InternalError", TWO_BUDGETS)
        if not budgets:
            return
        budget = budgets[0].object()
        status = budget.setdefault("status", {})
        if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
            raise _over_budget(budget, "is still being processed by the server.")
        if status.get("disruptionsAllowed", 0) < 1:
            raise _over_budget(budget, _shortage(status))
        if not request.query.get("dryRun"):
            status["disruptionsAllowed"] -= 1
            status.setdefault("disruptedPods", {})[entry.key[1]] = self.around.stamp()
            self.store.write(BUDGETS, budgets[0].key, budget, budgets[0].fields)


def _shortage(status: Json) -> str:
    needed, have = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
    if have > needed:
        return "does not allow evicting pods currently"
    return f"needs {needed} healthy pods and has {have} currently"


def _over_budget(budget: Json, why: str) -> Refused:
    message = f"The disruption budget {budget['metadata']['name']} {why}"
    details: Json = {"causes": [{"reason": "DisruptionBudget", "message": message}]}
    if why.startswith("is still"):
        details["retryAfterSeconds"] = STILL_PROCESSING_S
    return Refused(429, "TooManyRequests", NO_BUDGET, details)


def _covers(budget: Json, pod: Json) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    return matches_selector(selector, pod["metadata"].get("labels") or {})


def _set_scheduled(pod: Json, stamp: str) -> None:
    conditions = [each for each in pod["status"].get("conditions") or [] if each["type"] != "PodScheduled"]
    made = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
    pod["status"]["conditions"] = [*conditions, made]


def scale_of(body: Json) -> Json:
    """Return an object's scale as its subresource shows it."""
    metadata = body["metadata"]
    kept = {word: metadata[word] for word in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")}
    labels = (body["spec"].get("selector") or {}).get("matchLabels") or {}
    status = {"replicas": (body.get("status") or {}).get("replicas", 0)}
    if labels:
        status["selector"] = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    spec = {"replicas": body["spec"]["replicas"]} if body["spec"].get("replicas") else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status}


def rescale(old: Json, change: Callable[[Json], Json]) -> Json:
    """Return an object with the replicas of a changed scale; refuse a negative number."""
    scale = change(scale_of(old))
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        cause = failures.invalid_value("spec.replicas", str(replicas), "must be greater than or equal to 0")
        raise failures.invalid("autoscaling", "Scale", old["metadata"]["name"], [cause])
    new: Json = old | {"spec": old["spec"] | {"replicas": replicas}}
    new["metadata"] = dict(old["metadata"])
    version = (scale.get("metadata") or {}).get("resourceVersion")
    new["metadata"]["resourceVersion"] = version or old["metadata"]["resourceVersion"]
    return new
