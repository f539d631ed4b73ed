"""Bookings in words: from when on a waiting job has room, whose end it waits for, and who may not go first."""

from dataclasses import replace
from math import inf

import numpy as np

from scheduler.model.plan import Reason, Unplaced
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import PlannedStart, expected_ends_s
from scheduler.planning.reasons.wording import asks, listed

MOST_NAMES = 5
"""More names of those in the way than these help nobody."""


def behind_bookings(job: TrainingJob, draft: Draft) -> Unplaced:
    """Say for which bookings the room is kept that a job would fit into now."""
    now_s = draft.snapshot.taken_at_s
    in_the_way = [b for b in draft.bookings if b.start_s < now_s + job.runtime_s and b.job.job_id != job.job_id]
    holders = tuple(str(booking.job.job_id) for booking in in_the_way)
    until_s = min((booking.start_s for booking in in_the_way), default=None)
    word = "it would not be over by then" if job.runtime_s < inf else "nothing says how long it runs (max_runtime)"
    message = f"needs {asks(job.gang)}; the room is booked for {listed(holders)}, and {word}"
    return Unplaced(job.job_id, Reason.RESERVED, message, job.gang.workers, 0, until_s, holders[:MOST_NAMES])


def with_booking(why: Unplaced, booking: PlannedStart, snapshot: Snapshot) -> Unplaced:
    """Return the reason of a job that has a booking, with its time and whom it waits for."""
    waited_for, overdue, unknown = _waited_for(booking, snapshot)
    when = [f"{listed(waited_for)} {'ends' if len(waited_for) == 1 else 'end'}"] if waited_for else []
    when += [f"serving {listed(booking.scale_downs)} is expected to need fewer replicas"] if booking.scale_downs else []
    when_all = f" for when {' and '.join(when)}" if when else ""
    late = f"; {listed(overdue)} {'runs' if len(overdue) == 1 else 'run'} for longer than expected" if overdue else ""
    guess = f"; a guess, as nothing says how long {listed(unknown)} will run" if unknown else ""
    message = f"{why.message}; booked{when_all}{late}{guess}"
    blocked_by = (*waited_for, *booking.scale_downs)[:MOST_NAMES] or why.blocked_by
    return replace(why, message=message, until_s=booking.start_s, blocked_by=blocked_by)


def _waited_for(booking: PlannedStart, snapshot: Snapshot) -> tuple[tuple[JobId, ...], ...]:
    """Return the jobs on booked hosts that end before, the last one first; those overdue; those of unknown length."""
    running, rows, now_s = snapshot.running, snapshot.ledger.table.rows, snapshot.taken_at_s
    booked = [rows[slot.host] for slot in booking.slots]
    there = np.unique(running.who[np.isin(running.row, booked)])
    ends_s = expected_ends_s(running.started_s[there], running.ends_s[there], now_s)
    before = np.flatnonzero((ends_s <= booking.start_s) & ~running.leaving[there])
    before = before[np.argsort(-ends_s[before], kind="stable")]
    jobs = [running.jobs[index] for index in there[before]]
    overdue = (job.job_id for job in jobs if job.ends_s <= now_s)
    unknown = (job.job_id for job in jobs if job.runtime_s == inf)
    return tuple(job.job_id for job in jobs), tuple(overdue), tuple(unknown)
