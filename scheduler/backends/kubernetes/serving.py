"""Serving on Kubernetes: the replicas that models have, and more or fewer of them by scale."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any, Final

from scheduler.backends.kubernetes.caches import Caches
from scheduler.backends.kubernetes.connection import Connection, Object
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.quota import RESOURCE
from scheduler.backends.kubernetes.reflector import Resource
from scheduler.backends.kubernetes.rules import Rule, all_of
from scheduler.backends.kubernetes.serving_objects import RESOURCES, REVISIONS
from scheduler.backends.kubernetes.serving_part import ServingSeen
from scheduler.backends.kubernetes.serving_patches import (
    Patch,
    going_first,
    is_first_to_go,
    scaled,
    staying,
    with_least,
)
from scheduler.backends.kubernetes.serving_replicas import complaints, replica_of, state_of, without_host
from scheduler.backends.kubernetes.serving_settling import Settling
from scheduler.backends.kubernetes.serving_stalls import Stalls
from scheduler.backends.kubernetes.serving_wishes import Wishes
from scheduler.backends.kubernetes.serving_workloads import Finder, Running, Scaled
from scheduler.control.ports import Clock
from scheduler.control.settings import MAY_RUN, Declared
from scheduler.model.errors import ActionFailed
from scheduler.model.plan import Cause, StartReplica, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import Replica

LOOK_S: Final = 60.0
"""Seconds of the world between two looks at what would stall."""
NO_MODELS: Final[Mapping[str, Declared]] = {}


class Serving:
    """Serves models by Deployments, by KServe and by Knative.

    Nobody's pods are gated, pinned or deleted: kube-scheduler places a replica that is more, and the controllers choose
    among those that are too many by the cost that is written on the pod to go.

    Args:
        connection: to the API server.
        declared: the models, with their workloads.
        clock: the world's time.
    """

    def __init__(self, connection: Connection, declared: Iterable[Declared], clock: Clock) -> None:
        self._connection, self._clock = connection, clock
        self._wishes, self._settling = Wishes(), Settling()
        self._models = NO_MODELS
        self._ready_since: dict[str, float] = {}
        self._looked_s, self._stalls = -inf, list[str]()
        self._finder: Finder | None = None
        self.declare(tuple(declared))

    @property
    def resources(self) -> Sequence[Resource[Any]]:
        """What is to be watched for it."""
        return (*RESOURCES, RESOURCE)

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take note of all models that have workloads."""
        self._models = {one.model.name: one for one in declared if one.workload is not None}

    def rules(self, caches: Caches) -> Iterable[Rule]:
        """Return one rule a model: the hosts that its newest pod template suits."""
        for name, running in self._found(caches).items():
            if running.newest is not None:
                yield all_of(MAY_RUN, name, running.newest.deployment.rules)

    def observe(self, caches: Caches, seat: Callable[[Pod], Slot]) -> ServingSeen:
        """Return what serves."""
        now_s, found = self._clock.now_s(), self._found(caches)
        self._wishes.keep({name: without_host(running) for name, running in found.items()}, now_s)
        there = {name: _on_known_hosts(running, caches) for name, running in found.items()}
        self._mark_ready([pod for running in there.values() for pod in running], now_s)
        replicas = [one for name, running in found.items() for one in self._replicas(name, running, caches, seat)]
        faults = [said for name, running in found.items() for said in self._faults(name, running)]
        faults += self._stalling(found, caches, now_s)
        pods = frozenset(pod.uid for running in there.values() for pod in running)
        return ServingSeen(tuple(sorted(replicas, key=_id_of)), self._asked(found), pods, tuple(faults))

    def apply(self, action: StartReplica | StopReplica, caches: Caches) -> None:
        """Begin to start or to stop a replica.

        Raises:
            ActionFailed: the cluster refuses, or the model is none that Headroom scales.
            Unreachable: it does not answer.
        """
        declared = self._models.get(action.model)
        if declared is None or declared.workload is None or declared.model.elsewhere:
            raise ActionFailed(f"{action.model} is no model that Headroom scales on this cluster")
        running = self._settling.settled(Finder(caches).find(declared.workload))
        if running.fault or running.newest is None:
            raise ActionFailed(f"{action.model}: {running.fault or 'nothing runs it yet'}")
        if isinstance(action, StartReplica):
            self._start(action, running, running.newest, caches)
        else:
            _refuse_to_move(action, caches)
            self._stop(action, running, caches)

    def _start(self, action: StartReplica, running: Running, newest: Scaled, caches: Caches) -> None:
        """Ask for one more, unless one waits for a host that nobody has asked for."""
        if without_host(running) <= len(self._wishes.of(action.model)):
            for pod in [each for each in newest.pods if is_first_to_go(each) and not each.is_going][-1:]:
                self._send(staying(pod))
            self._scale(newest, newest.one_more, caches)
        self._wishes.add(action.model, action.slot, self._clock.now_s(), action.revision)

    def _stop(self, action: StopReplica, running: Running, caches: Caches) -> None:
        """Have one go: it is marked as the first to, and there is to be one less. What goes already is left alone."""
        parts = {pod.uid: (part, pod) for part in running.parts for pod in part.pods}
        part, pod = parts.get(action.replica_id, (running.newest, None))
        if part is None or (pod is None and not self._wishes.take_back(action.replica_id)):
            return
        if pod is not None:
            if pod.is_going or (is_first_to_go(pod) and (part.revision is not None or _too_many(part))):
                return
            self._send(going_first(pod))
        self._scale(part, max(0, part.least - 1), caches)

    def _scale(self, part: Scaled, replicas: int, caches: Caches) -> None:
        if part.revision is None:
            answer = self._send(scaled(part.deployment, replicas))
        else:
            answer = self._send(with_least(part.revision, replicas))
            caches.learn(REVISIONS, answer)
        self._settling.learn(part, replicas, answer)

    def _send(self, patch: Patch) -> Object:
        return self._connection.patch(patch.path, patch.body, patch.form)

    def _found(self, caches: Caches) -> dict[str, Running]:
        if self._finder is None or self._finder.caches is not caches:
            self._finder = Finder(caches)
        return {
            name: self._settling.settled(self._finder.find(one.workload))
            for name, one in sorted(self._models.items())
            if one.workload is not None
        }

    def _asked(self, found: Mapping[str, Running]) -> tuple[tuple[str, int], ...]:
        """Return what controllers want beyond what was asked for here: rollouts, autoscalers, pods that wait."""
        return tuple(
            (name, running.asked)
            for name, running in found.items()
            if not self._models[name].model.elsewhere
            if running.is_rolling or running.is_driven or without_host(running) > len(self._wishes.of(name))
        )

    def _replicas(self, name: str, running: Running, caches: Caches, seat: Callable[[Pod], Slot]) -> Iterable[Replica]:
        model, pods = self._models[name].model, _on_known_hosts(running, caches)
        yield from (replica_of(pod, model, state_of(pod, running), seat(pod), self._since_s(pod)) for pod in pods)
        yield from (wish.as_replica(name) for wish in self._wishes.of(name) if wish.slot.host in caches.nodes)

    def _faults(self, name: str, running: Running) -> Iterable[str]:
        if running.fault and not self._models[name].model.elsewhere:
            yield f"{name}: {running.fault}"
        yield from complaints(name, running)

    def _stalling(self, found: Mapping[str, Running], caches: Caches, now_s: float) -> Sequence[str]:
        """Return what would stall; looked at now and then, for it takes a look at every pod."""
        if not 0 <= now_s - self._looked_s < LOOK_S:
            stalls, self._looked_s = Stalls(caches), now_s
            self._stalls = [said for name, one in found.items() for said in stalls.of(self._models[name].model, one)]
        return self._stalls

    def _mark_ready(self, pods: Iterable[Pod], now_s: float) -> None:
        self._ready_since = {pod.uid: self._ready_since.get(pod.uid, now_s) for pod in pods if pod.is_ready}

    def _since_s(self, pod: Pod) -> float:
        return self._ready_since.get(pod.uid, pod.created_s)


def _refuse_to_move(action: StopReplica, caches: Caches) -> None:
    """Refuse to stop a replica for where it is, unless none can come back there: it would be moved again and again.

    Raises:
        ActionFailed: kube-scheduler may put it there again.
    """
    node = caches.nodes.get(action.slot.host)
    if action.cause is Cause.DRAIN and node is not None and not node.is_unschedulable:
        said = f"kube-scheduler would put a replica of {action.model} on {node.key} again"
        raise ActionFailed(said, help=f"kubectl cordon {node.key}")
    if action.cause in {Cause.SPREAD, Cause.LATE}:
        raise ActionFailed(f"where replicas of {action.model} run is kube-scheduler's to say")


def _on_known_hosts(running: Running, caches: Caches) -> list[Pod]:
    return [pod for pod in running.pods if pod.node in caches.nodes]


def _too_many(part: Scaled) -> bool:
    return sum(bool(pod.node) and not pod.is_going for pod in part.pods) > part.wanted


def _id_of(replica: Replica) -> str:
    return replica.replica_id
