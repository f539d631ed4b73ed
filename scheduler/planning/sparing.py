"""Sparing victims who turn out not to be needed: room that was freed for one job may do for two."""

from collections.abc import Sequence
from math import inf

from scheduler.model.resources import Slot
from scheduler.planning.bookings import Bookings
from scheduler.planning.draft import Draft, Grant
from scheduler.planning.placing import fewest_hosts
from scheduler.planning.roster import Victim
from scheduler.planning.timetable import Release, beginning_anew, going_on


def spare_unnecessary(draft: Draft, bookings: Bookings) -> None:
    """Spare every victim without whom the promise it was stopped for still fits, the most costly first.

    One by one they were all needed; but room that was freed later for somebody else may do for both. Nobody is spared
    on whose room a booking counts by now.
    """
    pairs = [(victim, grant) for grant in draft.grants for victim in grant.victims]
    for victim, grant in sorted(pairs, key=lambda pair: pair[0].index, reverse=True):
        if victim.job.job_id in draft.preemptions and _can_spare(victim, grant, draft, bookings):
            del draft.preemptions[victim.job.job_id]
            draft.go_on(victim.job, victim.job.slots)


def _can_spare(victim: Victim, grant: Grant, draft: Draft, bookings: Bookings) -> bool:
    """Try to keep the promise without this victim; leave everything as it was when that fails."""
    job, room, now_s = victim.job, draft.room, draft.snapshot.taken_at_s
    promised, kept = draft.promises.lift(grant.holder), draft.promises.lift(job.job_id)
    room.promise_at(job.slots, job.gang.shape)
    given = [_held_by(grant, promised, draft)]
    given += [beginning_anew(job, kept, now_s)] if kept else []
    if not room.coming.overdrawn(job.slots) and bookings.allow(given, [going_on(job, now_s)]):
        if _promised_elsewhere(grant, draft, bookings, given[0].at_s):
            return True
        bookings.note([going_on(job, now_s)], given)
    room.expect(job.slots, job.gang.shape)
    draft.promises.renew(job.job_id, kept)
    draft.promises.renew(grant.holder, promised)
    return False


def _promised_elsewhere(grant: Grant, draft: Draft, bookings: Bookings, until_s: float) -> bool:
    """Promise the holder of a grant all it needs in what is coming, if it fits there and delays no booking."""
    usable, need = bookings.coming_until(until_s), grant.need
    units = need.fitting(usable.units(need.shape))
    if units.sum() < need.count:
        return False
    rows = fewest_hosts(units, need.count, usable.score(need.shape, draft.scorer))
    bookings.note((), [_held_by(grant, draft.promises.promise(grant.holder, rows, usable), draft)])
    return True


def _held_by(grant: Grant, slots: Sequence[Slot], draft: Draft) -> Release:
    """Return what the holder of a promise has from now on: a job until it is over, a model for good."""
    job = draft.snapshot.by_id.get(grant.holder)
    if job is not None:
        return beginning_anew(job, slots, draft.snapshot.taken_at_s)
    return Release(inf, tuple(slots), grant.need.shape)
