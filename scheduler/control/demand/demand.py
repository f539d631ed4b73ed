"""From traffic to the replicas every model needs: now, at the peak within its lead time, and a little beyond."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Final

from forecasting.shares import Share, learn_share
from policies.capacity import CapacityRule, clamp
from policies.headroom_rules import scale_down, within_step
from scheduler.control.demand.courses import GRIDS_S, course_of
from scheduler.control.demand.forecast_summary import outlook_of
from scheduler.control.demand.joint_peaks import Member, kind_of, outlooks_of, pools_of
from scheduler.control.demand.loads import Load, course_points, lead_s_of, load_of, quantile_of
from scheduler.control.demand.source_events import basis_changes
from scheduler.control.demand.swings import Swings
from scheduler.control.demand.traffic import WEEK_S, ForecastRequest, SourceState
from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.reports.board import ModelOutlook, PoolOutlook
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import Basis, Demand, Level, ModelDemand
from scheduler.model.errors import InvariantBroken
from scheduler.model.plan import Plan
from scheduler.model.snapshot import Snapshot

Needs = tuple[tuple[float, int], ...]
"""(at_s, replicas) needed in past turns, oldest first: those that were needed no more since."""
KEPT: Final = 256
"""Answers of capacity rules that are remembered."""
NOBODY_ASKS: Final[Mapping[str, int]] = {}
"""A cluster whose own controllers want nothing."""
Answer = tuple[Load, ModelDemand, Needs]
_POOLS: Final = Part("the outlook of pools", "cluster", "shown as it was")


@dataclass(frozen=True, slots=True)
class Learned:
    """A model's share, and the ends of the measurements that it was learned from."""

    share: Share
    of: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """What is carried from turn to turn; a new one is returned each time.

    Attributes:
        needs: of each model, (at_s, replicas) it lately needed.
        demands: of each model, the last.
        bases: what each source's models rested on when it was last told.
        shares: of each model in its source.
        pools: what people are shown of models on one kind of device.
        swings: how often room was taken back lately.
    """

    needs: Mapping[str, Needs] = field(default_factory=dict)
    demands: Mapping[str, ModelDemand] = field(default_factory=dict)
    bases: Mapping[str, Basis] = field(default_factory=dict)
    shares: Mapping[str, Learned] = field(default_factory=dict)
    pools: tuple[PoolOutlook, ...] = ()
    swings: Swings = field(default_factory=Swings)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One model in one turn.

    Attributes:
        served: the model.
        known: of its source and, where they are measured, of its own requests; by source name.
        share: its part of the source's requests.
        before: what it needed up to now; what runs when a process begins counts as needed just then.
        last: its demand in the turn before; None when there was none.
        running: its replicas.
        stay_s: for how long replicas stay that are not needed.
        settings: see `Settings`.
        now_s: epoch seconds.
    """

    served: Served
    known: Mapping[str, SourceState]
    share: Share
    before: Needs
    last: ModelDemand | None
    running: int
    stay_s: float
    settings: Settings
    now_s: float

    @property
    def source(self) -> SourceState:
        """What is known of its source."""
        return self.known.get(self.served.source, SourceState())

    @property
    def lead_s(self) -> float:
        """Its lead time."""
        return lead_s_of(self.served, self.settings)

    def demand(self) -> Answer:
        """Return its load, what it needs for it, and what it needed up to now.

        Raises:
            InvariantBroken: the load is none.
        """
        load = load_of(self.served, self.known, self.share, self.settings, self.now_s)
        if not all(0 <= value < math.inf for value in (load.now, load.wanted, load.held)) or math.isnan(load.low):
            raise InvariantBroken(f"a load of {load.now:g} now and {load.wanted:g} at the peak")
        asked = self.limited(max(load.wanted, load.now))
        needed = min(asked, self._within_step(asked, self.limited(load.now)))
        needs = self._needs(needed)
        scaled = scale_down(needs, self.now_s, self.stay_s)
        wanted = self._within_step(clamp(scaled, needed, self.served.model.max_replicas), needed)
        falls = load.low < load.wanted
        demand = ModelDemand(
            model=self.served.model.name,
            replicas_now=min(self.limited(load.now), wanted),
            replicas_wanted=wanted,
            replicas_held=max(self.limited(load.held), wanted),
            rps_now=load.now,
            rps_wanted=load.wanted,
            rps_per_replica=self.served.rule.rps_per_replica,
            peak_at_s=load.peak_at_s,
            basis=load.basis,
            replicas_low=min(self.limited(load.low), wanted) if falls else None,
            low_at_s=load.low_at_s + self.stay_s if falls else 0.0,
            falls=self._falls(load, wanted),
            course=self._course(load),
        )
        return load, demand, needs

    def kept(self) -> Answer:
        """Return what it needs while nobody can say: as much as in the plan before, else as much as runs."""
        model, settings = self.served.model, self.settings
        basis = Basis.REACTIVE if settings.reactive else Basis.SILENT
        last = self.last
        if last is None:
            count = clamp(self.running, model.min_replicas, model.max_replicas)
            last = ModelDemand(model.name, count, count, count, 0.0, 0.0, 1.0, self.now_s, basis)
        wanted = clamp(last.replicas_wanted, model.min_replicas, model.max_replicas)
        held = clamp(last.replicas_held, wanted, model.max_replicas)
        now = min(last.replicas_now, wanted)
        kept = replace(
            last,
            replicas_now=now,
            replicas_wanted=wanted,
            replicas_held=held,
            basis=basis,
            replicas_low=None,
            low_at_s=0.0,
            falls=(),
            course=(),
        )
        load = Load(last.rps_now, last.rps_wanted, last.rps_wanted, last.peak_at_s, basis)
        return load, kept, self._needs(wanted)

    def limited(self, rps: float) -> int:
        """Return the replicas for a load, limits applied."""
        model, rule = self.served.model, self.served.rule
        if rps >= _highest_rps(rule, model.max_replicas):
            return model.max_replicas
        return clamp(rule.replicas(rps), model.min_replicas, model.max_replicas)

    def outlook(self, load: Load) -> ModelOutlook:
        """Return what people are shown of it."""
        return outlook_of(
            self.served,
            self.source,
            share=self.share,
            basis=load.basis,
            rps_now=load.now,
            lead_time_s=self.lead_s,
            replicas_for=self.limited,
            now_s=self.now_s,
        )

    def bare(self, load: Load, demand: ModelDemand) -> ModelOutlook:
        """Return what people are shown of it when more cannot be said."""
        return ModelOutlook(
            self.served.model.name, self.served.source, load.basis, load.now, demand.rps_per_replica, self.lead_s
        )

    def _within_step(self, asked: int, at_least: int) -> int:
        """Return how many replicas of those asked for it may have now, within its limits.

        Where nothing runs and nothing was planned, there is nothing that a forecast could move too far.
        """
        before = self.last.replicas_wanted if self.last is not None else self.running
        if not before:
            return asked
        model, allowed = self.served.model, within_step(asked, before, self.settings.fleet_step)
        return clamp(max(allowed, at_least), model.min_replicas, model.max_replicas)

    def _falls(self, load: Load, wanted: int) -> tuple[tuple[float, int], ...]:
        """Return when fewer replicas are wanted than ever before, and how many."""
        falls, least = list[tuple[float, int]](), min(self.limited(load.wanted), wanted)
        for at_s, rps in load.falls:
            number = self.limited(rps)
            if number < least:
                falls.append((at_s + self.stay_s, number))
                least = number
        return tuple(falls)

    def _course(self, load: Load) -> tuple[Level, ...]:
        """Return when more or fewer replicas are expected to be wanted; once in a step of the finest grid."""
        forecast, now_s = self.source.corrected, self.now_s // GRIDS_S[0] * GRIDS_S[0]
        if forecast is None or not load.falls:
            return ()
        if self.last is not None and self.last.course and self.before[-1][0] >= now_s:
            return self.last.course
        quantile = quantile_of(self.served, self.settings)
        expected = course_points(forecast, self.share, load.wanted, quantile, self.now_s)
        points = ((at_s, self.limited(middle), self.limited(high)) for at_s, middle, high in expected)
        wanted = self.limited(load.wanted)
        return course_of(((now_s, wanted, wanted), *points), self.lead_s, self.stay_s)

    def _needs(self, needed: int) -> Needs:
        """Return what it needed up to now, with what it needs now."""
        more = ((at_s, n) for at_s, n in self.before if at_s > self.now_s - self.stay_s and n > needed)
        return (*more, (self.now_s, needed))


def demand_of(  # noqa: PLR0913, PLR0917  # the parts of a turn
    served: Sequence[Served],
    known: Mapping[str, SourceState],
    memory: DemandMemory,
    snapshot: Snapshot,
    settings: Settings,
    walls: Bulkheads,
    asked: Mapping[str, int] = NOBODY_ASKS,
) -> tuple[Demand, tuple[ModelOutlook, ...], DemandMemory]:
    """Return the demand, what people are shown of it, and what to carry to the next turn.

    Args:
        served: models, most important first.
        known: of each source.
        memory: as returned the last time.
        snapshot: what runs.
        settings: see `Settings`.
        walls: keep what fails for one model from the others; it is served as in the plan before.
        asked: replicas that the cluster's own controllers want, by model; what is wanted is at least that much.
    """
    now_s = snapshot.taken_at_s
    on_trial = {model.revised for model in snapshot.models if model.of}
    running = Counter(one.model for one in snapshot.replicas if (one.model, one.revision) not in on_trial)
    members, outlooks, needs, shares = list[Member](), list[ModelOutlook](), dict[str, Needs](), dict[str, Learned]()
    for one in served:
        name = one.model.name
        shares[name] = _learned(one, known, memory, walls)
        there = running[name]
        before, last = memory.needs.get(name, ((now_s, there),)), memory.demands.get(name)
        stay_s = memory.swings.stay_s(kind_of(one.model.shape), settings.scale_down_after_s, now_s)
        turn = _Turn(one, known, shares[name].share, before, last, there, stay_s, settings, now_s)
        load, demand, needs[name] = _of_one(turn, walls)
        members.append(Member(one, demand, turn.source, turn.share, turn.lead_s + settings.min_runtime_s))
        if settings.outlooks:
            part = Part(f"the outlook of {name}", name, "only the load now is shown")
            outlooks.append(walls.within(part, partial(turn.outlook, load), partial(turn.bare, load, demand)))
    here = [member for member in members if not member.served.model.elsewhere]
    held = pools_of(here, settings, now_s, walls)
    shown = partial(outlooks_of, here, held, now_s, memory.pools)
    pools = walls.within(_POOLS, shown, lambda: memory.pools) if settings.outlooks else ()
    demands = {member.served.model.name: member.demand for member in members}
    bases = basis_changes(served, known, memory.bases, demands, now_s, walls)
    remembered = DemandMemory(needs, demands, bases, shares, pools, memory.swings)
    wanted = tuple(demand.at_least(asked.get(name, 0)) for name, demand in demands.items())
    return Demand(wanted, held), tuple(outlooks), remembered


def remembering(memory: DemandMemory, served: Sequence[Served], made: Plan, now_s: float) -> DemandMemory:
    """Return what is carried to the next turn with what a plan gives up and takes back for serving."""
    kinds = {one.model.name: kind_of(one.model.shape) for one in served}
    return replace(memory, swings=memory.swings.after(made, kinds, now_s))


def requests_of(served: Sequence[Served], sources: Iterable[str], settings: Settings) -> dict[str, ForecastRequest]:
    """Return what is wished of each source; only those that models are planned by are forecast.

    A forecast reaches as far whether people look or not: paths drawn for another horizon are others, and so would be
    what is decided by them.
    """
    reach_s = max((lead_s_of(model, settings) for model in served), default=0.0) + settings.min_runtime_s
    reach_s = max(reach_s, WEEK_S)
    measured_only = {one.own_source for one in served} - {one.source for one in served}
    return {
        name: ForecastRequest(reach_s, not settings.reactive and name not in measured_only, settings.flash_crowd > 0)
        for name in sources
    }


def _of_one(turn: _Turn, walls: Bulkheads) -> Answer:
    """Return the load and the demand of a model; those of before while its source was never heard, or it fails."""
    if turn.source.traffic is None:
        return turn.kept()
    name = turn.served.model.name
    return walls.within(Part(f"the demand of {name}", name, "served as in the plan before"), turn.demand, turn.kept)


def _learned(served: Served, known: Mapping[str, SourceState], memory: DemandMemory, walls: Bulkheads) -> Learned:
    """Return a model's share: as declared, or learned anew whenever a bin of its own requests has ended."""
    name, before = served.model.name, memory.shares.get(served.model.name)
    own = known.get(served.own_source, SourceState()).traffic
    source = known.get(served.source, SourceState()).traffic
    declared = before or Learned(Share(served.share))
    if own is None or source is None:
        return declared
    ended = (own.series.end_s, source.series.end_s)
    if before is not None and before.of == ended:
        return before
    part = Part(f"the share of {name}", name, "planned by the last one known")
    learn = partial(learn_share, own.series, source.series)
    found = walls.within(part, lambda: learn() or Share(served.share), lambda: None)
    return declared if found is None else Learned(found, ended)


@lru_cache(maxsize=KEPT)
def _highest_rps(rule: CapacityRule, replicas: int) -> float:
    """Return the highest load that so many replicas serve; kept, as some rules take long to say."""
    return rule.highest_rps(replicas)
