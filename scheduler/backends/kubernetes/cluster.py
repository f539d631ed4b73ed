"""`KubernetesCluster`: what the control loop sees of Kubernetes."""

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from scheduler.backends.kubernetes import patches
from scheduler.backends.kubernetes.attempts import attempts_of, left_behind, objects_of
from scheduler.backends.kubernetes.caches import Caches, Watches
from scheduler.backends.kubernetes.connection import Connection
from scheduler.backends.kubernetes.handout import Handout
from scheduler.backends.kubernetes.hosts import Hosts
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.marks import PROGRESS
from scheduler.backends.kubernetes.objects import resources_of
from scheduler.backends.kubernetes.occupied import Occupied
from scheduler.backends.kubernetes.orders import Orders, stuck
from scheduler.backends.kubernetes.output import printed
from scheduler.backends.kubernetes.room import Room
from scheduler.backends.kubernetes.rules import Rule
from scheduler.backends.kubernetes.running import Attempt, run_of
from scheduler.backends.kubernetes.serving_part import NoServing, ServingPart
from scheduler.backends.kubernetes.teller import Records, Teller
from scheduler.backends.kubernetes.times import micro_time
from scheduler.backends.kubernetes.training import Training, marked, object_named, of_job
from scheduler.backends.kubernetes.usher import Usher
from scheduler.backends.kubernetes.ushering import Patience
from scheduler.control.ports import Clock, JobSpecs
from scheduler.control.reports.board import Report, RequestCounts
from scheduler.control.settings import Declared
from scheduler.model.observation import Observation, Progress, Run, Stray, StrayKind
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Held, Shape
from scheduler.model.workloads import JobId

KNOWN_WITHIN_S: Final = 60.0
LOOK_AGAIN_S: Final = 0.02
"""Wall seconds in which everything of a large cluster is listed, and between two looks whether it is."""


class KubernetesCluster:
    """A Kubernetes cluster as a `scheduler.control.ports.Backend`.

    Nothing that matters is kept here: attempts carry their slots in annotations of their objects, and all that runs is
    seen by watches. A new instance sees the same.

    Args:
        connection: to the API server.
        specs: what was accepted.
        clock: the world's time.
        owner: identity of our store, which what we start carries.
        devices: names of the resources that are devices.
        asked: keys of labels of nodes that models ask for.
        namespaces: where objects are looked at; all when there are none.
        serving: what of it serves models.
        patience: with gangs that start.
        records: the store, from which is told on objects how their jobs stand; nothing is told without it.
        handout: what pods are told of their attempt.
        instance: this process, for people.
    """

    def __init__(  # noqa: PLR0913  # the composition root names every one of them
        self,
        connection: Connection,
        *,
        specs: JobSpecs,
        clock: Clock,
        owner: str,
        devices: Sequence[str],
        asked: Collection[str] = (),
        namespaces: Sequence[str] = (),
        serving: ServingPart | None = None,
        patience: Patience | None = None,
        records: Records | None = None,
        handout: Handout | None = None,
        instance: str = "headroom",
    ) -> None:
        self._connection, self._clock, self._owner = connection, clock, owner
        self._serving: ServingPart = serving or NoServing()
        resources = [*resources_of(namespaces, devices), *self._serving.resources]
        self._watches = Watches(connection, resources, lambda: self._usher.wake())  # noqa: PLW0108  # it is made next
        said = (patience or Patience(), handout or Handout())
        self._usher = Usher(connection, self._watches, owner, clock.now_s, *said)
        self._training = Training(connection, specs, owner)
        self._hosts, self._occupied, self._index = Hosts(devices, asked), Occupied(), PodIndex()
        self._orders = Orders(owner)
        self._runs: dict[tuple[JobId, int], Run] = {}
        self._watches.start()
        self._usher.start()
        self._teller = Teller(connection, self._watches, records, clock.now_s, instance) if records else None
        if self._teller is not None:
            self._teller.start()

    def hear(self, report: Report) -> None:
        """Have what a report says told on the objects; returns at once."""
        if self._teller is not None:
            self._teller.hear(report)

    def claim(self) -> None:
        """Wait until the cluster is known, as long as it is being listed.

        Raises:
            Unreachable: it does not answer, or not all within `KNOWN_WITHIN_S`.
        """
        due_s = time.monotonic() + KNOWN_WITHIN_S
        while self._watches.is_listing and time.monotonic() < due_s:
            time.sleep(LOOK_AGAIN_S)
        self._watches.now()

    def observe(self) -> Observation:
        """Return what is there now.

        Raises:
            Unreachable: a part of it is not known, or what is known is too old.
        """
        caches, now_s = self._watches.now(), self._clock.now_s()
        return self._observed(caches, now_s)

    def apply(self, action: Action) -> None:
        """Begin to carry out one action.

        Raises:
            ActionFailed: the cluster refuses; the room is as it was before.
            Unreachable: it does not answer.
            Superseded: another control plane leads; nothing is done.
        """
        caches = self._watches.now()
        match action:
            case StartJob():
                attempts = self._attempts(caches)
                room = Room(caches.nodes, self._index, attempts, self._clock.now_s())
                self._training.start(action, caches, room)
            case PreemptJob():
                attempt = of_job(self._attempts(caches), action.job_id, action.attempt, self._owner)
                if attempt is not None:
                    self._training.stop(attempt, caches)
            case StartReplica() | StopReplica():
                self._serving.apply(action, caches)
            case _:
                assert_never(action)

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop an ended attempt."""
        caches = self._watches.now()
        found = of_job(self._attempts(caches), job_id, attempt, self._owner)
        run = self._runs.get((job_id, attempt))
        if found is not None and run is not None and not run.state.holds_room:
            self._training.forget(found, caches)

    def adopt(self, stray: Stray) -> None:
        """Take over an attempt; nothing changes when it is gone.

        Raises:
            Unreachable: the cluster does not answer.
        """
        caches = self._watches.now()
        found = self._named(caches, stray.name)
        if found is not None:
            self._training.adopt(found, caches)

    def evict(self, stray: Stray, grace_s: float) -> None:  # noqa: ARG002  # its pods have a grace of their own
        """Suspend an attempt; it has the grace of its pods."""
        caches = self._watches.now()
        found = self._named(caches, stray.name)
        if found is not None:
            self._training.stop(found, caches)

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take note of all revisions of models that are served or tried."""
        self._serving.declare(declared)

    def logs(self, job_id: JobId, attempt: int) -> str:
        """Return what an attempt has printed so far; "" when nobody knows it, or its pods are gone."""
        caches = self._watches.now()
        seen = marked(caches, job_id, attempt, self._owner)
        return printed(self._connection, seen, caches) if seen is not None else ""

    def report(self, job_id: JobId, attempt: int, progress: Progress) -> None:
        """Write down the last checkpoint of an attempt, as the job itself reports it; nothing when it is gone.

        Raises:
            ActionFailed: the cluster refuses.
            Unreachable: the cluster does not answer.
        """
        caches = self._watches.now()
        seen = marked(caches, job_id, attempt, self._owner)
        if seen is None:
            return
        saved_at = micro_time(progress.saved_at_s)
        said = {"attempt": attempt, "step": progress.step, "total_steps": progress.total_steps, "saved_at": saved_at}
        patch = patches.annotate(seen, {PROGRESS: json.dumps(said)})
        caches.learn(seen.kind.plural, self._connection.patch(seen.path, patch))

    def request_counts(self) -> Mapping[str, RequestCounts]:
        """Return nothing: no router of ours counts."""
        return {}

    def close(self) -> None:
        """Let go of the cluster; what runs there goes on."""
        self._watches.close()
        self._usher.close()
        if self._teller is not None:
            self._teller.close()
        self._connection.close()

    def _observed(self, caches: Caches, now_s: float) -> Observation:
        hosts = self._hosts.of(caches.nodes, self._rules(caches), now_s)
        attempts = self._attempts(caches)
        orders = self._orders.of(objects_of(caches), stuck(caches.nodes, self._index))
        runs = self._run(attempts, now_s)
        holding = [one for one in attempts if _holds(one, runs.get((one.marks.job_id, one.marks.attempt)), self._owner)]
        self._occupied.seat(self._hosts, hosts, self._index, holding)
        serving = self._serving.observe(caches, self._occupied.slot)
        served_on = dict.fromkeys((replica.slot.host for replica in serving.replicas), serving.pods)
        return Observation(
            now_s,
            hosts,
            tuple(runs[key] for key in sorted(runs)),
            serving.replicas,
            (*self._hosts.faults(), *left_behind(self._index), *serving.faults, *self._failing()),
            tuple(sorted(self._strays(holding), key=lambda stray: stray.name)),
            self._occupied.of(self._index, holding, served_on),
            serving.asked,
            orders,
        )

    def _failing(self) -> Iterable[str]:
        """Yield what the threads beside the loop fail of."""
        told = self._teller.fault if self._teller is not None else ""
        return filter(None, (self._usher.fault, told))

    def _attempts(self, caches: Caches) -> tuple[Attempt, ...]:
        self._index.update(caches.pods)
        return tuple(attempts_of(caches, self._index))

    def _run(self, attempts: Iterable[Attempt], now_s: float) -> Mapping[tuple[JobId, int], Run]:
        ours = {(a.marks.job_id, a.marks.attempt): a for a in attempts if a.marks.owner == self._owner}
        self._runs = {key: run_of(attempt, self._runs.get(key), now_s) for key, attempt in ours.items()}
        return self._runs

    def _rules(self, caches: Caches) -> Iterable[Rule]:
        of_jobs = {rule for seen in objects_of(caches) if seen.asking for rule in seen.asking.all_rules}
        return of_jobs.union(self._serving.rules(caches))

    def _strays(self, holding: Iterable[Attempt]) -> Iterable[Stray]:
        for attempt in holding:
            if attempt.marks.owner != self._owner:
                yield Stray(
                    attempt.seen.origin,
                    StrayKind.RUN,
                    attempt.marks.owner,
                    _held(attempt),
                    attempt.marks.job_id,
                    attempt.marks.attempt,
                )

    def _named(self, caches: Caches, origin: str) -> Attempt | None:
        seen = object_named(caches, origin)
        return next((one for one in self._attempts(caches) if one.seen is seen), None) if seen else None


def _holds(attempt: Attempt, run: Run | None, owner: str) -> bool:
    """Whether an attempt has room, whoever started it."""
    if attempt.marks.owner == owner:
        return run is not None and run.state.holds_room
    return bool(attempt.pods) or attempt.is_promised


def _held(attempt: Attempt) -> tuple[Held, ...]:
    asking = attempt.seen.asking
    shape = asking.gang.shape if asking else Shape()
    plain = Shape(cpu_milli=shape.cpu_milli, memory_mib=shape.memory_mib)
    return tuple((slot, replace(plain, gpu_count=len(slot.devices))) for slot in attempt.marks.slots)
