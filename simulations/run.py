"""Drives the real control loop over a simulated world, turn by turn: the same cycle and planner as live."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

from scheduler.control.cycle import Cycle
from scheduler.control.demand.demand import DemandMemory
from scheduler.control.demand.listening import Crews
from scheduler.control.ports import TrafficSource
from scheduler.control.records import CycleRecord
from scheduler.control.reports.board import Board
from scheduler.control.settings import Served, Settings
from scheduler.control.snapshots.survey import Experience
from scheduler.model.hosts import Host
from scheduler.model.policy import Policy
from simulations.arrivals import Arrival
from simulations.beats import earliest_limit_s, may_decide, next_beat_s
from simulations.engine import Order
from simulations.faults import Outage, Restart, StartFaults, schedule
from simulations.outcome import Outcome, Usage, outcome_of, usage_of
from simulations.serving import Load, Service, account
from simulations.world import World

Progress = Callable[[float], None]
"""Told the share of the run that is done, 0 to 1."""


def no_progress(_: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that one run is made of.

    Attributes:
        start_s, end_s: what is counted, epoch seconds.
        drain_s: for at most so long the run goes on after `end_s`, until no job is open.
        lead_in_s: the world begins this much before `start_s`.
        idle_period_s: longest time between two turns while nothing can be decided; see `simulations.beats`.
        hosts: see `Host`.
        served: models, most important first.
        sources: what the loop sees of the traffic, by source name.
        loads: what the traffic really is, requests per second, by source name.
        policy: how the site decides.
        settings: numbers of the loop.
        arrivals: jobs to come, all before `end_s`.
        outages: hosts that are lost.
        restarts: of the control plane, which then knows no more than its store.
        starts: what goes wrong with starts.
        crews: who reads the traffic and fits forecasts.
    """

    start_s: float
    end_s: float
    hosts: Sequence[Host]
    policy: Policy
    settings: Settings
    served: Sequence[Served] = ()
    sources: Mapping[str, TrafficSource] = field(default_factory=dict)
    loads: Mapping[str, Load] = field(default_factory=dict)
    arrivals: Sequence[Arrival] = ()
    outages: Sequence[Outage] = ()
    restarts: Sequence[Restart] = ()
    starts: StartFaults = field(default_factory=StartFaults)
    lead_in_s: float = 0.0
    idle_period_s: float = 300.0
    drain_s: float = 0.0
    crews: Crews = field(default_factory=Crews)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a loop knows of the time before; a copy of what another one has learned.

    Attributes:
        experience: of jobs.
        memory: of demand.
    """

    experience: Experience = field(default_factory=Experience)
    memory: DemandMemory = field(default_factory=DemandMemory)

    @classmethod
    def of(cls, cycle: Cycle) -> Self:
        """Return what a loop knows by now."""
        return cls(deepcopy(cycle.experience), cycle.memory)


class Simulation:
    """One run: a world, and the loop that looks after it.

    Attributes:
        setup: see `Setup`.
        world: clock, store and cluster.
        cycle: the control loop.
        turns: how many it took.
    """

    def __init__(self, setup: Setup, world: World | None = None, known: Knowledge | None = None) -> None:
        """Plan all that will happen.

        Args:
            setup: what the run is made of.
            world: in which it goes on at `setup.start_s`; None for empty hosts.
            known: what the loop knows when it begins; None for nothing.
        """
        self.setup = setup
        models, known = [served.model for served in setup.served], known or Knowledge()
        self.world = world or World(setup.start_s - setup.lead_in_s, setup.hosts, models)
        self.world.cluster.replicas.faults = setup.starts
        self._foresees = False
        self.cycle = self._control_plane(known)
        self.turns = 0
        self._used: Usage | None = None
        for arrival in setup.arrivals:
            self.world.engine.at(arrival.at_s, _submission(self.world, arrival), Order.ARRIVAL)
        schedule(setup.outages, self.world.cluster, self.world.engine)
        self._ended: list[Restart] = []
        for one in setup.restarts:
            self.world.engine.at(one.at_s, partial(self._ended.append, one))

    def run(self, progress: Progress = no_progress) -> Outcome:
        """Let it all happen and count."""
        setup = self.setup
        self._turn_until(setup.end_s, progress)
        self._used = usage_of(self.world, setup.start_s - setup.lead_in_s)
        while self._goes_on():
            self._turn(setup.end_s + setup.drain_s)
        return self.outcome()

    def go_on(self, until_s: float) -> None:
        """Let it all happen up to a moment, epoch seconds, and count nothing."""
        while self.world.engine.now_s() < until_s:
            self._turn(until_s)

    def outcome(self) -> Outcome:
        """Return what came out up to now; requests and devices are counted to `end_s`, jobs as far as the run goes."""
        serving = account(self.services(), self.setup.start_s, self.setup.end_s)
        used = self._used or usage_of(self.world, self.setup.start_s - self.setup.lead_in_s)
        return outcome_of(self.world, serving, used, max(0.0, self.world.engine.now_s() - self.setup.end_s))

    def services(self) -> dict[str, Service]:
        """Return the load of each model, and how many replicas of it were ready."""
        return {served.model.name: self._service(served) for served in self.setup.served}

    def foresee(self) -> None:
        """Have the loop say what it foresees, which takes a simulation most of half as long again."""
        self._foresees = True
        self.cycle.settings = replace(self.setup.settings, outlooks=True)

    def _turn_until(self, end_s: float, progress: Progress) -> None:
        engine, start_s = self.world.engine, self.setup.start_s
        while engine.now_s() < end_s:
            self._turn(end_s)
            progress(max(0.0, engine.now_s() - start_s) / (end_s - start_s))

    def _turn(self, end_s: float) -> None:
        """Take one turn, and let all happen up to the next."""
        if self._ended:
            self._restart(end_s)
        report = self.cycle.turn()
        self.turns += 1
        self.world.engine.run_until(min(self._next_turn_s(report.cycle), end_s))

    def _restart(self, end_s: float) -> None:
        """Have a new control plane go on with what the store has, once it is there again."""
        down_s = max(one.at_s + one.down_s for one in self._ended)
        self._ended.clear()
        self.world.engine.run_until(min(down_s, end_s))
        heard = self.cycle.board.listeners
        self.cycle = self._control_plane(Knowledge())
        self.cycle.board.listeners.extend(heard)

    def _control_plane(self, known: Knowledge) -> Cycle:
        setup = self.setup
        return Cycle(
            cluster=self.world.cluster,
            store=self.world.store,
            clock=self.world.engine,
            served=setup.served,
            sources=setup.sources,
            policy=setup.policy,
            settings=replace(setup.settings, outlooks=self._foresees),
            board=Board(),
            crews=setup.crews,
            experience=known.experience,
            memory=known.memory,
        )

    def _goes_on(self) -> bool:
        """Whether a job is open, and there is time left to drain."""
        return self.world.engine.now_s() < self.setup.end_s + self.setup.drain_s and bool(self.world.store.jobs())

    def _next_turn_s(self, seen: CycleRecord) -> float:
        """Return the next beat of the period at which something may be decided."""
        engine, period_s = self.world.engine, self.setup.settings.period_s
        if may_decide(seen.snapshot, seen.plan):
            return engine.now_s() + period_s
        until_s = min(engine.next_at_s(), earliest_limit_s(seen.snapshot))
        return next_beat_s(engine.now_s(), until_s, period_s, self.setup.idle_period_s)

    def _service(self, served: Served) -> Service:
        own = bool(served.own_source)
        load, share = self.setup.loads[served.own_source or served.source], 1.0 if own else served.share
        return Service(
            load=lambda at_s: load(at_s) * share,
            rule=served.rule,
            ready=self.world.cluster.replicas.ready[served.model.name],
        )


def _submission(world: World, arrival: Arrival) -> Callable[[], None]:
    def submit() -> None:
        world.submit(arrival.spec, arrival.work)

    return submit
