"""From traffic to the replicas every model needs: now, at the peak within its lead time, and a little beyond."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.shares import Share, learn_share
from policies.capacity import clamp
from policies.headroom_rules import lead_time_s, scale_down
from scheduler.control.board import ModelOutlook, PoolOutlook
from scheduler.control.noticing import basis_changes
from scheduler.control.outlook import outlook_of
from scheduler.control.pools import Member, kind_of, outlooks_of, pools_of
from scheduler.control.ports import TrafficSource
from scheduler.control.records import EventRecord
from scheduler.control.settings import Served, Settings
from scheduler.control.swings import Swings
from scheduler.control.traffic import OUTLOOK_S, WEEK_S, Known, listened
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.plan import Plan
from scheduler.model.snapshot import Snapshot

PEAK_GRID = tuple(np.round((np.arange(200) + 0.5) / 200, 4).tolist())
"""Equally likely levels of a source's peak, to be multiplied by those of a share."""
DAY_S: Final = 86_400.0
MOST_BINS: Final = 300
"""Bins of the coming day that are looked at for the lowest load."""
KEPT: Final = 16
"""Forecasts whose middle is remembered."""
Needs = tuple[tuple[float, int], ...]
"""(at_s, replicas) needed in past turns, oldest first: those that were needed no more since."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A model's share, and the ends of the measurements that it was learned from."""

    share: Share
    of: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """What is carried from turn to turn; a new one is returned each time.

    Attributes:
        known: of each traffic source.
        needs: of each model, (at_s, replicas) it lately needed.
        bases: what each model's demand rested on.
        shares: of each model in its source.
        pools: what people are shown of models on one kind of device.
        swings: how often room was taken back lately.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    needs: Mapping[str, Needs] = field(default_factory=dict)
    bases: Mapping[str, Basis] = field(default_factory=dict)
    shares: Mapping[str, Learned] = field(default_factory=dict)
    pools: tuple[PoolOutlook, ...] = ()
    swings: Swings = field(default_factory=Swings)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second of one model.

    Attributes:
        now: of the moment.
        wanted: the quantile of the highest within the lead time.
        held: likewise within the lead time and the shortest useful run of a training job.
        peak_at_s: when the highest of `held`'s window is expected.
        basis: see `Basis`.
        low: the lowest that is expected within a day; infinity when nothing is foreseen.
        low_at_s: when.
        falls: (at_s, load), each bin of that day with a lower load than all before it.
    """

    now: float
    wanted: float
    held: float
    peak_at_s: float
    basis: Basis
    low: float = math.inf
    low_at_s: float = 0.0
    falls: tuple[tuple[float, float], ...] = ()


def demand_of(
    served: Sequence[Served],
    sources: Mapping[str, TrafficSource],
    memory: DemandMemory,
    snapshot: Snapshot,
    settings: Settings,
) -> tuple[Demand, tuple[ModelOutlook, ...], DemandMemory, tuple[EventRecord, ...]]:
    """Return the demand, what people are shown of it, what to carry to the next turn, and what to tell."""
    now_s = snapshot.taken_at_s
    known = _listened(served, sources, memory, settings, now_s)
    shares = _shares(served, known, memory)
    running = Counter(replica.model for replica in snapshot.replicas)
    members, outlooks, needs = [], [], {}
    for one in served:
        name, share = one.model.name, shares[one.model.name].share
        load = load_of(one, known, share, settings, now_s)
        before = memory.needs.get(name, ((now_s, running[name]),))
        stay_s = memory.swings.stay_s(kind_of(one.model.shape), settings.scale_down_after_s, now_s)
        demand, needs[name] = _replicas(one, load, before, stay_s, now_s)
        window_s = _lead_time_s(one, settings) + settings.min_runtime_s
        members.append(Member(one, demand, known[one.source], share, window_s))
        if settings.outlooks:
            outlooks.append(_outlook(one, known[one.source], share, load, settings, now_s))
    bases = {member.served.model.name: member.demand.basis for member in members}
    said = tuple(basis_changes(served, known, memory.bases, bases, snapshot))
    here = [member for member in members if not member.served.model.elsewhere]
    held = pools_of(here, settings, now_s)
    shown = outlooks_of(here, held, now_s, memory.pools) if settings.outlooks else ()
    remembered = DemandMemory(known, needs, bases, shares, shown, memory.swings)
    return Demand(tuple(member.demand for member in members), held), tuple(outlooks), remembered, said


def _listened(
    served: Sequence[Served],
    sources: Mapping[str, TrafficSource],
    memory: DemandMemory,
    settings: Settings,
    now_s: float,
) -> Mapping[str, Known]:
    """Ask every source; only those that models are planned by are forecast."""
    reach_s = max((_lead_time_s(model, settings) for model in served), default=0.0) + settings.min_runtime_s
    reach_s = max(reach_s, WEEK_S if settings.outlooks else OUTLOOK_S)
    measured_only = {one.own_source for one in served} - {one.source for one in served}
    return {
        name: listened(
            memory.known.get(name, Known()),
            source,
            now_s,
            reach_s,
            forecasts=not settings.reactive and name not in measured_only,
            crowds=settings.flash_crowd > 0,
        )
        for name, source in sources.items()
    }


def _shares(served: Sequence[Served], known: Mapping[str, Known], memory: DemandMemory) -> Mapping[str, Learned]:
    """Return each model's share: as declared, or learned anew whenever a bin of its own requests has ended."""
    return {one.model.name: _share(one, known, memory.shares.get(one.model.name)) for one in served}


def _share(served: Served, known: Mapping[str, Known], before: Learned | None) -> Learned:
    own, source = known.get(served.own_source, Known()).traffic, known[served.source].traffic
    if own is None or source is None:
        return before or Learned(Share(served.share))
    ended = (own.series.end_s, source.series.end_s)
    if before is not None and before.of == ended:
        return before
    return Learned(learn_share(own.series, source.series) or Share(served.share), ended)


def load_of(served: Served, known: Mapping[str, Known], share: Share, settings: Settings, now_s: float) -> Load:
    """Return a model's load from what is known of its source, and of its own requests where they are measured."""
    source = known[served.source]
    rate, age_s = source.rate_at(now_s)
    now = _rate_of_its_own(served, known, settings, now_s)
    if now is None:
        now = rate * share.middle
    basis = _basis(source, age_s, settings)
    padded = now * (1 + settings.margin)
    if basis in {Basis.REACTIVE, Basis.COLD_START} or source.corrected is None or not source.has_history:
        return Load(now, padded, padded, now_s, basis)
    lead_s = _lead_time_s(served, settings)
    soon, _ = _peak(source.corrected, share, now_s, lead_s, settings.quantile)
    later, peak_at_s = _peak(source.corrected, share, now_s, lead_s + settings.min_runtime_s, settings.quantile)
    wanted = max(soon, padded if basis is Basis.SILENT else now)
    falls = _falls(source.corrected, share, wanted)
    low_at_s, low = falls[-1]
    return Load(now, wanted, max(later, wanted), peak_at_s, basis, low, low_at_s, falls)


def _rate_of_its_own(served: Served, known: Mapping[str, Known], settings: Settings, now_s: float) -> float | None:
    """Return the requests per second measured of the model itself; None when nobody does, or not just now."""
    if not served.own_source:
        return None
    own = known[served.own_source]
    rate, age_s = own.rate_at(now_s)
    return None if own.failure or age_s > settings.silent_after_s else rate


def _peak(forecast: Fitted, share: Share, now_s: float, window_s: float, quantile: float) -> tuple[float, float]:
    """Return the quantile of a model's highest load in a window, and when the source's is expected."""
    if not share.spread:
        peak = forecast.peak_within(now_s, window_s, (quantile,))
        return peak.values[0] * share.middle, peak.at_s
    peak = forecast.peak_within(now_s, window_s, PEAK_GRID)
    return float(share.quantiles_of(np.array(peak.values), (quantile,))[0]), peak.at_s


def _falls(forecast: Fitted, share: Share, wanted: float) -> tuple[tuple[float, float], ...]:
    """Return (at_s, load) of each bin within a day that is lower than all before, the lowest of them the last.

    The load is the middle, by as much higher as is wanted now.
    """
    middle = _middle(forecast, max(1, min(forecast.bins, MOST_BINS, int(DAY_S // forecast.step_s)))) * share.middle
    above = max(1.0, wanted / middle[0]) if middle[0] > 0 else 1.0
    before = np.minimum.accumulate(np.append(np.inf, middle[:-1]))
    return tuple(
        (forecast.start_s + (bin_ + 0.5) * forecast.step_s, float(middle[bin_]) * above)
        for bin_ in np.flatnonzero(middle < before).tolist()
    )


@lru_cache(maxsize=KEPT)
def _middle(forecast: Fitted, bins: int) -> NDArray[np.float64]:
    """Return the middle of the next bins, (bins,); kept, because all models of a source ask for the same."""
    middle: NDArray[np.float64] = forecast.quantiles(bins, (0.5,))[0]
    return middle


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


def _replicas(served: Served, load: Load, before: Needs, stay_s: float, now_s: float) -> tuple[ModelDemand, Needs]:
    """Return the demand, and what was needed up to now: what runs when a process begins counts as needed just then."""
    needed = _limited(served, max(load.wanted, load.now))
    more = ((at_s, number) for at_s, number in before if at_s > now_s - stay_s and number > needed)
    needs = (*more, (now_s, needed))
    wanted = clamp(scale_down(needs, now_s, stay_s), needed, served.model.max_replicas)
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
        replicas_low=_limited(served, load.low) if load.low < load.wanted else None,
        low_at_s=load.low_at_s + stay_s if load.low < load.wanted else 0.0,
        falls=_in_replicas(served, load, stay_s),
    )
    return demand, needs


def _in_replicas(served: Served, load: Load, stay_s: float) -> tuple[tuple[float, int], ...]:
    """Return when fewer replicas are wanted than ever before, and how many."""
    falls, least = list[tuple[float, int]](), _limited(served, load.wanted)
    for at_s, rps in load.falls:
        number = _limited(served, rps)
        if number < least:
            falls.append((at_s + stay_s, number))
            least = number
    return tuple(falls)


def _limited(served: Served, rps: float) -> int:
    return clamp(served.rule.replicas(rps), served.model.min_replicas, served.model.max_replicas)


def _outlook(  # noqa: PLR0913, PLR0917  # the facts of one row
    served: Served, known: Known, share: Share, load: Load, settings: Settings, now_s: float
) -> ModelOutlook:
    return outlook_of(
        served,
        known,
        share=share,
        basis=load.basis,
        rps_now=load.now,
        lead_time_s=_lead_time_s(served, settings),
        replicas_for=lambda rps: _limited(served, rps),
        now_s=now_s,
    )


def remembering(memory: DemandMemory, served: Sequence[Served], made: Plan, now_s: float) -> DemandMemory:
    """Return what is carried to the next turn with what a plan gives up and takes back for serving."""
    kinds = {one.model.name: kind_of(one.model.shape) for one in served}
    return replace(memory, swings=memory.swings.after(made, kinds, now_s))
