"""Room kept for the peak beyond the lead time, free of new training that would soon have to be stopped again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.model.resources import Slot
from scheduler.model.workloads import ServingModel
from scheduler.planning.draft import Draft
from scheduler.planning.fleet import Fleet, count_by_row
from scheduler.planning.placing import capped, fewest_hosts


@dataclass(frozen=True, slots=True)
class Held:
    """Room held for a model's coming peak.

    Attributes:
        model: for which model.
        slots: one per replica, free or being freed.
        until_s: when its peak is expected, epoch seconds; 0 when unknown.
    """

    model: ServingModel
    slots: tuple[Slot, ...]
    until_s: float


def hold_headroom(draft: Draft, fleets: Sequence[Fleet]) -> tuple[Held, ...]:
    """Hold room for the replicas that the peak takes beyond those wanted now, as far as it is free or being freed.

    Nobody is preempted for it: training that runs already may go on until the peak is within the lead time.
    """
    return tuple(held for fleet in fleets if (held := _hold(draft, fleet)).slots)


def _hold(draft: Draft, fleet: Fleet) -> Held:
    model, coming = fleet.model, draft.room.coming
    wanted_later = min(fleet.demand.replicas_held, model.max_replicas) - fleet.wanted
    limit = np.maximum(fleet.max_per_host - count_by_row(fleet.staying, coming.table.rows), 0)
    units = capped(coming.units(model.shape), limit, max(wanted_later, 0))
    count = min(wanted_later, int(units.sum()))
    if count <= 0:
        return Held(model, (), 0.0)
    rows = fewest_hosts(units, count, coming.scores(model.shape, draft.scorer))
    return Held(model, draft.room.promise(rows, model.shape), fleet.demand.peak_at_s)
