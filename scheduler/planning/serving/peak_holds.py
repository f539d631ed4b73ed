"""Room kept for the peak beyond the lead time, free of new training that would soon have to be stopped again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import Demand, PoolDemand
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.cached_trial import Score
from scheduler.planning.placement.placing import NO_LIMIT, capped, fewest_hosts
from scheduler.planning.serving.fleet import Fleet, count_by_row


def hold_headroom(draft: Draft, fleets: Sequence[Fleet], demand: Demand) -> None:
    """Hold room for the replicas that the peak takes beyond those wanted now, as far as it is free or being freed.

    Room for a model that is served elsewhere comes first and is for all its replicas that are not seen here.
    Nobody is preempted for what is held: training that runs already may go on until the peak is within the lead time.
    """
    pooled = {name for pool in demand.pools for name in pool.models}
    by_name = {fleet.model.name: fleet for fleet in fleets} if demand.pools else {}
    search = _Search(draft)
    _hold_elsewhere(search, draft.snapshot, demand)
    for pool in demand.pools:
        _hold_for_pool(search, pool, by_name)
    _hold_apart(search, [fleet for fleet in fleets if fleet.model.name not in pooled])


def _hold_elsewhere(search: "_Search", snapshot: Snapshot, demand: Demand) -> None:
    for model in snapshot.models:
        wants = demand.of(model.name) if model.elsewhere else None
        if wants is not None:
            beyond = min(wants.replicas_held, model.max_replicas) - len(snapshot.living.get(model.name, ()))
            if beyond > 0:
                limit = model.max_per_host or NO_LIMIT
                search.hold(_Peak((model.name,), model.shape, wants.peak_at_s), limit, beyond)


def _hold_apart(search: "_Search", fleets: Sequence[Fleet]) -> None:
    for fleet in fleets:
        beyond = min(fleet.demand.replicas_held, fleet.most) - fleet.wanted
        if beyond > 0:
            search.hold(_Peak.of(fleet, fleet.demand.peak_at_s), search.limit(fleet), beyond)


def _hold_for_pool(search: "_Search", pool: PoolDemand, by_name: Mapping[str, Fleet]) -> None:
    """Hold room that every model of the pool could use; failing that, some of them; failing that, one by one."""
    members = [by_name[name] for name in pool.models if name in by_name]
    left = pool.replicas_held
    if left <= 0 or not members:
        return
    shape = covering([fleet.model.shape for fleet in members])
    peak = _Peak(tuple(fleet.model.name for fleet in members), shape, pool.peak_at_s)
    limits = [search.limit(fleet) for fleet in members if fleet.model.max_per_host]
    everyone = reduce(np.minimum, limits) if limits else NO_LIMIT
    slots = search.hold(peak, everyone, left)
    left -= len(slots)
    if left and limits:
        most = reduce(np.maximum, limits) if len(limits) == len(members) else NO_LIMIT
        left -= len(search.hold(peak, np.maximum(most - search.counts(slots), 0), left))
    for fleet in members:
        left -= len(search.hold(_Peak.of(fleet, pool.peak_at_s), search.limit(fleet), left))


def covering(shapes: Sequence[Shape]) -> Shape:
    """Return the smallest shape in whose room a replica of any of these fits; their devices are of one kind."""
    return replace(
        shapes[0],
        cpu_milli=max(shape.cpu_milli for shape in shapes),
        memory_mib=max(shape.memory_mib for shape in shapes),
    )


class _Peak(NamedTuple):
    """Of which models, what each of their replicas needs, and when it is expected, epoch seconds."""

    models: tuple[str, ...]
    shape: Shape
    at_s: float

    @classmethod
    def of(cls, fleet: Fleet, at_s: float) -> "_Peak":
        """Return that of one model."""
        return cls((fleet.model.name,), fleet.model.shape, at_s)


class _Search:
    """The search for room to hold, for one model after the other.

    Hosts are told apart by what they scored before anything was held for a replica of that shape: what is held first
    makes a host no worse for what is held next, and many models ask for the same.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft, self._room, self._scorer = draft, draft.room, draft.scorer
        self._rows = draft.room.coming.table.rows
        self._scores: dict[Shape, NDArray[np.float64]] = {}

    def hold(self, peak: _Peak, limit: NDArray[np.int64] | int, most: int) -> tuple[Slot, ...]:
        """Hold room for up to `most` units and return where."""
        units = capped(self._room.coming.units(peak.shape), limit, most)
        count = min(most, int(units.sum()))
        rows = fewest_hosts(units, count, self._score(peak.shape)) if count > 0 else ()
        return self._draft.hold(*peak[:2], rows, peak.at_s)

    def limit(self, fleet: Fleet) -> NDArray[np.int64] | int:
        """Return how many more replicas of a model each host may have by the model's own limit."""
        if not fleet.model.max_per_host:
            return NO_LIMIT
        return np.maximum(fleet.max_per_host - count_by_row(fleet.staying, self._rows), 0)

    def counts(self, slots: Sequence[Slot]) -> NDArray[np.int64]:
        """Return how many of the slots each host has, int64 (H,)."""
        return np.bincount([self._rows[slot.host] for slot in slots], minlength=len(self._rows))

    def _score(self, shape: Shape) -> Score:
        if shape not in self._scores:
            self._scores[shape] = self._room.coming.scores(shape, self._scorer).copy()
        return self._scores[shape].__getitem__
