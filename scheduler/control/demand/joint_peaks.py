"""What models on one kind of device need together: their peaks are added path by path, not quantile by quantile.

Each path of a source's forecast is a way in which the coming hours may go. The models of a source share its paths, and
errors that sources made at the same moment of the past stay together (`forecasting.joint`). In each hour of each path
the models need a number of replicas; the highest sum over the hours is the joint peak of that path.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.joint import joint_paths
from forecasting.shares import Share
from policies.capacity import CapacityRule, ladder
from scheduler.control.demand.loads import quantile_of
from scheduler.control.demand.traffic import HOUR_S, SourceState
from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.reports.board import PoolOutlook, PoolPeak
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import ModelDemand, PoolDemand
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

PATHS: Final = 512
SEED: Final = 20130723
WINDOWS_S: Final = (HOUR_S, 6 * HOUR_S, 24 * HOUR_S, 48 * HOUR_S)
MOST_BLOCKS: Final = 48
"""Steps in time at which sums are formed; finer steps are joined to the highest of several."""
FRESH_S: Final = 600.0
"""People are shown joint peaks of whole windows that are no older."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a pool.

    Attributes:
        served: the model.
        demand: what it needs by itself.
        known: of its source.
        share: its part of the source's requests.
        window_s: how far ahead room is held for it.
    """

    served: Served
    demand: ModelDemand
    known: SourceState
    share: Share
    window_s: float


def pools_of(members: Iterable[Member], settings: Settings, now_s: float, walls: Bulkheads) -> tuple[PoolDemand, ...]:
    """Return what to hold for the models of each kind of device, in the order of the most important of each.

    Args:
        members: all models.
        settings: see `Settings`.
        now_s: epoch seconds.
        walls: keep a pool that fails from the others; its models' own peaks are added for it.
    """
    groups = list(_grouped(members)) if settings.joint_peak else [[member] for member in members]
    return tuple(_within(group, settings, now_s, walls) for group in groups)


def _within(group: Sequence[Member], settings: Settings, now_s: float, walls: Bulkheads) -> PoolDemand:
    first = group[0].served.model.name
    part = Part(f"the joint peak of {first} and its pool", first, "the models' own peaks are added")
    return walls.within(part, lambda: _pool(group, settings, now_s), lambda: _apart(group))


def _apart(members: Sequence[Member]) -> PoolDemand:
    """Return what to hold when each model's own peak is added."""
    own = sum(member.demand.replicas_held - member.demand.replicas_wanted for member in members)
    models = tuple(member.served.model.name for member in members)
    return PoolDemand(name_of(members[0].served.model.shape), models, own, own)


def outlooks_of(
    members: Iterable[Member], pools: Sequence[PoolDemand], now_s: float, before: Iterable[PoolOutlook] = ()
) -> tuple[PoolOutlook, ...]:
    """Return what people are shown of each pool: its joint peak in devices beside the sum of the models' own.

    Args:
        members: all models.
        pools: what is held for them.
        now_s: epoch seconds.
        before: as returned the last time; peaks are looked for again when they are older than `FRESH_S`.
    """
    by_name = {member.served.model.name: member for member in members}
    known = {one.demand.models: one for one in before if now_s - one.seen_at_s < FRESH_S}
    return tuple(
        replace(known[pool.models], demand=pool)
        if pool.models in known
        else _outlook(pool, [by_name[name] for name in pool.models], now_s)
        for pool in pools
    )


def kind_of(shape: Shape) -> Hashable:
    """Return what shapes have in common whose room serves either: their devices, or all of it without devices."""
    if not shape.gpu_count:
        return shape
    return (shape.gpu_models, shape.device_memory_mib, shape.gpu_count, shape.gpu_milli, shape.host_labels)


def name_of(shape: Shape) -> str:
    """Return the name of a pool for people: "MI300X", "2×MI210", "0.5×GPU" or "4 CPU"."""
    if not shape.gpu_count:
        return f"{shape.cpu_milli / 1000:g} CPU"
    each = shape.total_gpu_milli / WHOLE_DEVICE_MILLI
    kind = " or ".join(sorted(shape.gpu_models)) or "GPU"
    memory = f" ≥ {shape.device_memory_mib // 1024} GiB" if shape.device_memory_mib else ""
    return f"{kind}{memory}" if each == 1 else f"{each:g}×{kind}{memory}"


def _grouped(members: Iterable[Member]) -> Iterator[list[Member]]:
    groups: dict[Hashable, list[Member]] = {}
    for member in members:
        groups.setdefault(kind_of(member.served.model.shape), []).append(member)
    yield from groups.values()


def _pool(members: Sequence[Member], settings: Settings, now_s: float) -> PoolDemand:
    own = [member.demand.replicas_held - member.demand.replicas_wanted for member in members]
    highest = max(members, key=lambda member: member.demand.replicas_held - member.demand.replicas_wanted)
    quantile = max(quantile_of(member.served, settings) for member in members)
    return PoolDemand(
        name=name_of(members[0].served.model.shape),
        models=tuple(member.served.model.name for member in members),
        replicas_peak=_beyond(members, own, quantile, now_s) if sum(map(bool, own)) > 1 else sum(own),
        replicas_apart=sum(own),
        replicas_flash_crowd=_flash_crowd(members, settings.flash_crowd, now_s) if settings.flash_crowd else 0,
        replicas_surge=max(member.served.surge for member in members),
        peak_at_s=highest.demand.peak_at_s,
    )


def _beyond(members: Sequence[Member], own: Sequence[int], quantile: float, now_s: float) -> int:
    """Return the quantile of the highest sum of replicas beyond those wanted; between one model's own and all's.

    It is the sum of the models' own quantiles less what adding paths saves on the draws: their chance (some hundreds
    of draws of a few dozen past errors) is in both terms of that difference, and models that rise as one save nothing.
    """
    rising = [member for member, more in zip(members, own, strict=True) if more]
    until_s = now_s + max(member.window_s for member in rising)
    paths = _Paths(rising, now_s, until_s)
    total, apart = np.zeros((PATHS, paths.blocks), dtype=np.int64), 0
    for member in rising:
        more = np.maximum(paths.replicas(member) - member.demand.replicas_wanted, 0)
        more = np.where(paths.starts_s < now_s + member.window_s, more, 0)
        apart += _quantile(more.max(axis=1), quantile)
        total += more
    saved = max(0, apart - _quantile(total.max(axis=1), quantile))
    return max(sum(own) - saved, *own)


def _flash_crowd(members: Sequence[Member], quantile: float, now_s: float) -> int:
    """Return the replicas that a flash crowd takes beyond those held for the peak: of one source, the worst."""
    by_source: dict[str, int] = {}
    for member in members:
        forecast = member.known.corrected
        if forecast is None or not member.known.has_history:
            continue
        usual = forecast.peak_within(now_s, member.window_s, (0.5,)).values[0] * member.share.middle
        crowd = min(member.served.rule.replicas(usual * member.known.crowd_factor(quantile)), _most(member))
        more = max(0, crowd - member.demand.replicas_held)
        by_source[member.served.source] = by_source.get(member.served.source, 0) + more
    return max(by_source.values(), default=0)


def _outlook(pool: PoolDemand, members: Sequence[Member], now_s: float) -> PoolOutlook:
    gpus = members[0].served.model.shape.total_gpu_milli / WHOLE_DEVICE_MILLI
    each = gpus or 1.0
    foreseen = [member for member in members if member.known.fitted is not None and member.known.has_history]
    constant = sum(m.demand.replicas_wanted for m in members) - sum(m.demand.replicas_wanted for m in foreseen)
    return PoolOutlook(
        demand=pool,
        gpus_per_replica=gpus,
        seen_at_s=now_s,
        peaks=tuple(_peak(foreseen, constant, window_s, each, now_s) for window_s in WINDOWS_S) if foreseen else (),
    )


def _peak(members: Sequence[Member], constant: int, window_s: float, each: float, now_s: float) -> PoolPeak:
    """Return the joint peak of a window beside what it is when each model's own p99 is added."""
    paths = _Paths(members, now_s, now_s + window_s)
    total, apart = np.zeros((PATHS, paths.blocks), dtype=np.int64), 0
    for member in members:
        replicas = np.maximum(paths.replicas(member), member.served.model.min_replicas)
        apart += _quantile(replicas.max(axis=1), 0.99)
        total += replicas
    highest = total.max(axis=1)
    p50, p99 = (each * (_quantile(highest, q) + constant) for q in (0.5, 0.99))
    return PoolPeak(window_s, p50, p99, each * (apart + constant))


class _Paths:
    """The paths of all members' sources in the same blocks of time."""

    def __init__(self, members: Iterable[Member], now_s: float, until_s: float) -> None:
        self.now_s, self.until_s = now_s, until_s
        self.blocks = min(MOST_BLOCKS, max(1, int(np.ceil((until_s - now_s) / HOUR_S))))
        self.edges_s = np.linspace(now_s, until_s, self.blocks + 1)
        self.starts_s = self.edges_s[:-1]
        known = {one.served.source: one.known.corrected for one in members if one.known.corrected is not None}
        horizons = [self._horizon(forecast) for forecast in known.values()]
        drawn = joint_paths(list(known.values()), horizons, PATHS, SEED) if known else []
        loads = [self._blocks_of(*each) for each in zip(known.values(), drawn, strict=True)]
        self._loads = dict(zip(known, loads, strict=True))

    def replicas(self, member: Member) -> Counts:
        """Return (PATHS, blocks), the replicas that a model needs in each block of each path."""
        if member.known.corrected is None:
            return np.full((PATHS, self.blocks), member.demand.replicas_wanted)
        loads = self._loads[member.served.source]
        seed = sum(map(ord, member.served.model.name))
        return replicas_for(member.served.rule, _most(member), loads * member.share.draws(PATHS, seed)[:, None])

    def _horizon(self, forecast: Fitted) -> int:
        """Return the bins that reach to the end."""
        return int(np.clip(np.ceil((self.until_s - forecast.start_s) / forecast.step_s), 1, forecast.bins))

    def _blocks_of(self, forecast: Fitted, paths: Floats) -> Floats:
        """Return (PATHS, blocks), the highest load of the bins that reach into each block."""
        horizon = paths.shape[1]
        first = np.floor((self.edges_s[:-1] - forecast.start_s) / forecast.step_s).astype(np.int64)
        end = np.ceil((self.edges_s[1:] - forecast.start_s) / forecast.step_s).astype(np.int64)
        spans = [slice(min(max(a, 0), horizon - 1), max(b, 1)) for a, b in zip(first, end, strict=True)]
        return np.stack([paths[:, span].max(axis=1) for span in spans], axis=1)


def replicas_for(rule: CapacityRule, most: int, rps: Floats) -> Counts:
    """Return the replicas, at most `most`, that serve each of any array of loads."""
    highest = float(rps.max(initial=0.0))
    needed = min(most, max(1, rule.replicas(highest)))
    rungs = _rungs(rule, min(most, 1 << (needed - 1).bit_length()))
    found = np.searchsorted(rungs, rps * (1 - _ROUNDING), side="left") + 1
    return np.where(rps > 0, np.minimum(found, most), 0)


@lru_cache(maxsize=4096)
def _rungs(rule: CapacityRule, most: int) -> Floats:
    return np.array(ladder(rule, most))


def _most(member: Member) -> int:
    return member.served.model.max_replicas


def _quantile(samples: Counts, quantile: float) -> int:
    """Return the lowest number that at least this share of the samples keeps to."""
    return int(np.quantile(samples, quantile, method="inverted_cdf"))
