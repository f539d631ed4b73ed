"""Why everything that waits waits: with numbers, until when, and because of whom."""

from bisect import bisect_left
from dataclasses import replace
from math import inf

import numpy as np

from scheduler.model.plan import Reason, Unplaced
from scheduler.model.reasons import Reasons
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.reasons.bookings import behind_bookings, with_booking
from scheduler.planning.reasons.facts import MOST_NAMES, Obstacle, ReasonFacts, freed_for
from scheduler.planning.reasons.models import why_model_lacks
from scheduler.planning.reasons.queues import QueueReasons
from scheduler.planning.reasons.wording import asks, listed


def explain(facts: ReasonFacts) -> Reasons:
    """Return the reason of every job that waits or is held, in queue order, then of every model short of replicas."""
    draft, why_not = facts.draft, _WhyNot(facts)
    started = {start.job_id for start in facts.starts}
    subjects, reasons = list[str](), list[Unplaced]()
    for job in draft.queue:
        if job.job_id not in started:
            subjects.append(job.job_id)
            reasons.append(why_not.quickly(job) or why_not(job))
    apart = [_held_by_owner(job) for job in draft.snapshot.held]
    apart += [why for fleet in facts.served.fleets if (why := why_model_lacks(fleet, facts))]
    return Reasons([*subjects, *(why.subject for why in apart)], [*reasons, *apart])


class _WhyNot:
    """Why a job waits: the first reason that holds; it may name another job for which the very same holds.

    What depends on the gang alone is found once for all like it, and what the bookings in its way decide once for all
    that meet the same ones.
    """

    def __init__(self, facts: ReasonFacts) -> None:
        self._facts, self._draft = facts, facts.draft
        self._now_s = facts.draft.snapshot.taken_at_s
        self._of_gang: dict[int, tuple[Unplaced | None, bool, Unplaced]] = {}
        self._by_queue = QueueReasons(facts.draft)
        self._booked = {booking.job.job_id: booking for booking in self._draft.bookings}
        self._starts_s = sorted(booking.start_s for booking in self._draft.bookings)
        self._behind: dict[tuple[int, int, bool], Unplaced] = {}
        quotas, queued = self._draft.quotas, self._draft.snapshot.queued
        untrusted = np.flatnonzero(queued.trusted_from_s > self._now_s)
        self._untrusted = {queued.jobs[row].job_id for row in untrusted.tolist()}
        refused = quotas.refused if quotas is not None else ()
        self._apart = {*self._booked, *self._untrusted, *facts.holders, *refused}
        self._of_all: dict[int, Unplaced] = {}

    def quickly(self, job: TrainingJob) -> Unplaced | None:
        """Return the reason of most: one that holds of all that have such a gang; None when more must be looked at."""
        if job.not_before_s > self._now_s or job.job_id in self._apart:
            return None
        return self._of_all.get(id(job.gang))

    def __call__(self, job: TrainingJob) -> Unplaced:
        known = self._of_gang.get(id(job.gang))
        if known is None:
            known = self._of_gang[id(job.gang)] = self._why_gang_waits(job.gang)
            if known[0] or not known[1]:
                self._of_all[id(job.gang)] = known[0] or known[2]
        never, fits, lacks = known
        why = never or self._own(job) or self._by_queue.of(job) or (self._behind_bookings(job) if fits else lacks)
        booking = self._booked.get(job.job_id)
        if job.job_id in self._untrusted and why.reason is not Reason.BACKING_OFF:
            why = replace(why, message=f"{why.message}; nobody is stopped for it, as its last start failed")
        return with_booking(why, booking, self._draft.snapshot) if booking else why

    def _own(self, job: TrainingJob) -> Unplaced | None:
        """Return the reason that is this job's only."""
        if job.not_before_s > self._now_s:
            return _backing_off(job)
        return _being_freed(job, self._facts) if self._draft.reservations.of(job.job_id) else None

    def _behind_bookings(self, job: TrainingJob) -> Unplaced:
        if job.job_id in self._booked:
            return behind_bookings(job, self._draft)
        met = bisect_left(self._starts_s, self._now_s + job.runtime_s)
        key = (id(job.gang), met, job.runtime_s < inf)
        if key not in self._behind:
            self._behind[key] = behind_bookings(job, self._draft)
        return self._behind[key]

    def _why_gang_waits(self, gang: Gang) -> tuple[Unplaced | None, bool, Unplaced]:
        """Return why a gang never fits, if so; whether it would fit but for bookings; and what it lacks."""
        never = self._facts.never_fits(gang)
        if never:
            return never, False, never
        obstacle = self._facts.must_give_way(gang)
        fits = obstacle is Obstacle.NONE and bool(self._draft.bookings)
        return None, fits, self._lacks(gang, obstacle)

    def _lacks(self, gang: Gang, obstacle: Obstacle) -> Unplaced:
        if obstacle <= Obstacle.HOLDS and self._draft.holds:
            return _held_for_serving(gang, self._facts)
        if obstacle <= Obstacle.RESERVATIONS and self._facts.holders:
            return _reserved(gang, self._facts)
        return _insufficient(gang, self._facts)


def _held_by_owner(job: TrainingJob) -> Unplaced:
    return Unplaced(job.job_id, Reason.HELD_BY_OWNER, "held by its owner or an operator", job.gang.workers)


def _backing_off(job: TrainingJob) -> Unplaced:
    message = "its last start failed; it is tried again after a pause"
    return Unplaced(job.job_id, Reason.BACKING_OFF, message, job.gang.workers, until_s=job.not_before_s)


def _being_freed(job: TrainingJob, facts: ReasonFacts) -> Unplaced:
    slots = facts.draft.reservations.of(job.job_id)
    return freed_for(job.job_id, f"needs {asks(job.gang)}", slots, job.gang.workers, facts)


def _held_for_serving(gang: Gang, facts: ReasonFacts) -> Unplaced:
    models, until_s = facts.peaks
    message = f"needs {asks(gang)}; the room is held for the peak of {listed(models)}"
    return Unplaced("", Reason.HELD_FOR_SERVING, message, gang.workers, 0, until_s, models)


def _reserved(gang: Gang, facts: ReasonFacts) -> Unplaced:
    holders = facts.holders
    message = f"needs {asks(gang)}; the room was freed for {listed(holders)}"
    return Unplaced("", Reason.RESERVED, message, gang.workers, 0, None, holders[:MOST_NAMES])


def _insufficient(gang: Gang, facts: ReasonFacts) -> Unplaced:
    short = facts.scarcity_of(gang)
    until_s = facts.all_gone_s(gang)
    blockers = facts.holders_on(short.host)
    message = short.message
    if until_s is None and facts.waits_for_serving(gang):
        message += "; it fits only when serving needs less than now, whatever training ends"
    return Unplaced("", short.reason, message, short.asked, short.free, until_s, blockers)
