"""What runs a model: which Deployments and revisions, which pods, and who says how many there are to be."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.serving_objects import (
    DEPLOYMENTS,
    KNATIVE_MODES,
    REPLICA_SETS,
    REVISIONS,
    SERVICES,
    STANDARD_MODES,
    Deployment,
    InferenceService,
    ReplicaSet,
    Revision,
)
from scheduler.control.settings import Workload

EXTERNAL: Final = "external"
"""Class of an autoscaler that is none of KServe's."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """One Deployment of a model, with the revision that it is of, if Knative made it.

    Attributes:
        deployment: see there.
        pods: of it that are not over, by age.
        sets: replicas of each of its ReplicaSets that are to have some.
        revision: Knative's, whose least scale is ours to say; None where the Deployment's own is.
    """

    deployment: Deployment
    pods: tuple[Pod, ...] = ()
    sets: tuple[int, ...] = ()
    revision: Revision | None = None

    @property
    def least(self) -> int:
        """Replicas that it never has fewer of, whatever an autoscaler says."""
        if self.revision is None:
            return self.deployment.replicas
        return self.revision.least if self.revision.is_routed else 0

    @property
    def wanted(self) -> int:
        """Replicas that it is to have, those of a rollout's both sides."""
        if self.revision is not None:
            return max(self.least, self.deployment.replicas)
        beside = self.deployment.surge if self.is_rolling else 0
        return max(sum(self.sets) if self.is_rolling else 0, self.deployment.replicas + beside)

    @property
    def one_more(self) -> int:
        """The number to set for one more replica."""
        return (self.deployment.replicas if self.revision is None else self.wanted) + 1

    @property
    def is_rolling(self) -> bool:
        """Whether it has replicas of two templates."""
        return len(self.sets) > 1


@dataclass(frozen=True, slots=True)
class Running:
    """What runs a model.

    Attributes:
        parts: Deployments, those of newer revisions later.
        fault: why Headroom cannot scale it; "" when it can.
    """

    parts: tuple[Scaled, ...] = ()
    fault: str = ""

    @property
    def pods(self) -> tuple[Pod, ...]:
        """All its pods."""
        return tuple(pod for part in self.parts for pod in part.pods)

    @property
    def newest(self) -> Scaled | None:
        """The part that new replicas are of."""
        return self.parts[-1] if self.parts else None

    @property
    def is_rolling(self) -> bool:
        """Whether one revision takes over from another."""
        return sum(part.wanted > 0 for part in self.parts) > 1 or any(part.is_rolling for part in self.parts)

    @property
    def wanted(self) -> int:
        """Replicas that the cluster's controllers want now."""
        return sum(part.wanted for part in self.parts)

    @property
    def asked(self) -> int:
        """Replicas that the cluster's controllers want, and those that a rollout will take.

        A new revision of Knative's gets all requests at once when it is ready, which it is with as many replicas as it
        is to have at least: it should be as many as the old one has, whatever its template says.
        """
        newest = self.newest
        if newest is None or newest.revision is None or newest.revision.is_ready or not newest.revision.is_routed:
            return self.wanted
        return self.wanted + max(0, max((part.wanted for part in self.parts[:-1]), default=0) - newest.wanted)

    @property
    def is_driven(self) -> bool:
        """Whether an autoscaler wants more than it must have at least."""
        return any(part.revision is not None and part.deployment.replicas > part.least for part in self.parts)


class Finder:
    """Finds what runs models in caches of one moment."""

    def __init__(self, caches: Caches) -> None:
        self.caches = caches
        self._deployments: Mapping[str, Deployment] = caches.of(DEPLOYMENTS)
        self._revisions: Mapping[str, Revision] = caches.of(REVISIONS)
        self._services: Mapping[str, InferenceService] = caches.of(SERVICES)
        sets: Iterable[ReplicaSet] = caches.of(REPLICA_SETS).values()
        self._sets: dict[str, list[ReplicaSet]] = {}
        for one in sets:
            self._sets.setdefault(one.deployment, []).append(one)
        self._pods: dict[str, list[Pod]] = {}
        for pod in caches.pods.values():
            if pod.owner.kind == "ReplicaSet" and not pod.is_over:
                self._pods.setdefault(pod.owner.uid, []).append(pod)

    def find(self, workload: Workload) -> Running:
        """Return what runs a model, and why Headroom cannot scale it if it cannot."""
        key = f"{workload.namespace}/{workload.name}"
        if workload.kind == "Deployment":
            found = self._deployments.get(key)
            return Running((self._scaled(found),)) if found else Running(fault=f"there is no Deployment {key}")
        service = self._services.get(key)
        if service is None:
            return Running(fault=f"there is no InferenceService {key}")
        if service.mode in STANDARD_MODES:
            return self._standard(key, service)
        parts = self._of_revisions(workload.namespace, f"{workload.name}-predictor")
        return Running(parts, "" if service.mode in KNATIVE_MODES else f"{key} runs in the mode {service.mode}")

    def _standard(self, key: str, service: InferenceService) -> Running:
        found = self._deployments.get(f"{key}-predictor")
        if found is None:
            return Running(fault=f"there is no Deployment {key}-predictor")
        said = f"autoscalerClass is {service.scaler or 'hpa'}, not external: KServe would undo what Headroom does"
        return Running((self._scaled(found),), "" if service.scaler == EXTERNAL else f"{key}: its {said}")

    def _of_revisions(self, namespace: str, configuration: str) -> tuple[Scaled, ...]:
        """Return what runs the revisions of a Knative configuration, the oldest first; those without replicas too."""
        parts = [
            self._scaled(one, self._revisions[f"{namespace}/{one.revision}"])
            for one in self._deployments.values()
            if one.configuration == configuration and one.namespace == namespace
            if f"{namespace}/{one.revision}" in self._revisions
        ]
        return tuple(
            sorted(parts, key=lambda part: (part.revision.number if part.revision else 0, part.deployment.key))
        )

    def _scaled(self, deployment: Deployment, revision: Revision | None = None) -> Scaled:
        sets: Sequence[ReplicaSet] = self._sets.get(deployment.uid, ())
        pods = [pod for one in sets for pod in self._pods.get(one.uid, ())]
        numbers = tuple(one.replicas for one in sets if one.replicas)
        return Scaled(deployment, tuple(sorted(pods, key=lambda pod: (pod.created_s, pod.key))), numbers, revision)
