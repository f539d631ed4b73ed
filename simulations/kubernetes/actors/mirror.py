"""What an actor sees: the objects of some kinds, kept up to date by watches that answer at once, else by lists."""

import json
from dataclasses import dataclass, field
from typing import Any

from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.transport import Direct

Json = dict[str, Any]
Key = tuple[str, str]
Resource = tuple[str, str]  # apiVersion, plural


def key_of(body: Json) -> Key:
    """Return namespace and name."""
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


@dataclass
class Mirror:
    """The objects of one kind as of the last look."""

    rest: Rest
    resource: Resource
    objects: dict[Key, Json] = field(default_factory=dict)
    version: str = ""

    def look(self) -> None:
        """Bring the objects up to date; a kind that is not served has none."""
        at_once = isinstance(self.rest.client._transport, Direct)  # noqa: SLF001  # httpx has no public way to ask
        if not (at_once and self.version and self._follow()):
            self._list()

    def _list(self) -> None:
        where = path(*self.resource)
        response = self.rest.client.get(where)
        if response.status_code == 404:  # noqa: PLR2004  # not found
            self.objects = {}
            return
        found = response.raise_for_status().json()
        kind = {"apiVersion": self.resource[0], "kind": found["kind"].removesuffix("List")}
        self.objects = {key_of(item): kind | item for item in found["items"]}
        self.version = found["metadata"]["resourceVersion"]

    def _follow(self) -> bool:
        """Take in what happened since the last look; say whether that could be told."""
        query = {"watch": "1", "resourceVersion": self.version, "allowWatchBookmarks": "true"}
        response = self.rest.client.get(path(*self.resource), params=query)
        if response.is_error:
            return False
        for line in response.iter_lines():
            event = json.loads(line)
            if event["type"] == "ERROR":
                return False
            self._take(event)
        return True

    def _take(self, event: Json) -> None:
        body = event["object"]
        self.version = body["metadata"]["resourceVersion"]
        if event["type"] == "DELETED":
            self.objects.pop(key_of(body), None)
        elif event["type"] != "BOOKMARK":
            self.objects[key_of(body)] = body


PODS, NODES, NAMESPACES, EVENTS = ("v1", "pods"), ("v1", "nodes"), ("v1", "namespaces"), ("v1", "events")
JOBS, REPLICA_SETS = ("batch/v1", "jobs"), ("apps/v1", "replicasets")
DEPLOYMENTS, LEASES = ("apps/v1", "deployments"), ("coordination.k8s.io/v1", "leases")
BUDGETS, QUOTAS = ("policy/v1", "poddisruptionbudgets"), ("v1", "resourcequotas")
RAY_JOBS, RAY_CLUSTERS = ("ray.io/v1", "rayjobs"), ("ray.io/v1", "rayclusters")
SERVICES, INFERENCE_SERVICES = (
    ("serving.knative.dev/v1", "services"),
    ("serving.kserve.io/v1beta1", "inferenceservices"),
)
REVISIONS, AUTOSCALERS = (
    ("serving.knative.dev/v1", "revisions"),
    ("autoscaling.internal.knative.dev/v1alpha1", "podautoscalers"),
)
JOB_SETS, TRAIN_JOBS = ("jobset.x-k8s.io/v1alpha2", "jobsets"), ("trainer.kubeflow.org/v1alpha1", "trainjobs")


class Sight:
    """The mirrors of all kinds that somebody has asked for."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self._mirrors: dict[Resource, Mirror] = {}

    def all(self, resource: Resource) -> list[Json]:
        """Return all objects of a kind as they are now, in the order of their keys."""
        mirror = self._mirrors.setdefault(resource, Mirror(self.rest, resource))
        mirror.look()
        return [mirror.objects[key] for key in sorted(mirror.objects)]

    def owned_by(self, resource: Resource, owner: Json) -> list[Json]:
        """Return the objects of a kind whose controller is this one."""
        uid = owner["metadata"]["uid"]
        return [body for body in self.all(resource) if controller_uid(body) == uid]


def controller_uid(body: Json) -> str:
    """Return the uid of an object's controller, nothing if it has none."""
    references = body["metadata"].get("ownerReferences") or []
    return next((str(each["uid"]) for each in references if each.get("controller")), "")


def owner_reference(owner: Json) -> Json:
    """Return what an owned object says of its controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
