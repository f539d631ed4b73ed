"""Whether serving is covered, until when, and by how much: planned replicas against what the forecast asks for."""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from scheduler.model.hosts import HostState
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import JobState, Replica, ReplicaState, ServingModel
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import NO_LIMIT, capped, fewest_hosts
from scheduler.planning.serving.fleet import allowed, count_by_row


@dataclass(frozen=True, slots=True)
class Curve:
    """Replicas that one model's load takes, as fractions: 2.4 replicas are busy, 3 must run.

    Attributes:
        model: its name.
        needed_now: for the load of this moment.
        needed: (at_s, replicas) by the planning quantile of the forecast, in time order; each holds until the next.
    """

    model: str
    needed_now: float
    needed: tuple[tuple[float, float], ...] = ()

    def at(self, at_s: float) -> float:
        """Return the replicas needed at a moment; before the first point as at the first."""
        if not self.needed:
            return self.needed_now
        return self.needed[max(0, bisect_right(self.needed, (at_s, math.inf)) - 1)][1]


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """One moment ahead.

    Attributes:
        at_s: epoch seconds.
        ratio: headroom of the model that has least, planned over needed replicas; None when nothing is needed.
        model: which model that is; "" when nothing is needed.
        planned_gpus: devices of the replicas planned.
        needed_gpus: devices of the replicas needed, fractional.
    """

    at_s: float
    ratio: float | None
    model: str
    planned_gpus: float
    needed_gpus: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Headroom now and over the horizon.

    Attributes:
        now: ready replicas against the load of this moment.
        points: planned replicas against the forecast, in time order; empty without a forecast.
    """

    now: CoveragePoint
    points: tuple[CoveragePoint, ...]

    @property
    def lowest(self) -> CoveragePoint:
        """The first moment with the lowest headroom, now included."""
        return min((self.now, *self.points), key=lambda p: (math.inf if p.ratio is None else p.ratio, p.at_s))

    @property
    def is_covered(self) -> bool:
        """Whether the headroom never falls below 1."""
        return self.lowest.ratio is None or self.lowest.ratio >= 1

    @property
    def short(self) -> tuple[CoveragePoint, ...]:
        """The moments at which the headroom is below 1, now included."""
        return tuple(p for p in (self.now, *self.points) if p.ratio is not None and p.ratio < 1)


def coverage(snapshot: Snapshot, curves: Sequence[Curve], policy: Policy) -> Coverage:
    """Compare what can be served with what is needed, now and at every point of the curves.

    At a coming moment a model is planned as many whole replicas as its curve needs, within its limits, but no more
    than can be placed together with all others once preemptible training has given way. Replicas that run stay where
    they are; room for more is found for the most important model first.

    Args:
        snapshot: the world now.
        curves: of the served models; models without one keep what they have.
        policy: the site's placement.
    """
    by_model = {curve.model: curve for curve in curves}
    models = [model for model in snapshot.models if model.name in by_model]
    outlook = _Outlook(snapshot, models, policy)
    times = sorted({at_s for curve in curves for at_s, _ in curve.needed if at_s >= snapshot.taken_at_s})
    ready = [_ready(snapshot, model) for model in models]
    gpus = {model.name: snapshot.ledger.table.gpus_of(model.shape) for model in models}
    now = _point(snapshot.taken_at_s, gpus, ready, [by_model[model.name].needed_now for model in models])
    placeable = cache(outlook.placeable)
    points = []
    for at_s in times:
        needed = [by_model[model.name].at(at_s) for model in models]
        wanted = tuple(_wanted(model, need) for model, need in zip(models, needed, strict=True))
        points.append(_point(at_s, gpus, placeable(wanted), needed))
    return Coverage(now, tuple(points))


def _wanted(model: ServingModel, needed: float) -> int:
    return min(max(math.ceil(needed - 1e-9), model.min_replicas), model.max_replicas)


def _ready(snapshot: Snapshot, model: ServingModel) -> int:
    lost = {host.name for host in snapshot.hosts if host.state is HostState.LOST}
    return sum(
        replica.model == model.name and replica.state is ReplicaState.READY and replica.slot.host not in lost
        for replica in snapshot.replicas
    )


def _point(at_s: float, gpus: Mapping[str, float], has: Sequence[int], needed: Sequence[float]) -> CoveragePoint:
    ratios = [(h / n, model) for model, h, n in zip(gpus, has, needed, strict=True) if n > 0]
    ratio, name = min(ratios, key=lambda pair: pair[0], default=(None, ""))
    planned, asked = (sum(g * r for g, r in zip(gpus.values(), amounts, strict=True)) for amounts in (has, needed))
    return CoveragePoint(at_s, ratio, name, planned, asked)


class _Outlook:
    """The room that serving could have, and who is in it already."""

    def __init__(self, snapshot: Snapshot, models: Sequence[ServingModel], policy: Policy) -> None:
        self.models, self.room = models, _room_for_serving(snapshot, models)
        self.scorer = policy.placement_score(self.room, snapshot.work)
        usable = {host.name for host in snapshot.hosts if host.state in {HostState.READY, HostState.CORDONED}}
        living = [r for r in snapshot.replicas if r.state is not ReplicaState.STOPPING and r.slot.host in usable]
        self.replicas = {model.name: [r for r in living if r.model == model.name] for model in models}

    def placeable(self, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Return how many replicas of each model run when this many of each are wanted."""
        room = CachedTrial(self.room)
        kept = [self.replicas[model.name][:want] for model, want in zip(self.models, wanted, strict=True)]
        for model, replicas in zip(self.models, kept, strict=True):
            room.take_all((replica.slot for replica in replicas), model.shape)
        return tuple(
            len(replicas) + self._add(room, model, want - len(replicas), replicas)
            for model, want, replicas in zip(self.models, wanted, kept, strict=True)
        )

    def _add(self, room: CachedTrial, model: ServingModel, count: int, present: Sequence[Replica]) -> int:
        rows = room.table.rows
        limit = allowed(model, np.maximum((model.max_per_host or NO_LIMIT) - count_by_row(present, rows), 0), rows)
        units = capped(room.units(model.shape), limit, count)
        count = min(count, int(units.sum()))
        if count > 0:
            room.put(fewest_hosts(units, count, room.score(model.shape, self.scorer)), model.shape)
        return count


def _room_for_serving(snapshot: Snapshot, models: Sequence[ServingModel]) -> CachedTrial:
    """Return the room when the models' replicas, all preemptible training and all that is stopping are gone."""
    room = CachedTrial(snapshot.ledger)
    for job in snapshot.jobs:
        if job.state.holds_room and (job.preemptible or job.stop_asked or job.state is JobState.PREEMPTING):
            room.give_all(job.slots, job.gang.shape)
    shapes = {model.name: model.shape for model in models}
    apart = {model.name for model in snapshot.models} - shapes.keys()
    for replica in snapshot.replicas:
        if replica.model not in apart and replica.slot.host in room.table.rows:
            room.give_all((replica.slot,), shape_held(replica, shapes))
    return room
