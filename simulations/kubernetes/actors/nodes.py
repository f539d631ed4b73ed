"""The node controllers: taints of cordoned and unready nodes, evictions after a while, pods of nodes that are gone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, when, with_condition
from simulations.kubernetes.actors.fitting import CORDON, tolerates
from simulations.kubernetes.actors.mirror import LEASES, NODES, PODS, Sight
from simulations.kubernetes.rest import path_of

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
SILENT_FOR_S = 50.0
GONE_FOR_S = 60.0
OURS = {NOT_READY, UNREACHABLE, CORDON}


@dataclass
class NodeController:
    """Watches over nodes; silence is noticed only of nodes that ever had a Lease."""

    missing_since: dict[str, datetime] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Look at every node once, then at the pods on those that are not well."""
        nodes = {node["metadata"]["name"]: node for node in sight.all(NODES)}
        leases = {each["metadata"]["name"]: each for each in sight.all(LEASES) if _of_a_node(each)}
        for name, node in nodes.items():
            self._node(sight, node, leases.get(name), now)
        for pod in sight.all(PODS):
            name = pod["spec"].get("nodeName")
            if name and name not in nodes:
                self._orphan(sight, pod, name, now)
            elif name:
                _evict(sight, pod, nodes[name], now)

    def _node(self, sight: Sight, node: Json, lease: Json | None, now: datetime) -> None:
        silent = lease is not None and now - when(lease["spec"]["renewTime"]) >= timedelta(seconds=SILENT_FOR_S)
        if silent and not _is_unknown(node):
            _lose(sight, node, now)
            return
        if not silent and _is_unknown(node) and lease is not None:
            ready = condition(
                "Ready", true=True, now=now, reason="KubeletReady", message="kubelet is posting ready status"
            )
            _conditions(sight, node, ready)
            return
        _taint(sight, node, now)

    def _orphan(self, sight: Sight, pod: Json, name: str, now: datetime) -> None:
        """Take the pods of a node away that has been gone for a while."""
        since = self.missing_since.setdefault(name, now)
        if now - since >= timedelta(seconds=GONE_FOR_S):
            attempt(sight.rest.delete, path_of(pod), gracePeriodSeconds=0)


def _of_a_node(lease: Json) -> bool:
    return bool(lease["metadata"]["namespace"] == "kube-node-lease")


def _is_unknown(node: Json) -> bool:
    return any(
        each["type"] == "Ready" and each["status"] == "Unknown" for each in node["status"].get("conditions") or []
    )


def _conditions(sight: Sight, node: Json, made: Json) -> None:
    conditions = with_condition(node["status"].get("conditions") or [], made)
    attempt(sight.rest.patch, path_of(node, "status"), {"status": {"conditions": conditions}})


def _lose(sight: Sight, node: Json, now: datetime) -> None:
    words = "Kubelet stopped posting node status."
    made = condition("Ready", true=False, now=now, reason="NodeStatusUnknown", message=words) | {"status": "Unknown"}
    _conditions(sight, node, made)
    for pod in sight.all(PODS):
        if pod["spec"].get("nodeName") == node["metadata"]["name"] and has_condition(pod, "Ready"):
            made = condition("Ready", true=False, now=now)
            attempt(sight.rest.patch, path_of(pod, "status"), {"status": {"conditions": [made]}}, "strategic")


def _taint(sight: Sight, node: Json, now: datetime) -> None:
    """Give a node the taints of its state, and take those of another state away."""
    wanted: list[tuple[str, str]] = [(CORDON, "NoSchedule")] if node["spec"].get("unschedulable") else []
    if _is_unknown(node):
        wanted += [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    elif not has_condition(node, "Ready"):
        wanted += [(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")]
    have = node["spec"].get("taints") or []
    kept = [taint for taint in have if taint["key"] not in OURS or (taint["key"], taint["effect"]) in wanted]
    there = {(taint["key"], taint["effect"]) for taint in kept}
    stamped = {"timeAdded": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    added = [{"key": key, "effect": effect, **stamped} for key, effect in wanted if (key, effect) not in there]
    if kept + added != have:
        attempt(sight.rest.patch, path_of(node), {"spec": {"taints": kept + added or None}})


def _evict(sight: Sight, pod: Json, node: Json, now: datetime) -> None:
    """Delete a pod that does not tolerate a NoExecute taint, or tolerated it for as long as it said."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint["effect"] == "NoExecute"]
    if "deletionTimestamp" in pod["metadata"]:
        if any(taint["key"] == OUT_OF_SERVICE for taint in taints):
            attempt(sight.rest.delete, path_of(pod), gracePeriodSeconds=0)
        return
    if any(_is_due(pod, taint, now) for taint in taints):
        words = "Taint manager: deleting due to NoExecute taint"
        made = condition("DisruptionTarget", true=True, now=now, reason="DeletionByTaintManager", message=words)
        attempt(sight.rest.patch, path_of(pod, "status"), {"status": {"conditions": [made]}}, "strategic")
        attempt(sight.rest.delete, path_of(pod))


def _is_due(pod: Json, taint: Json, now: datetime) -> bool:
    taking = [each for each in pod["spec"].get("tolerations") or [] if tolerates([each], taint)]
    if not taking:
        return True
    seconds = [each["tolerationSeconds"] for each in taking if each.get("tolerationSeconds") is not None]
    if not seconds or "timeAdded" not in taint:
        return False
    return now - when(taint["timeAdded"]) >= timedelta(seconds=min(seconds))
