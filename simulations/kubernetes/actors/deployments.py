"""The Deployment and ReplicaSet controllers: rollouts within surge and unavailability, and pods in their number."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, floor

import httpx

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, letters, with_condition
from simulations.kubernetes.actors.fitting import is_over
from simulations.kubernetes.actors.mirror import (
    DEPLOYMENTS,
    PODS,
    REPLICA_SETS,
    Sight,
    controller_uid,
    key_of,
    owner_reference,
)
from simulations.kubernetes.rest import path_of

HASH = "pod-template-hash"
COST = "controller.kubernetes.io/pod-deletion-cost"
AVAILABLE = ("MinimumReplicasAvailable", "Deployment has minimum availability.")
UNAVAILABLE = ("MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


@dataclass
class ReplicaSetController:
    """Keeps ReplicaSets at their number of pods."""

    refused: dict[tuple[str, str], str] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Create and delete what is too few or too many."""
        pods: dict[str, list[Json]] = {}
        for pod in sight.all(PODS):
            pods.setdefault(controller_uid(pod), []).append(pod)
        for each in sight.all(REPLICA_SETS):
            if "deletionTimestamp" not in each["metadata"]:
                self._replica_set(sight, each, pods.get(each["metadata"]["uid"], []), now)

    def _replica_set(self, sight: Sight, each: Json, pods: list[Json], now: datetime) -> None:
        active = [pod for pod in pods if not is_over(pod) and "deletionTimestamp" not in pod["metadata"]]
        wanted = each["spec"].get("replicas", 1)
        for pod in sorted(active, key=_first_to_go)[: max(0, len(active) - wanted)]:
            attempt(sight.rest.delete, path_of(pod))
            active.remove(pod)
        for _ in range(wanted - len(active)):
            created = self._create(sight, each)
            if created is None:
                break
            active.append(created)
        else:
            self.refused.pop(key_of(each), None)
        self._write(sight, each, active, len(pods) - len(active), now)

    def _create(self, sight: Sight, each: Json) -> Json | None:
        template, metadata = each["spec"]["template"], each["metadata"]
        made: Json = {word: dict(template["metadata"].get(word) or {}) for word in ("labels", "annotations")}
        made |= {"namespace": metadata["namespace"], "generateName": f"{metadata['name']}-"}
        named = {**made, "ownerReferences": [owner_reference(each)]}
        try:
            return sight.rest.create({"apiVersion": "v1", "kind": "Pod", "metadata": named, "spec": template["spec"]})
        except httpx.HTTPStatusError as error:
            self.refused[key_of(each)] = error.response.json().get("message", "")
            return None

    def _write(self, sight: Sight, each: Json, active: list[Json], ending: int, now: datetime) -> None:
        ready = sum(1 for pod in active if has_condition(pod, "Ready"))
        counts = {"replicas": len(active), "fullyLabeledReplicas": len(active), "readyReplicas": ready}
        counts |= {"availableReplicas": ready, "terminatingReplicas": ending}
        status: Json = {
            word: count for word, count in counts.items() if count or word in {"replicas", "terminatingReplicas"}
        }
        status["observedGeneration"] = each["metadata"]["generation"]
        if message := self.refused.get(key_of(each)):
            made = condition("ReplicaFailure", true=True, now=now, reason="FailedCreate", message=message)
            status["conditions"] = with_condition((each.get("status") or {}).get("conditions") or [], made)
        if status != each.get("status"):
            attempt(sight.rest.replace, each | {"status": status}, "status")


def _first_to_go(pod: Json) -> tuple[bool, bool, int, bool, str, str]:
    """Order pods by who goes first: unbound, not ready, cheap, then young."""
    cost = int((pod["metadata"].get("annotations") or {}).get(COST, 0))
    young = "".join(chr(255 - ord(letter)) for letter in pod["metadata"]["creationTimestamp"])
    unready = not has_condition(pod, "Ready")
    return bool(pod["spec"].get("nodeName")), not unready, cost, unready, young, pod["metadata"]["name"]


@dataclass
class DeploymentController:
    """Rolls Deployments out."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every Deployment one step further."""
        owned: dict[str, list[Json]] = {}
        for each in sight.all(REPLICA_SETS):
            owned.setdefault(controller_uid(each), []).append(each)
        for deployment in sight.all(DEPLOYMENTS):
            if "deletionTimestamp" not in deployment["metadata"] and not deployment["spec"].get("paused"):
                self._deployment(sight, deployment, owned.get(deployment["metadata"]["uid"], []), now)

    def _deployment(self, sight: Sight, deployment: Json, sets: list[Json], now: datetime) -> None:
        mark = letters(json.dumps(deployment["spec"]["template"], sort_keys=True), 10)
        newest = next((each for each in sets if each["metadata"]["labels"].get(HASH) == mark), None)
        older = [each for each in sets if each is not newest]
        if newest is None:
            first = 0 if older else deployment["spec"]["replicas"]
            newest = attempt(sight.rest.create, _replica_set_of(deployment, mark, first))
        if newest is None:
            return
        self._roll(sight, deployment, newest, older)
        self._write(sight, deployment, newest, older, now)

    def _roll(self, sight: Sight, deployment: Json, newest: Json, older: list[Json]) -> None:
        wanted = deployment["spec"]["replicas"]
        surge, short = bounds(deployment, wanted)
        before = sum(each["spec"]["replicas"] for each in older)
        most = wanted + surge if before else wanted
        grown = min(wanted, newest["spec"]["replicas"] + max(0, most - before - newest["spec"]["replicas"]))
        _scale(sight, newest, grown if before else wanted)
        ready = sum((each.get("status") or {}).get("availableReplicas", 0) for each in [newest, *older])
        spare = max(0, ready - (wanted - short))
        for each in older:
            unready = each["spec"]["replicas"] - (each.get("status") or {}).get("availableReplicas", 0)
            fewer = min(each["spec"]["replicas"], max(0, unready) + spare)
            spare -= max(0, fewer - max(0, unready))
            _scale(sight, each, each["spec"]["replicas"] - fewer)

    def _write(self, sight: Sight, deployment: Json, newest: Json, older: list[Json], now: datetime) -> None:
        parts = [each.get("status") or {} for each in [newest, *older]]
        wanted, ready = deployment["spec"]["replicas"], sum(part.get("availableReplicas", 0) for part in parts)
        counts = {"replicas": sum(part.get("replicas", 0) for part in parts), "readyReplicas": ready}
        counts |= {"updatedReplicas": parts[0].get("replicas", 0), "availableReplicas": ready}
        counts |= {"unavailableReplicas": max(0, wanted - ready)}
        status: Json = {word: count for word, count in counts.items() if count}
        status |= {"terminatingReplicas": sum(part.get("terminatingReplicas", 0) for part in parts)}
        status |= {"observedGeneration": deployment["metadata"]["generation"]}
        status["conditions"] = _conditions(
            deployment, newest, parts, now, done=counts["updatedReplicas"] == ready == wanted
        )
        if status != deployment.get("status"):
            attempt(sight.rest.replace, deployment | {"status": status}, "status")


def _conditions(deployment: Json, newest: Json, parts: list[Json], now: datetime, *, done: bool) -> list[Json]:
    short = bounds(deployment, deployment["spec"]["replicas"])[1]
    enough = sum(part.get("availableReplicas", 0) for part in parts) >= deployment["spec"]["replicas"] - short
    reason, message = AVAILABLE if enough else UNAVAILABLE
    conditions = (deployment.get("status") or {}).get("conditions") or []
    conditions = with_condition(
        conditions, condition("Available", true=enough, now=now, reason=reason, message=message)
    )
    name = newest["metadata"]["name"]
    words = f'ReplicaSet "{name}" {"has successfully progressed" if done else "is progressing"}.'
    reason = "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"
    conditions = with_condition(conditions, condition("Progressing", true=True, now=now, reason=reason, message=words))
    failing = next(
        (each for part in parts for each in part.get("conditions") or [] if each["type"] == "ReplicaFailure"), None
    )
    conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    return [*conditions, failing] if failing else conditions


def bounds(deployment: Json, wanted: int) -> tuple[int, int]:
    """Return how many pods a rollout may have too many and too few."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, up=True)
    short = _share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return (surge, short) if surge or short else (0, 1)


def _share(text: str | int, wanted: int, *, up: bool) -> int:
    if isinstance(text, int):
        return text
    part = wanted * int(text.removesuffix("%")) / 100
    return ceil(part) if up else floor(part)


def _scale(sight: Sight, each: Json, replicas: int) -> None:
    if each["spec"]["replicas"] != replicas:
        changed = attempt(sight.rest.patch, path_of(each), {"spec": {"replicas": replicas}})
        if changed is not None:
            each["spec"]["replicas"] = replicas


def _replica_set_of(deployment: Json, mark: str, replicas: int) -> Json:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    labels = {**(template["metadata"].get("labels") or {}), HASH: mark}
    selector = deployment["spec"]["selector"]
    made = {"name": f"{metadata['name']}-{mark}", "namespace": metadata["namespace"], "labels": labels}
    spec = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: mark}},
        "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
    }
    owned = {**made, "ownerReferences": [owner_reference(deployment)]}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": owned, "spec": spec}
