"""Knative Serving as far as it decides how many pods there are: Services into Revisions, which scale and end."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, when, with_condition
from simulations.kubernetes.actors.mirror import (
    AUTOSCALERS,
    DEPLOYMENTS,
    REVISIONS,
    SERVICES,
    Sight,
    controller_uid,
    owner_reference,
)
from simulations.kubernetes.rest import path_of

GROUP = "serving.knative.dev/"
SCALING = "autoscaling.knative.dev/"
ROUTING = "serving.knative.dev/routingState"
PROGRESS_DEADLINE_S = 600


@dataclass
class ServiceController:
    """Makes a Revision of every new template and sends the traffic to the newest that is ready."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every Service one step further."""
        revisions: dict[str, list[Json]] = {}
        for each in sight.all(REVISIONS):
            revisions.setdefault(controller_uid(each), []).append(each)
        for service in sight.all(SERVICES):
            if "deletionTimestamp" not in service["metadata"]:
                self._service(sight, service, revisions.get(service["metadata"]["uid"], []), now)

    def _service(self, sight: Sight, service: Json, revisions: list[Json], now: datetime) -> None:
        generation = str(service["metadata"]["generation"])
        newest = next((each for each in revisions if _label(each, "configurationGeneration") == generation), None)
        if newest is None:
            newest = attempt(sight.rest.create, revision_of(service, len(revisions) + 1))
        if newest is None:
            return
        ready = [each for each in [*revisions, newest] if has_condition(each, "Ready")]
        latest = max(ready, key=lambda each: int(_label(each, "configurationGeneration")), default=None)
        self._write(sight, service, newest, latest, now)

    def _write(self, sight: Sight, service: Json, newest: Json, latest: Json | None, now: datetime) -> None:
        status = service.get("status") or {}
        told: Json = {"latestCreatedRevisionName": newest["metadata"]["name"]}
        if latest is not None:
            name = latest["metadata"]["name"]
            told |= {"latestReadyRevisionName": name}
            told |= {"traffic": [{"revisionName": name, "percent": 100, "latestRevision": True}]}
        done = latest is not None and latest["metadata"]["name"] == newest["metadata"]["name"]
        conditions = list(status.get("conditions") or [])
        for kind in ("ConfigurationsReady", "RoutesReady", "Ready"):
            conditions = with_condition(conditions, condition(kind, true=done, now=now))
        told |= {"conditions": conditions, "observedGeneration": service["metadata"]["generation"]}
        if {word: status.get(word) for word in told} != told:
            attempt(sight.rest.patch, path_of(service, "status"), {"status": told})


def _label(body: Json, word: str) -> str:
    return str((body["metadata"].get("labels") or {}).get(GROUP + word, "0"))


def revision_of(service: Json, number: int) -> Json:
    """Return the Revision of a Service's template."""
    metadata, template = service["metadata"], service["spec"]["template"]
    given = template.get("metadata") or {}
    labels = {
        **(given.get("labels") or {}),
        f"{GROUP}service": metadata["name"],
        f"{GROUP}configuration": metadata["name"],
        f"{GROUP}configurationGeneration": str(metadata["generation"]),
    }
    made = {"name": f"{metadata['name']}-{number:05d}", "namespace": metadata["namespace"], "labels": labels}
    made |= {"annotations": given.get("annotations") or {}, "ownerReferences": [owner_reference(service)]}
    return {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": made, "spec": template["spec"]}


@dataclass
class RevisionController:
    """Gives every Revision its autoscaler and Deployment, and scales it: bounds from the Revision, demand from outside.

    `loads` says how many pods the traffic of a Revision wants now, by its name; without traffic that is none.
    """

    loads: dict[str, int] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every Revision one step further."""
        deployments = {controller_uid(each): each for each in sight.all(DEPLOYMENTS)}
        scalers = {controller_uid(each): each for each in sight.all(AUTOSCALERS)}
        routed = {
            route["revisionName"]
            for service in sight.all(SERVICES)
            for route in (service.get("status") or {}).get("traffic") or []
        }
        for each in sight.all(REVISIONS):
            uid = each["metadata"]["uid"]
            if "deletionTimestamp" not in each["metadata"]:
                self._route(sight, each, routed)
                wanted = self.wanted(each, routed)
                ready = ((deployments.get(uid) or {}).get("status") or {}).get("readyReplicas", 0)
                self._scale(sight, each, deployments.get(uid), wanted)
                self._follow(sight, each, scalers.get(uid), wanted, ready)
                self._write(sight, each, wanted, ready, now)

    def _scale(self, sight: Sight, each: Json, deployment: Json | None, wanted: int) -> None:
        if deployment is None:
            attempt(sight.rest.create, deployment_of(each, wanted))
        elif deployment["spec"]["replicas"] != wanted:
            attempt(sight.rest.patch, path_of(deployment), {"spec": {"replicas": wanted}})

    def _route(self, sight: Sight, each: Json, routed: set[str]) -> None:
        """Write down whether requests go to it, as Knative's labeler does."""
        state = "active" if each["metadata"]["name"] in routed else "reserve" if _was_ready(each) else "pending"
        if (each["metadata"].get("labels") or {}).get(ROUTING) != state:
            attempt(sight.rest.patch, path_of(each), {"metadata": {"labels": {ROUTING: state}}})

    def wanted(self, each: Json, routed: set[str]) -> int:
        """Return how many pods a Revision should have: one that gets no traffic any more has no lower bound."""
        name, annotations = each["metadata"]["name"], each["metadata"].get("annotations") or {}
        least = int(annotations.get(f"{SCALING}min-scale", 0))
        most = int(annotations.get(f"{SCALING}max-scale", 0))
        if not has_condition(each, "Ready") and not _was_ready(each):
            wanted = max(1, least)
        elif name in routed:
            wanted = max(least, self.loads.get(name, 0))
        else:
            wanted = 0
        return min(wanted, most) if most else wanted

    def _follow(self, sight: Sight, each: Json, scaler: Json | None, wanted: int, ready: int) -> None:
        """Keep the autoscaler's annotations those of its Revision (Knative 1.21 and later), and its status."""
        if scaler is None:
            attempt(sight.rest.create, autoscaler_of(each))
            return
        annotations = each["metadata"].get("annotations") or {}
        if (scaler["metadata"].get("annotations") or {}) != annotations:
            attempt(sight.rest.patch, path_of(scaler), {"metadata": {"annotations": annotations}})
        status = {"desiredScale": wanted, "actualScale": ready}
        if any((scaler.get("status") or {}).get(word) != value for word, value in status.items()):
            attempt(sight.rest.patch, path_of(scaler, "status"), {"status": status})

    def _write(self, sight: Sight, each: Json, wanted: int, ready: int, now: datetime) -> None:
        status = each.get("status") or {}
        conditions = list(status.get("conditions") or [])
        enough, active = ready >= max(1, wanted) or _was_ready(each), ready > 0
        late = now - when(each["metadata"]["creationTimestamp"]) >= timedelta(seconds=PROGRESS_DEADLINE_S)
        reason = "" if enough else "ProgressDeadlineExceeded" if late else "Deploying"
        for kind in ("ResourcesAvailable", "ContainerHealthy", "Ready"):
            conditions = with_condition(conditions, condition(kind, true=enough, now=now, reason=reason))
        made = condition("Active", true=active, now=now, reason="" if active else "NoTraffic")
        told = {"conditions": with_condition(conditions, made), "desiredReplicas": wanted, "actualReplicas": ready}
        if {word: status.get(word) for word in told} != told:
            attempt(sight.rest.patch, path_of(each, "status"), {"status": told})


def _was_ready(each: Json) -> bool:
    """Say whether a Revision has ever been ready: it keeps that when it is scaled to nothing."""
    return has_condition(each, "ResourcesAvailable")


def _names(each: Json) -> Json:
    metadata = each["metadata"]
    labels = {
        **(metadata.get("labels") or {}),
        f"{GROUP}revision": metadata["name"],
        f"{GROUP}revisionUID": metadata["uid"],
    }
    return {"namespace": metadata["namespace"], "labels": labels, "ownerReferences": [owner_reference(each)]}


def deployment_of(each: Json, replicas: int) -> Json:
    """Return the Deployment of a Revision."""
    name, made = each["metadata"]["name"], _names(each)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
    kept = {
        word: value
        for word, value in each["spec"].items()
        if not word.endswith("Seconds") and word != "containerConcurrency"
    }
    spec = {
        "replicas": replicas,
        "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
        "selector": {"matchLabels": {f"{GROUP}revisionUID": each["metadata"]["uid"]}},
        "strategy": rolling,
        "template": {"metadata": {"labels": made["labels"]}, "spec": kept},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", **made},
        "spec": spec,
    }


def autoscaler_of(each: Json) -> Json:
    """Return the PodAutoscaler of a Revision."""
    name, made = each["metadata"]["name"], _names(each)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
    return {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": name, "annotations": each["metadata"].get("annotations") or {}, **made},
        "spec": {"scaleTargetRef": target, "protocolType": "http1", "containerConcurrency": 0},
    }
