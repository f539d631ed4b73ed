"""The garbage collector: what has lost its owner goes; foreground and orphan deletions are carried out."""

from dataclasses import dataclass
from datetime import datetime

from simulations.kubernetes.actors import mirror
from simulations.kubernetes.actors.acting import Json, attempt
from simulations.kubernetes.actors.mirror import Sight
from simulations.kubernetes.rest import path

OWNING = (
    mirror.JOBS, mirror.REPLICA_SETS, mirror.DEPLOYMENTS, mirror.RAY_JOBS, mirror.RAY_CLUSTERS, mirror.JOB_SETS,
    mirror.TRAIN_JOBS, mirror.INFERENCE_SERVICES, mirror.SERVICES, mirror.REVISIONS, mirror.AUTOSCALERS,
)  # fmt: skip
OWNED = (mirror.PODS, *OWNING)


@dataclass
class GarbageCollector:
    """Collects among pods and everything that makes pods."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Go once over all objects."""
        del now
        found = [(resource, body) for resource in OWNED for body in sight.all(resource)]
        dependents: dict[str, list[tuple[mirror.Resource, Json]]] = {}
        for resource, body in found:
            for reference in body["metadata"].get("ownerReferences") or []:
                dependents.setdefault(reference["uid"], []).append((resource, body))
        alive = {body["metadata"]["uid"] for _, body in found}
        for uid in dependents.keys() - alive:
            for resource, body in dependents[uid]:
                _lost(sight, resource, body, alive)
        for resource, body in found:
            if "deletionTimestamp" in body["metadata"]:
                _finalize(sight, resource, body, dependents.get(body["metadata"]["uid"], []))


def _where(resource: mirror.Resource, body: Json) -> str:
    return path(*resource, body["metadata"].get("namespace", ""), body["metadata"]["name"])


def _lost(sight: Sight, resource: mirror.Resource, body: Json, alive: set[str]) -> None:
    """Delete what has no owner left."""
    references = body["metadata"].get("ownerReferences") or []
    if "deletionTimestamp" in body["metadata"] or any(each["uid"] in alive for each in references):
        return
    attempt(sight.rest.delete, _where(resource, body), propagationPolicy="Background")


def _finalize(
    sight: Sight, resource: mirror.Resource, body: Json, dependents: list[tuple[mirror.Resource, Json]]
) -> None:
    """Carry out what the deletion's policy asks for, then take its finalizer off."""
    finalizers = body["metadata"].get("finalizers") or []
    if "orphan" in finalizers:
        for kind, each in dependents:
            attempt(sight.rest.patch, _where(kind, each), {"metadata": {"ownerReferences": None}})
        _release(sight, resource, body, "orphan")
    elif "foregroundDeletion" in finalizers:
        for kind, each in dependents:
            if "deletionTimestamp" not in each["metadata"]:
                attempt(sight.rest.delete, _where(kind, each), propagationPolicy="Foreground")
        if not dependents:
            _release(sight, resource, body, "foregroundDeletion")


def _release(sight: Sight, resource: mirror.Resource, body: Json, finalizer: str) -> None:
    kept = [each for each in body["metadata"]["finalizers"] if each != finalizer]
    attempt(sight.rest.patch, _where(resource, body), {"metadata": {"finalizers": kept or None}})
