"""From traffic to the replicas every model needs: now, at the peak within its lead time, and a little beyond."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from policies.capacity import clamp
from policies.headroom_rules import lead_time_s, scale_down
from scheduler.control.board import ModelOutlook
from scheduler.control.noticing import basis_changes
from scheduler.control.outlook import outlook_of
from scheduler.control.ports import TrafficSource
from scheduler.control.records import EventRecord
from scheduler.control.settings import Served, Settings
from scheduler.control.traffic import Known, listened
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.snapshot import Snapshot

Needs = tuple[tuple[float, int], ...]
"""(at_s, replicas) needed in past turns, oldest first."""


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """What is carried from turn to turn; a new one is returned each time.

    Attributes:
        known: of each traffic source.
        needs: of each model, (at_s, replicas) it lately needed.
        bases: what each model's demand rested on.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    needs: Mapping[str, Needs] = field(default_factory=dict)
    bases: Mapping[str, Basis] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second of one model.

    Attributes:
        now: of the moment.
        wanted: the quantile of the highest within the lead time.
        held: likewise within the lead time and the shortest useful run of a training job.
        peak_at_s: when the highest of `held`'s window is expected.
        basis: see `Basis`.
    """

    now: float
    wanted: float
    held: float
    peak_at_s: float
    basis: Basis


def demand_of(
    served: Sequence[Served],
    sources: Mapping[str, TrafficSource],
    memory: DemandMemory,
    snapshot: Snapshot,
    settings: Settings,
) -> tuple[Demand, tuple[ModelOutlook, ...], DemandMemory, tuple[EventRecord, ...]]:
    """Return the demand, what people are shown of it, what to carry to the next turn, and what to tell."""
    now_s = snapshot.taken_at_s
    reach_s = max((_lead_time_s(model, settings) for model in served), default=0.0) + settings.min_runtime_s
    known = {
        name: listened(memory.known.get(name, Known()), source, now_s, reach_s, forecasts=not settings.reactive)
        for name, source in sources.items()
    }
    running = _running(snapshot)
    demands, outlooks, needs = [], [], {}
    for one in served:
        load = load_of(one, known[one.source], settings, now_s)
        name = one.model.name
        before = memory.needs.get(name, ((now_s, running.get(name, 0)),))
        demand, needs[name] = _replicas(one, load, before, settings, now_s)
        demands.append(demand)
        if settings.outlooks:
            outlooks.append(_outlook(one, known[one.source], load, settings, now_s))
    bases = {demand.model: demand.basis for demand in demands}
    said = tuple(basis_changes(served, known, memory.bases, bases, snapshot))
    return Demand(tuple(demands)), tuple(outlooks), DemandMemory(known, needs, bases), said


def load_of(served: Served, known: Known, settings: Settings, now_s: float) -> Load:
    """Return a model's load from what is known of its source."""
    rate, age_s = known.rate_at(now_s)
    now = rate * served.share
    basis = _basis(known, age_s, settings)
    padded = now * (1 + settings.margin)
    if basis in {Basis.REACTIVE, Basis.COLD_START} or known.corrected is None or not known.has_history:
        return Load(now, padded, padded, now_s, basis)
    lead_s = _lead_time_s(served, settings)
    soon = known.corrected.peak_within(now_s, lead_s, (settings.quantile,))
    later = known.corrected.peak_within(now_s, lead_s + settings.min_runtime_s, (settings.quantile,))
    floor = padded if basis is Basis.SILENT else now
    wanted = max(soon.values[0] * served.share, floor)
    return Load(now, wanted, max(later.values[0] * served.share, wanted), later.at_s, basis)


def _lead_time_s(served: Served, settings: Settings) -> float:
    return lead_time_s(served.model.warm_up_s, settings.preemption_grace_s, settings.period_s)


def _basis(known: Known, age_s: float, settings: Settings) -> Basis:
    if settings.reactive:
        return Basis.REACTIVE
    if known.failure or age_s > settings.silent_after_s:
        return Basis.SILENT
    if not known.has_history or known.corrected is None:
        return Basis.COLD_START
    return Basis.CORRECTED if known.surprised else Basis.FORECAST


def _replicas(served: Served, load: Load, before: Needs, settings: Settings, now_s: float) -> tuple[ModelDemand, Needs]:
    """Return the demand, and what was needed up to now: what runs when a process begins counts as needed just then."""
    needed = _limited(served, max(load.wanted, load.now))
    needs = (*((at_s, n) for at_s, n in before if at_s > now_s - settings.scale_down_after_s), (now_s, needed))
    wanted = clamp(scale_down(needs, now_s, settings.scale_down_after_s), needed, served.model.max_replicas)
    demand = ModelDemand(
        model=served.model.name,
        replicas_now=min(_limited(served, load.now), wanted),
        replicas_wanted=wanted,
        replicas_held=max(_limited(served, load.held), wanted),
        rps_now=load.now,
        rps_wanted=load.wanted,
        rps_per_replica=served.rule.rps_per_replica,
        peak_at_s=load.peak_at_s,
        basis=load.basis,
    )
    return demand, needs


def _limited(served: Served, rps: float) -> int:
    return clamp(served.rule.replicas(rps), served.model.min_replicas, served.model.max_replicas)


def _outlook(served: Served, known: Known, load: Load, settings: Settings, now_s: float) -> ModelOutlook:
    return outlook_of(
        served,
        known,
        basis=load.basis,
        rps_now=load.now,
        lead_time_s=_lead_time_s(served, settings),
        replicas_for=lambda rps: _limited(served, rps),
        now_s=now_s,
    )


def _running(snapshot: Snapshot) -> dict[str, int]:
    counts: dict[str, int] = {}
    for replica in snapshot.replicas:
        counts[replica.model] = counts.get(replica.model, 0) + 1
    return counts
