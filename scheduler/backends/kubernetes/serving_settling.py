"""What we have said of scales, until the caches have seen it: a second order must not go from the number before."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scheduler.backends.kubernetes.connection import Object
from scheduler.backends.kubernetes.reflector import version_of
from scheduler.backends.kubernetes.serving_workloads import Running, Scaled


class Said(NamedTuple):
    """A number of replicas, and the version that the object has with it."""

    version: int
    replicas: int


@dataclass
class Settling:
    """Numbers by the uid of their object."""

    _said: dict[str, Said] = field(default_factory=dict)

    def learn(self, part: Scaled, replicas: int, answer: Object) -> None:
        """Remember what a patch came to."""
        uid = part.deployment.uid if part.revision is None else part.revision.uid
        self._said[uid] = Said(version_of(answer), replicas)

    def settled(self, running: Running) -> Running:
        """Return what runs a model with the numbers that were said since its objects were seen."""
        return replace(running, parts=tuple(self._part(part) for part in running.parts))

    def _part(self, part: Scaled) -> Scaled:
        if part.revision is not None:
            said = self._of(part.revision.uid, part.revision.version)
            return part if said is None else replace(part, revision=replace(part.revision, least=said.replicas))
        said = self._of(part.deployment.uid, part.deployment.version)
        return part if said is None else replace(part, deployment=replace(part.deployment, replicas=said.replicas))

    def _of(self, uid: str, seen: int) -> Said | None:
        said = self._said.get(uid)
        if said is not None and said.version <= seen:
            del self._said[uid]
            return None
        return said
