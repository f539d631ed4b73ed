"""Room kept for the peak beyond the lead time, free of new training that would soon have to be stopped again."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import Demand, PoolDemand
from scheduler.model.plan import PeakHold
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import ServingModel
from scheduler.planning.draft import Draft
from scheduler.planning.fleet import Fleet, count_by_row
from scheduler.planning.placing import NO_LIMIT, capped, fewest_hosts
from scheduler.planning.room import Score


def hold_headroom(draft: Draft, fleets: Sequence[Fleet], demand: Demand) -> tuple[PeakHold, ...]:
    """Hold room for the replicas that the peak takes beyond those wanted now, as far as it is free or being freed.

    Room for a model that is served elsewhere comes first and is for all its replicas: nothing else stands for them.
    Nobody is preempted for what is held: training that runs already may go on until the peak is within the lead time.
    """
    pooled = {name for pool in demand.pools for name in pool.models}
    by_name = {fleet.model.name: fleet for fleet in fleets} if demand.pools else {}
    search = _Search(draft)
    held = [*_hold_elsewhere(search, draft.snapshot.models, demand)]
    held += [one for pool in demand.pools for one in _hold_for_pool(search, pool, by_name) if one.slots]
    return (*held, *_hold_apart(search, [fleet for fleet in fleets if fleet.model.name not in pooled]))


def _hold_elsewhere(search: "_Search", models: Iterable[ServingModel], demand: Demand) -> Iterator[PeakHold]:
    for model in models:
        wants = demand.of(model.name) if model.elsewhere else None
        if wants is not None and wants.replicas_held > 0:
            limit = model.max_per_host or NO_LIMIT
            if slots := search.hold(model.shape, limit, min(wants.replicas_held, model.max_replicas)):
                yield PeakHold((model.name,), model.shape, slots, wants.peak_at_s)


def _hold_apart(search: "_Search", fleets: Sequence[Fleet]) -> Iterator[PeakHold]:
    for fleet in fleets:
        beyond = min(fleet.demand.replicas_held, fleet.model.max_replicas) - fleet.wanted
        if beyond > 0 and (slots := search.hold(fleet.model.shape, search.limit(fleet), beyond)):
            yield PeakHold((fleet.model.name,), fleet.model.shape, slots, fleet.demand.peak_at_s)


def _hold_for_pool(search: "_Search", pool: PoolDemand, by_name: Mapping[str, Fleet]) -> Iterator[PeakHold]:
    """Hold room that every model of the pool could use; failing that, some of them; failing that, one by one."""
    members = [by_name[name] for name in pool.models if name in by_name]
    left = pool.replicas_held
    if left <= 0 or not members:
        return
    names, shape = tuple(fleet.model.name for fleet in members), covering([fleet.model.shape for fleet in members])
    limits = [search.limit(fleet) for fleet in members if fleet.model.max_per_host]
    everyone = reduce(np.minimum, limits) if limits else NO_LIMIT
    slots = search.hold(shape, everyone, left)
    left -= len(slots)
    if left and limits:
        most = reduce(np.maximum, limits) if len(limits) == len(members) else NO_LIMIT
        more = search.hold(shape, np.maximum(most - search.counts(slots), 0), left)
        slots, left = (*slots, *more), left - len(more)
    yield PeakHold(names, shape, slots, pool.peak_at_s)
    for fleet in members:
        own = search.hold(fleet.model.shape, search.limit(fleet), left) if left else ()
        left -= len(own)
        yield PeakHold((fleet.model.name,), fleet.model.shape, own, pool.peak_at_s)


def covering(shapes: Sequence[Shape]) -> Shape:
    """Return the smallest shape in whose room a replica of any of these fits; their devices are of one kind."""
    return replace(
        shapes[0],
        cpu_milli=max(shape.cpu_milli for shape in shapes),
        memory_mib=max(shape.memory_mib for shape in shapes),
    )


class _Search:
    """The search for room to hold, for one model after the other.

    Hosts are told apart by what they scored before anything was held for a replica of that shape: what is held first
    makes a host no worse for what is held next, and many models ask for the same.
    """

    def __init__(self, draft: Draft) -> None:
        self._room, self._scorer = draft.room, draft.scorer
        self._rows = draft.room.coming.table.rows
        self._scores: dict[Shape, NDArray[np.float64]] = {}

    def hold(self, shape: Shape, limit: NDArray[np.int64] | int, most: int) -> tuple[Slot, ...]:
        """Hold room for up to `most` units and return where."""
        units = capped(self._room.coming.units(shape), limit, most)
        count = min(most, int(units.sum()))
        return self._room.promise(fewest_hosts(units, count, self._score(shape)), shape) if count else ()

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
