"""One turn of the control loop: observe, reconcile, save, plan, save, act, publish.

Everything that can surprise is given: cluster, store, clock, traffic. The same turn runs live and in the simulator.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from policies.chosen import choices_of
from scheduler.control.clocks import stopwatch_s
from scheduler.control.demand.demand import DemandMemory, demand_of, remembering, requests_of
from scheduler.control.demand.listening import Crews, SourceListeners
from scheduler.control.demand.start_times import StartTimes, planned
from scheduler.control.isolation.bulkheads import Bulkheads, Part, reason_of
from scheduler.control.isolation.warmups import Warmups
from scheduler.control.jobs.actions import ActionRunner
from scheduler.control.jobs.change_events import KnownState, change_events, events_of_snapshot, new_proposals
from scheduler.control.jobs.intents import intents_of
from scheduler.control.jobs.reconcile import Reconciled
from scheduler.control.models.community import within_limit
from scheduler.control.models.rollouts import Rollouts, models_in, revisions_in
from scheduler.control.models.roster import Roster, roster_of
from scheduler.control.ports import Clock, Cluster, Store, TrafficSource
from scheduler.control.records import CycleRecord, EventRecord
from scheduler.control.release import release
from scheduler.control.reports.board import Board, GpuShares, MeasuredWarmUp, ModelOutlook, Report, RequestCounts
from scheduler.control.reports.gpu_history import PastForecasts, gpu_shares
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.adopting import OrderBook
from scheduler.control.service.configured import Configured, nothing_new
from scheduler.control.service.models import nobody_reads
from scheduler.control.service.strays import obey
from scheduler.control.settings import Declared, Served, Settings
from scheduler.control.snapshots.survey import Experience, Surveyor
from scheduler.model.demand import Demand
from scheduler.model.errors import HeadroomError, InvariantBroken, Superseded
from scheduler.model.observation import Observation
from scheduler.model.plan import Action, Plan
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.planning.planner import plan

Tallies = Callable[[], Mapping[str, RequestCounts]]
KeepReplay = Callable[[CycleRecord, BaseException], str]
"""Keeps what the planner failed on, and returns where."""
FRESH_S: Final = 3600.0
"""What models needed in the last plan of a process before says nothing when it is older."""
_TURN: Final = Part("a turn of the control loop", "control", "the last plan stays, it is tried again")
_PLANNER: Final = Part("the planner", "control", "the last plan stays, it is tried again")
_REPLAYS: Final = Part("keeping what the planner failed on", "control", "it is in the journal up to the cycle before")
_JOURNAL: Final = Part("the journal of plans", "control", "plans are carried out all the same")
_STRAYS: Final = Part("what operators said of strays", "cluster", "they are left alone")
_ORDERS: Final = Part("taking what is given to the cluster itself", "cluster", "it waits there")
_STARTS: Final = Part("measuring how long replicas start", "serving", "planned by what was declared")
_RECORDS: Final = Part("keeping how forecasts did", "control", "their records begin anew after a restart")
_SWINGS: Final = Part("remembering what is taken back", "control", "room is kept as long as usual")
_HOSTS: Final = Part("watching hosts", "control", "hosts come and go unsaid")
_PROPOSALS: Final = Part("watching proposals", "control", "they are made unsaid")
_TALLIES: Final = Part("counting of requests", "serving", "shown as last counted")
_HISTORY: Final = Part("the history of devices", "control", "the chart has a gap")
_LISTENERS: Final = Part("a listener of reports", "control", "the others hear them")


class PlannerFailed(InvariantBroken):
    """The planner raised something; the last plan stays."""


def no_request_counts() -> Mapping[str, RequestCounts]:
    """Return nothing: requests do not pass a router of ours."""
    return {}


def no_replay(_asked: CycleRecord, _error: BaseException) -> str:
    """Keep nothing."""
    return ""


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
        request_counts: requests by model, and by the name of each revision on trial, counted by a router.
        timer: wall seconds, for the duration of planning only.
        gate: held while records are read, changed and saved; share it with the `ControlService`.
        crews: who reads traffic and fits forecasts.
        keep_replay: keeps what the planner failed on.
        servers: which server a traffic source is read from, for people; several of one server fall silent together.
        read_model: makes a model of what the store has kept of its section.
        experience: what was learned from the past.
        memory: what is carried on of demand; one that knows nothing takes over what was journalled lately.
        limits: what the site allows to jobs that are given to the cluster itself.
        renewed: says what counts from this turn on where the file was read again: models, sources, servers, policy,
            settings and limits.
        foreseen: says what serving needs at an epoch second, where that is given; None: it follows from `sources`.
    """

    cluster: Cluster
    store: Store
    clock: Clock
    served: Sequence[Served]
    sources: Mapping[str, TrafficSource]
    policy: Policy
    settings: Settings
    board: Board
    request_counts: Tallies = no_request_counts
    timer: Callable[[], float] = stopwatch_s
    gate: threading.RLock = field(default_factory=threading.RLock)
    crews: Crews = field(default_factory=Crews)
    keep_replay: KeepReplay = no_replay
    servers: Mapping[str, str] = field(default_factory=dict)
    read_model: Callable[[str], Served] = nobody_reads
    experience: Experience = field(default_factory=Experience)
    memory: DemandMemory = field(default_factory=DemandMemory)
    limits: SiteLimits = field(default_factory=SiteLimits)
    renewed: Callable[[], Configured | None] = nothing_new
    foreseen: Callable[[float], Demand] | None = None
    _foresight: PastForecasts = field(default_factory=PastForecasts)
    _counted: Mapping[str, RequestCounts] = field(default_factory=dict)
    _told: tuple[Declared, ...] | None = None
    _noticed: KnownState = field(default_factory=KnownState)
    _walls: Bulkheads = field(default_factory=Bulkheads)
    _listeners: SourceListeners | None = None
    _runner: ActionRunner | None = None
    _surveyor: Surveyor | None = None
    _warmups: Warmups | None = None
    _book: OrderBook | None = None
    _starts: StartTimes | None = None
    _rollouts: Rollouts | None = None
    _roster: Roster = field(default_factory=Roster)
    _number: int | None = None
    _replay: str = ""
    _looked_s: float = -inf

    def turn(self) -> Report:
        """Take one turn and publish its report.

        Raises:
            Unreachable: the cluster or the store does not answer; nothing was decided.
            Superseded: another control plane leads.
            Exception: whatever could not be cut off by itself, for instance an error of the planner.
        """
        try:
            return self._turn()
        except Superseded:
            raise
        except Exception as error:
            self._tell_failure(error)
            raise

    def _turn(self) -> Report:
        if (configured := self.renewed()) is not None:
            self._take_up(configured)
        number = self._next_number()
        self._serve(self._rolling_out().roster())
        listeners = self._listening()
        listeners.ask(self.clock.now_s())
        seen = self.cluster.observe()
        self._walls.begin(seen.taken_at_s, number)
        self._serve(self._rolling_out().advance(seen, revisions_in(self._counted), number))
        self._walls.within(_STRAYS, lambda: obey(self.cluster, self.store, seen, number), lambda: None)
        self._walls.within(_ORDERS, lambda: self._orders().take(seen, number), lambda: None)
        reconciled, snapshot = self._surveying().survey(seen, number)
        warm_ups = self._walls.within(_STARTS, lambda: self._measured(seen), lambda: ())
        self._giving_up().measured = self._rolling_out().measured = {one.model: one.usual_s for one in warm_ups}
        served = planned(self._roster.served, warm_ups)
        demand, outlooks = self._demand(served, snapshot, listeners, dict(seen.asked))
        snapshot = within_limit(snapshot, demand, self.settings.community_gpus)
        started_s = self.timer()
        by = (choices_of(self.policy), release())
        made = self._plan(CycleRecord(number, seen.taken_at_s, snapshot, demand, Plan(number), 0.0, *by), reconciled)
        record = CycleRecord(number, seen.taken_at_s, snapshot, demand, made, self.timer() - started_s, *by)
        actions = self._write_down(record, self._said(record, seen))
        self.memory = self._remembered(made, seen.taken_at_s)
        self._number, self._looked_s = number, seen.taken_at_s
        self._walls.works(_TURN)
        if self._starts is not None:
            self._starts.decided(actions, seen.taken_at_s)
        degraded = self._acting().act((*reconciled.orders, *actions), number, seen.taken_at_s)
        self._tell_news()
        return self._publish(record, seen, outlooks, degraded, warm_ups)

    def _next_number(self) -> int:
        if self._number is None:
            journalled = self.store.cycles(limit=1)
            self._number = journalled[-1].number if journalled else 0
            self._looked_s = journalled[-1].at_s if journalled else -inf
            is_fresh = journalled and 0 <= self.clock.now_s() - journalled[-1].at_s < FRESH_S
            if is_fresh and not self.memory.demands:
                demands = {demand.model: demand for demand in journalled[-1].demand.models}
                self.memory = DemandMemory(demands=demands)
        return self._number + 1

    def _take_up(self, configured: Configured) -> None:
        """Have another file count from this turn on; what was learned, and of sources that stay, is kept."""
        self._told = roster_of(self.served, ()).declared if self._told is None else self._told
        if configured.settings.usage_half_life_s != self.settings.usage_half_life_s:
            self.experience.meter = None
        self.served, self.sources, self.servers = configured.served, configured.sources, configured.servers
        self.policy, self.settings, self.limits = configured.policy, configured.settings, configured.limits
        self._walls.try_again()

    def _rolling_out(self) -> Rollouts:
        if self._rollouts is None:
            self._rollouts = Rollouts(self.store, self.gate, self.served, self.read_model, self._walls)
        self._rollouts.store, self._rollouts.declared = self.store, self.served
        return self._rollouts

    def _serve(self, roster: Roster) -> None:
        """Have all know what is served, those models too that were deployed since the last turn."""
        is_new, self._roster = roster.served != self._roster.served, roster
        told = roster_of(self.served, ()).declared if self._told is None else self._told
        if roster.declared != told:
            self.cluster.declare(roster.declared)
        self._told = roster.declared
        if self._listeners is not None and (is_new or self._listeners.sources is not self.sources):
            requests = requests_of(roster.served, self.sources, self.settings)
            self._listeners.listen(self.sources, requests, self.servers)

    def _listening(self) -> SourceListeners:
        if self._listeners is None:
            self._walls.speed = self.clock.speed
            requests = requests_of(self._roster.served, self.sources, self.settings)
            self._listeners = SourceListeners(self.sources, requests, self.crews, self.clock.speed, self.servers)
            self._listeners.go_on(self._walls.within(_RECORDS, self.store.track_records, dict))
        return self._listeners

    def _surveying(self) -> Surveyor:
        if self._surveyor is None:
            parts = (self.cluster, self.store, self.gate, (), self.policy, self.settings, self._walls)
            self._surveyor = Surveyor(*parts, self._giving_up(), self.experience)
        self._surveyor.models = self._roster.models
        self._surveyor.policy, self._surveyor.settings = self.policy, self.settings
        self._surveyor.cluster, self._surveyor.store = self.cluster, self.store
        return self._surveyor

    def _giving_up(self) -> Warmups:
        if self._warmups is None:
            self._warmups = Warmups(self._walls)
        return self._warmups

    def _orders(self) -> OrderBook:
        if self._book is None:
            self._book = OrderBook(self.store, self.gate, self.limits)
        self._book.store, self._book.limits = self.store, self.limits
        return self._book

    def _acting(self) -> ActionRunner:
        if self._runner is None:
            self._runner = ActionRunner(
                self.cluster, self.store, self.gate, self.settings.patience, self._walls, self._giving_up()
            )
        self._runner.cluster, self._runner.store = self.cluster, self.store
        self._runner.patience = self.settings.patience
        return self._runner

    def _measured(self, seen: Observation) -> tuple[MeasuredWarmUp, ...]:
        """Return the warm-ups that were measured up to now; what is new of them is written down."""
        if self._starts is None:
            self._starts = StartTimes(self.store.starts())
        if new := self._starts.see(seen):
            self.store.record_starts(new)
        return self._starts.measured([one.model for one in self._roster.served], seen)

    def _demand(
        self,
        served: Sequence[Served],
        snapshot: Snapshot,
        listeners: SourceListeners,
        by_cluster: Mapping[str, int],
    ) -> tuple[Demand, tuple[ModelOutlook, ...]]:
        if self.foreseen is not None:
            return self._roster.demand(self.foreseen(snapshot.taken_at_s)), ()
        known = listeners.known(snapshot.taken_at_s, self._walls)
        if new := listeners.new_records():
            self._walls.within(_RECORDS, lambda: self.store.keep_track_records(new, snapshot.taken_at_s), lambda: None)
        self.board.wait_for(listeners.unheard)
        asked = (served, known, self.memory, snapshot, self.settings, self._walls, by_cluster)
        demand, outlooks, self.memory = demand_of(*asked)
        return self._roster.demand(demand), outlooks

    def _remembered(self, made: Plan, now_s: float) -> DemandMemory:
        """Return what is carried on of demand, with what a plan gives up and takes back."""
        before = self.memory
        return self._walls.within(
            _SWINGS, lambda: remembering(before, self._roster.served, made, now_s), lambda: before
        )

    def _plan(self, asked: CycleRecord, reconciled: Reconciled) -> Plan:
        """Return the plan; where there is none, keep what it was asked from, and still carry out what is due.

        Raises:
            PlannerFailed: there is none.
        """
        try:
            made = plan(asked.snapshot, asked.demand, self.policy)
        except Exception as error:
            kept = self._kept_for_replay(asked, error)
            self._acting().act(reconciled.orders, asked.number, asked.at_s)
            raise PlannerFailed(f"the planner failed, the last plan stays: {reason_of(error)}{kept}") from error
        self._walls.works(_PLANNER)
        return made

    def _kept_for_replay(self, asked: CycleRecord, error: BaseException) -> str:
        """Keep what the planner failed on, once for one state; return where, in words."""
        is_new = not self._walls.was_told(_PLANNER.name)
        self._walls.failed(_PLANNER, error)
        try:
            self._replay = self.keep_replay(asked, error) if is_new else self._replay
        except Exception as failure:  # noqa: BLE001  # what cannot be kept must not hide why it should be
            self._walls.failed(_REPLAYS, failure)
        return f"; what it was given is in {self._replay}" if self._replay else ""

    def _said(self, record: CycleRecord, seen: Observation) -> tuple[EventRecord, ...]:
        """Return what happened by itself."""
        walls, before = self._walls, self._noticed
        hosts, self._noticed = walls.within(
            _HOSTS, lambda: change_events(before, seen, record.number), lambda: ((), before)
        )
        others = walls.within(_HOSTS, lambda: tuple(events_of_snapshot(record.snapshot, self._looked_s)), lambda: ())
        proposals = walls.within(_PROPOSALS, lambda: tuple(new_proposals(self.board.report, record)), lambda: ())
        return (*hosts, *others, *proposals)

    def _write_down(self, record: CycleRecord, said: Sequence[EventRecord]) -> tuple[Action, ...]:
        """Save the turn and what it is about to do; return the actions that still hold."""
        with self.gate:
            intents = intents_of(record.plan, record.snapshot, record.demand, self.store.job, record.number)
            self._journal(record)
            news = self._walls.news
            if intents.jobs or intents.events or said or news:
                self.store.save_all(intents.jobs, (*said, *news, *intents.events))
            self._walls.told(news)
        return intents.actions

    def _journal(self, record: CycleRecord) -> None:
        """Journal a turn; a record that cannot be written must not keep the plan from being carried out.

        Raises:
            HeadroomError: the store does not answer, or does not let this process write.
        """
        try:
            self.store.journal(record)
        except HeadroomError:
            raise
        except Exception as error:  # noqa: BLE001  # something in it that nobody can write
            self._walls.failed(_JOURNAL, error)
        else:
            self._walls.works(_JOURNAL)

    def _publish(
        self,
        record: CycleRecord,
        seen: Observation,
        outlooks: tuple[ModelOutlook, ...],
        degraded: str,
        warm_ups: tuple[MeasuredWarmUp, ...],
    ) -> Report:
        walls, learned = self._walls, self._surveying().learned()
        self._counted = walls.within(_TALLIES, lambda: dict(self.request_counts()), lambda: dict(self._counted))
        request_counts = tuple(sorted(models_in(self._counted).items()))
        refused = tuple(sorted(self._acting().refused.items()))
        report = Report(
            record,
            seen,
            outlooks,
            request_counts,
            degraded,
            refused,
            self.memory.pools,
            run_times=learned.frozen(),
            warm_ups=warm_ups,
            served=self._roster.served,
            deployed=self._roster.records,
        )
        shares = walls.within(_HISTORY, lambda: self._shares(report), lambda: None)
        report = replace(report, troubles=walls.troubles)
        for error in self.board.publish(report, shares):
            walls.failed(_LISTENERS, error)
        return report

    def _shares(self, report: Report) -> GpuShares:
        shares, self._foresight = gpu_shares(report, self._foresight)
        return shares

    def _tell_failure(self, error: Exception) -> None:
        """Write down why a turn failed, once for one state, if that can be done."""
        if not isinstance(error, PlannerFailed):
            self._walls.failed(_TURN, error)
        self._tell_news()

    def _tell_news(self) -> None:
        """Write down what is to be told, if that can be done; else the next turn does."""
        if not self._walls.news:
            return
        with suppress(Exception):
            news = self._walls.news
            self.store.record(*news)
            self._walls.told(news)
