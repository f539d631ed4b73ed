"""Sparing victims who turn out not to be needed: room that was freed for one job may do for two."""

from math import inf

from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import beginning_anew
from scheduler.planning.placement.placing import fewest_hosts
from scheduler.planning.preemption.candidates import Victim


def spare_unnecessary(draft: Draft) -> None:
    """Spare every victim without whom the reservation it was stopped for still fits, the most costly first.

    One by one they were all needed; but room that was freed later for somebody else may do for both. Nobody is spared
    on whose room a booking counts by now.
    """
    pairs = [(victim, preemption) for preemption in draft.preemptions for victim in preemption.victims]
    for victim, preemption in sorted(pairs, key=lambda pair: pair[0].index, reverse=True):
        if victim.job.job_id in draft.stops:
            _spare_if_possible(victim, preemption, draft)


def _spare_if_possible(victim: Victim, preemption: Preemption, draft: Draft) -> None:
    """Let a victim go on if what it was stopped for finds all its room elsewhere."""
    job = victim.job
    with draft.trial() as trial:
        draft.release(preemption.holder)
        draft.spare(job)
        if draft.room.coming.overdrawn(job.slots) or draft.bookings.are_delayed(job.slots):
            return
        if _reserved_elsewhere(preemption, draft):
            trial.keep()


def _reserved_elsewhere(preemption: Preemption, draft: Draft) -> bool:
    """Reserve all that its holder needs in what is coming, if it fits there and delays no booking."""
    need, usable = preemption.need, draft.bookings.coming_until(_needed_until_s(preemption, draft))
    units = need.fitting(usable.units(need.shape))
    if units.sum() < need.count:
        return False
    draft.reserve(preemption.holder, fewest_hosts(units, need.count, usable.score(need.shape, draft.scorer)), usable)
    return True


def _needed_until_s(preemption: Preemption, draft: Draft) -> float:
    """Return until when a holder has its room: a job until it is over, a model for good."""
    job = draft.snapshot.by_id.get(preemption.holder)
    return inf if job is None else beginning_anew(job, (), draft.snapshot.taken_at_s).at_s
