"""What the pods of a job have printed, as far as they are there."""

from collections.abc import Iterator

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.connection import Connection
from scheduler.backends.kubernetes.marks import OBJECT
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.pods import Pod
from scheduler.model.errors import HeadroomError


def printed(connection: Connection, seen: TrainingObject, caches: Caches) -> str:
    """Return the output of the pod that speaks for a job: the one that submitted it, or the first of the gang.

    Where it cannot be read, a sentence in brackets says why.
    """
    pod = min(_pods(seen, caches), default=None, key=lambda pod: (pod.owner.name != seen.name, pod.name))
    if pod is None:
        return ""
    try:
        return connection.text(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log")
    except HeadroomError as error:
        return f"(what {pod.name} has printed cannot be read: {error})\n"


def _pods(seen: TrainingObject, caches: Caches) -> Iterator[Pod]:
    """Yield the pods of an object, and of the Job of its name by which KubeRay submits it."""
    for pod in caches.pods.values():
        is_submitter = (pod.namespace, pod.owner.kind, pod.owner.name) == (seen.namespace, "Job", seen.name)
        if pod.labels.get(OBJECT) == seen.uid or is_submitter:
            yield pod
