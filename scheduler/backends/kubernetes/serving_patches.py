"""The requests by which serving is scaled; each says of which object it is meant, or from which number it goes."""

from typing import Any, Final, NamedTuple

from scheduler.backends.kubernetes.connection import Form
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.serving_objects import LEAST_SCALE, Deployment, Revision

COST: Final = "controller.kubernetes.io/pod-deletion-cost"
FIRST_TO_GO: Final = "-1000000"
"""Cost of a pod that is to go before all others."""


class Patch(NamedTuple):
    """A request: where, what, in which form."""

    path: str
    body: Any
    form: Form


def scaled(deployment: Deployment, replicas: int) -> Patch:
    """Return the patch of a Deployment's scale, from the number that was seen; 0 is left out by the API."""
    namespace, name = deployment.key.split("/")
    seen = {"replicas": deployment.replicas} if deployment.replicas else {}
    body = [
        {"op": "test", "path": "/metadata/uid", "value": deployment.uid},
        {"op": "test", "path": "/spec", "value": seen},
        {"op": "add", "path": "/spec/replicas", "value": replicas},
    ]
    return Patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale", body, Form.JSON)


def with_least(revision: Revision, replicas: int) -> Patch:
    """Return the patch of a Revision's least scale; of an InferenceService it would make a new revision."""
    namespace, name = revision.key.split("/")
    path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/revisions/{name}"
    return Patch(path, _annotated(revision.uid, {LEAST_SCALE: str(replicas)}), Form.MERGE)


def going_first(pod: Pod) -> Patch:
    """Return the patch by which a pod is the first to go when there are too many."""
    return Patch(_path(pod), _annotated(pod.uid, {COST: FIRST_TO_GO}), Form.MERGE)


def staying(pod: Pod) -> Patch:
    """Return the patch that takes `going_first` back."""
    return Patch(_path(pod), _annotated(pod.uid, {COST: None}), Form.MERGE)


def is_first_to_go(pod: Pod) -> bool:
    """Whether `going_first` was said of it."""
    return pod.annotations.get(COST) == FIRST_TO_GO


def _path(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"


def _annotated(uid: str, annotations: dict[str, str | None]) -> dict[str, Any]:
    """Return a merge patch; a wrong uid is refused, for it cannot be changed."""
    return {"metadata": {"uid": uid, "annotations": annotations}}
