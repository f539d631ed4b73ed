"""The seam between the cluster and what of it serves models."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.reflector import Resource
from scheduler.backends.kubernetes.rules import Rule
from scheduler.control.settings import Declared
from scheduler.model.errors import ActionFailed
from scheduler.model.plan import StartReplica, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import Replica


@dataclass(frozen=True, slots=True)
class ServingSeen:
    """What serves models at one moment.

    Attributes:
        replicas: that hold room, sorted by id.
        asked: (model, replicas), what the cluster's own controllers want, by name.
        pods: uids of the pods that these replicas are; they are not counted as other work.
        faults: sentences for operators.
    """

    replicas: tuple[Replica, ...] = ()
    asked: tuple[tuple[str, int], ...] = ()
    pods: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()


class ServingPart(Protocol):
    """What of a cluster serves models."""

    @property
    def resources(self) -> Sequence[Resource[Any]]:
        """What is to be watched for it."""

    def rules(self, caches: Caches) -> Iterable[Rule]:
        """Return where the pods of models may go: what hosts carry labels for."""

    def observe(self, caches: Caches, seat: Callable[[Pod], Slot]) -> ServingSeen:
        """Return what serves; `seat` says where a bound pod is, with the devices that are booked for it."""

    def apply(self, action: StartReplica | StopReplica, caches: Caches) -> None:
        """Begin to start or to stop a replica.

        Raises:
            ActionFailed: the cluster refuses.
            Unreachable: it does not answer.
        """

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take note of all revisions of models that are served or tried."""


class NoServing:
    """A cluster on which nothing of ours serves."""

    resources: Sequence[Resource[Any]] = ()

    def rules(self, caches: Caches) -> Iterable[Rule]:  # noqa: ARG002  # likewise
        """Return none."""
        return ()

    def observe(self, caches: Caches, seat: Callable[[Pod], Slot]) -> ServingSeen:  # noqa: ARG002  # see the protocol
        """Return nothing."""
        return ServingSeen()

    def apply(self, action: StartReplica | StopReplica, caches: Caches) -> None:  # noqa: ARG002  # likewise
        """Refuse.

        Raises:
            ActionFailed: always.
        """
        raise ActionFailed(f"no model is served on this cluster, {action.model} neither")

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take no note."""
