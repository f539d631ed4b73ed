"""One turn of the control loop: observe, reconcile, save, plan, save, act, publish.

Everything that can surprise is given: cluster, store, clock, traffic. The same turn runs live and in the simulator.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from scheduler.control.board import Board, ModelOutlook, ModelTally, Report
from scheduler.control.clocks import stopwatch_s
from scheduler.control.demand import DemandMemory, demand_of, remembering
from scheduler.control.intents import intents_of, not_started
from scheduler.control.keeping import Keeper
from scheduler.control.lessons import REMEMBERED, Lessons
from scheduler.control.metering import METERED_JOBS, Meter
from scheduler.control.noticing import Noticed, new_proposals, noticed, noticed_in
from scheduler.control.ports import Clock, Cluster, Store, TrafficSource
from scheduler.control.reconcile import Reconciled, reconcile
from scheduler.control.records import CycleRecord, EventKind, EventRecord, JobRecord
from scheduler.control.runtimes import REMEMBERED_JOBS, RunTimes
from scheduler.control.sentences import refusal
from scheduler.control.settings import Served, Settings
from scheduler.control.shares import Foresight, gpu_shares
from scheduler.control.straying import obey
from scheduler.model.errors import ActionFailed, Unreachable
from scheduler.model.observation import Observation
from scheduler.model.plan import Action, Consolidation, StartJob
from scheduler.model.policy import Policy
from scheduler.model.queues import MeanUse
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import WorkSeen
from scheduler.model.workloads import Moved
from scheduler.planning.planner import plan

Tallies = Callable[[], Mapping[str, ModelTally]]


def no_tallies() -> Mapping[str, ModelTally]:
    """Return nothing: requests do not pass a router of ours."""
    return {}


@dataclass(slots=True)
class Cycle:
    """The control plane's turn, with what it remembers between turns.

    Attributes:
        cluster, store, clock: see `scheduler.control.ports`.
        served: models, most important first.
        sources: traffic by the name that `Served.source` uses.
        policy: how the site decides.
        settings: see `Settings`.
        board: where the report of each turn goes.
        tallies: requests by model, counted by a router.
        timer: wall seconds, for the duration of planning only.
        gate: held while records are read, changed and saved; share it with the `Desk`.
    """

    cluster: Cluster
    store: Store
    clock: Clock
    served: Sequence[Served]
    sources: Mapping[str, TrafficSource]
    policy: Policy
    settings: Settings
    board: Board
    tallies: Tallies = no_tallies
    timer: Callable[[], float] = stopwatch_s
    gate: threading.RLock = field(default_factory=threading.RLock)
    _memory: DemandMemory = field(default_factory=DemandMemory)
    _foresight: Foresight = field(default_factory=Foresight)
    _refusals: Counter[str] = field(default_factory=Counter)
    _noticed: Noticed = field(default_factory=Noticed)
    _keeper: Keeper = field(default_factory=Keeper)
    _run_times: RunTimes | None = None
    _lessons: Lessons | None = None
    _meter: Meter | None = None
    _number: int | None = None
    _looked_s: float = -inf

    def turn(self) -> Report:
        """Take one turn and publish its report.

        Raises:
            Unreachable: the cluster or the store does not answer; nothing was decided.
            InvariantBroken: a bug.
        """
        number = self._next_number()
        seen = self.cluster.observe()
        obey(self.cluster, self.store, seen, number)
        reconciled = self._reconcile(seen, number)
        snapshot = self._snapshot(seen, reconciled, number)
        news, self._noticed = noticed(self._noticed, seen, number)
        demand, outlooks, self._memory, said = demand_of(
            self.served, self.sources, self._memory, snapshot, self.settings
        )
        started_s = self.timer()
        made = plan(snapshot, demand, self.policy)
        record = CycleRecord(number, seen.taken_at_s, snapshot, demand, made, self.timer() - started_s)
        actions = self._write_down(
            record, (*news, *said, *noticed_in(snapshot, self._looked_s), *new_proposals(self.board.report, record))
        )
        self._memory = remembering(self._memory, self.served, made, seen.taken_at_s)
        self._number, self._looked_s = number, seen.taken_at_s
        degraded = self._apply((*reconciled.orders, *actions), number, seen.taken_at_s)
        return self._publish(record, seen, outlooks, degraded)

    def _next_number(self) -> int:
        if self._number is None:
            journalled = self.store.cycles(limit=1)
            self._number = journalled[-1].number if journalled else 0
            self._looked_s = journalled[-1].at_s if journalled else -inf
        return self._number + 1

    def _reconcile(self, seen: Observation, number: int) -> Reconciled:
        run_times = self._learned()
        with self.gate:
            done = reconcile(self.store.jobs(), seen, self.settings.patience, number, seen.taken_at_s)
            if done.changed or done.events:
                self.store.save_all(done.changed, done.events)
        run_times.learn(done.changed)
        for job_id, attempt in done.over:
            self.cluster.forget(job_id, attempt)
        return done

    def _learned(self) -> RunTimes:
        """Return the run times of past jobs; read from the store once."""
        if self._run_times is None:
            run_times = RunTimes()
            run_times.learn(self.store.jobs(open_only=False, limit=REMEMBERED_JOBS))
            self._run_times = run_times
        return self._run_times

    def _snapshot(self, seen: Observation, reconciled: Reconciled, number: int) -> Snapshot:
        snapshot = self._keeper.snapshot(
            version=number,
            seen=seen,
            jobs=reconciled.jobs,
            strays=reconciled.strays,
            marks=self.store.host_marks(),
            reservations=self.store.reservations(),
            moves=self._moves(seen.taken_at_s),
            models=[served.model for served in self.served],
            restart_cost_s=self.settings.restart_cost_s,
            run_times=self._learned(),
            queues=self.settings.queues,
            usage=self._usage(seen),
            foreign=reconciled.foreign,
        )
        if self._meter is not None:
            self._meter.see(snapshot)
        return replace(snapshot, work=self._work(seen, reconciled.jobs))

    def _usage(self, seen: Observation) -> tuple[MeanUse, ...]:
        """Return what was used lately; read from the records when the loop begins."""
        if not self.settings.usage_half_life_s:
            return ()
        if self._meter is None:
            past = self.store.jobs(open_only=False, limit=METERED_JOBS)
            self._meter = Meter(self.settings.usage_half_life_s, seen.taken_at_s, past, seen.hosts)
        return self._meter.usage(seen.taken_at_s)

    def _work(self, seen: Observation, jobs: Sequence[JobRecord]) -> WorkSeen:
        """Return what work has asked for up to now; a process begins with what the store remembers."""
        if self._lessons is None:
            self._lessons = Lessons()
            jobs = self.store.jobs(open_only=False, limit=REMEMBERED)
        return self._lessons.look(jobs, seen.replicas, [served.model for served in self.served])

    def _moves(self, now_s: float) -> tuple[Moved, ...]:
        if self.policy.consolidation is Consolidation.OFF:
            return ()
        return self.store.moves(now_s - self.policy.moves_remembered_s)

    def _write_down(self, record: CycleRecord, said: Sequence[EventRecord]) -> tuple[Action, ...]:
        """Save the turn and what it is about to do; return the actions that still hold."""
        with self.gate:
            intents = intents_of(record.plan, record.snapshot, record.demand, self.store.job, record.number)
            self.store.journal(record)
            if intents.jobs or intents.events or said:
                self.store.save_all(intents.jobs, (*said, *intents.events))
        return intents.actions

    def _apply(self, actions: Iterable[Action], number: int, now_s: float) -> str:
        """Act in order; return why it had to be broken off, or ""."""
        for action in actions:
            try:
                self.cluster.apply(action)
            except ActionFailed as failure:
                self._refused(action, str(failure), number, now_s)
            except Unreachable as failure:
                self.store.record(EventRecord(now_s, number, EventKind.FAILURE, "cluster", str(failure)))
                return str(failure)
        return ""

    def _refused(self, action: Action, message: str, number: int, now_s: float) -> None:
        self._refusals[type(action).__name__] += 1
        event = refusal(action, message, number, now_s)
        if not isinstance(action, StartJob):
            self.store.record(event)
            return
        with self.gate:
            job = not_started(self.store.job(action.job_id), message, self.settings.patience, now_s)
            self.store.save_all([job], [event])

    def _publish(
        self, record: CycleRecord, seen: Observation, outlooks: tuple[ModelOutlook, ...], degraded: str
    ) -> Report:
        tallies = tuple(sorted(self.tallies().items()))
        refused = tuple(sorted(self._refusals.items()))
        report = Report(record, seen, outlooks, tallies, degraded, refused, self._memory.pools, self._learned())
        shares, self._foresight = gpu_shares(report, self._foresight)
        self.board.publish(report, shares)
        return report
