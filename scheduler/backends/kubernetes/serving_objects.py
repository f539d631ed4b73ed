"""Deployments, ReplicaSets, Knative's Revisions and InferenceServices, cut down to what is read of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts, pod_amounts
from scheduler.backends.kubernetes.connection import Object
from scheduler.backends.kubernetes.pods import owner_of
from scheduler.backends.kubernetes.reflector import Resource, key_of, version_of
from scheduler.backends.kubernetes.rules import Rule, rules_of

DEPLOYMENTS: Final = "deployments"
REPLICA_SETS: Final = "replicasets"
REVISIONS: Final = "revisions"
SERVICES: Final = "inferenceservices"
"""Names of the caches."""
CONFIGURATION: Final = "serving.knative.dev/configuration"
REVISION: Final = "serving.knative.dev/revision"
ROUTING: Final = "serving.knative.dev/routingState"
LEAST_SCALE: Final = "autoscaling.knative.dev/min-scale"
OLD_LEAST_SCALE: Final = "autoscaling.knative.dev/minScale"
MODE: Final = "serving.kserve.io/deploymentMode"
SCALER: Final = "serving.kserve.io/autoscalerClass"
KNATIVE_MODES: Final = frozenset({"", "Knative", "Serverless"})
STANDARD_MODES: Final = frozenset({"Standard", "RawDeployment"})
"""What KServe calls its modes now, and called them before; without a word it is Knative's."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        uid: never used twice.
        replicas: that it is to have.
        configuration: the Knative configuration that it is of; "" for none.
        revision: the Knative revision that it is of; "" for none.
        pod: what one of its pods takes.
        limits: what one of its pods may take at most, as far as that is said.
        rules: where its pods may go.
        surge: pods that a rollout starts beside the old ones.
        failure: why pods cannot be created, in the cluster's words; "" when they can.
    """

    key: str
    version: int
    uid: str
    replicas: int = 1
    configuration: str = ""
    revision: str = ""
    pod: Amounts = NOTHING
    limits: Amounts = NOTHING
    rules: tuple[Rule, ...] = ()
    surge: int = 1
    failure: str = ""

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.key.partition("/")[0]


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """A ReplicaSet that has or wants replicas.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        uid: never used twice.
        deployment: uid of the Deployment that it is of.
        replicas: that it is to have.
    """

    key: str
    version: int
    uid: str
    deployment: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision of a Knative service.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        uid: never used twice.
        configuration: of which.
        number: grows from one to the next.
        least: replicas that it never has fewer of.
        is_routed: whether requests may come to it; without that, `least` does not count.
        is_ready: whether it can take requests.
    """

    key: str
    version: int
    uid: str
    configuration: str
    number: int = 0
    least: int = 0
    is_routed: bool = True
    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class InferenceService:
    """A service of KServe.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        mode: of deployment, in KServe's words; "" when it says nothing.
        scaler: class of its autoscaler, in KServe's words; "" when it says nothing.
    """

    key: str
    version: int
    mode: str = ""
    scaler: str = ""


def cut_deployment(content: Object) -> Deployment:
    """Keep what is read of a Deployment."""
    metadata, spec, status = content["metadata"], content.get("spec") or {}, content.get("status") or {}
    labels, replicas = metadata.get("labels") or {}, spec.get("replicas", 1)
    pod = (spec.get("template") or {}).get("spec") or {}
    failed = [each for each in status.get("conditions") or () if each["type"] == "ReplicaFailure"]
    return Deployment(
        key=key_of(content),
        version=version_of(content),
        uid=metadata["uid"],
        replicas=replicas,
        configuration=labels.get(CONFIGURATION, ""),
        revision=labels.get(REVISION, ""),
        pod=pod_amounts(pod),
        limits=_limits(pod),
        rules=rules_of(pod),
        surge=_surge(spec, replicas),
        failure=next((str(each.get("message", "")) for each in failed if each.get("status") == "True"), ""),
    )


def cut_replica_set(content: Object) -> ReplicaSet | None:
    """Keep a ReplicaSet of a Deployment that has pods, or is to have some."""
    owner, spec, status = owner_of(content["metadata"]), content.get("spec") or {}, content.get("status") or {}
    replicas = spec.get("replicas", 1)
    if owner.kind != "Deployment" or not (replicas or status.get("replicas")):
        return None
    return ReplicaSet(key_of(content), version_of(content), content["metadata"]["uid"], owner.uid, replicas)


def cut_revision(content: Object) -> Revision:
    """Keep what is read of a Revision."""
    metadata, labels = content["metadata"], content["metadata"].get("labels") or {}
    annotations = metadata.get("annotations") or {}
    conditions = (content.get("status") or {}).get("conditions") or ()
    return Revision(
        key=key_of(content),
        version=version_of(content),
        uid=metadata["uid"],
        configuration=labels.get(CONFIGURATION, ""),
        number=_whole(labels.get("serving.knative.dev/configurationGeneration") or metadata["name"].rpartition("-")[2]),
        least=_whole(annotations.get(LEAST_SCALE) or annotations.get(OLD_LEAST_SCALE)),
        is_routed=labels.get(ROUTING, "active") != "reserve",
        is_ready=any(each["type"] == "Ready" and each.get("status") == "True" for each in conditions),
    )


def cut_service(content: Object) -> InferenceService:
    """Keep what is read of an InferenceService."""
    annotations = content["metadata"].get("annotations") or {}
    mode = annotations.get(MODE) or (content.get("status") or {}).get("deploymentMode") or ""
    return InferenceService(key_of(content), version_of(content), mode, annotations.get(SCALER, ""))


RESOURCES: Final[tuple[Resource[Any], ...]] = (
    Resource(DEPLOYMENTS, "/apis/apps/v1/deployments", cut_deployment),
    Resource(REPLICA_SETS, "/apis/apps/v1/replicasets", cut_replica_set),
    Resource(REVISIONS, "/apis/serving.knative.dev/v1/revisions", cut_revision),
    Resource(SERVICES, "/apis/serving.kserve.io/v1beta1/inferenceservices", cut_service),
)
"""What is watched for serving; of kinds that a cluster does not know there is nothing."""


def _limits(pod: Mapping[str, Any]) -> Amounts:
    """Return the limits of a pod, added up as its requests are."""
    capped = [
        {**container, "resources": {"requests": (container.get("resources") or {}).get("limits") or {}}}
        for container in pod.get("containers") or ()
    ]
    return pod_amounts({"containers": capped})


def _surge(spec: Mapping[str, Any], replicas: int) -> int:
    """Return the most pods that a rollout starts beside the old ones: a share is rounded up."""
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    said = str((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"))
    return -(-replicas * _whole(said.removesuffix("%")) // 100) if said.endswith("%") else _whole(said)


def _whole(text: object) -> int:
    return int(str(text)) if str(text).isdigit() else 0
