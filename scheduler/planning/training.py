"""Waiting jobs in queue order: start what fits, promise what is being freed, preempt for what may preempt."""

from scheduler.model.plan import Cause, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.bookings import Bookings
from scheduler.planning.draft import Draft, Grant
from scheduler.planning.near_needs import needs_of
from scheduler.planning.placing import hosts_for_gang
from scheduler.planning.preemption import victims_for
from scheduler.planning.room import fits_in
from scheduler.planning.roster import Roster


def place_training(draft: Draft) -> list[StartJob]:
    """Go through the queue once and return what starts; blocked jobs keep their promise, the first have room booked.

    Nobody is preempted before everything free and everything coming has been tried, and a job's turn comes before
    those behind it take free room that its victims' room must be joined with.
    """
    starts, rights, tried, blocked = [], _Rights(draft), _Tried(draft), 0
    bookings = Bookings(draft)
    for job in draft.queue:
        if job.not_before_s > draft.snapshot.taken_at_s:
            continue
        if blocked > draft.policy.max_backfill:
            break
        start = None if tried.finds_no_room(job) else _start(job, draft, bookings)
        if start:
            starts.append(start)
            continue
        blocked += 1
        tried.found_no_room(job)
        if job.job_id in draft.promises.lapsed:
            continue
        if not tried.is_hopeless(job):
            _promise_or_preempt(job, draft, rights, bookings)
            tried.hopes(job)
        if not draft.promises.of(job.job_id):
            bookings.book(job)
    return starts


class _Tried:
    """Gangs that found no room, and for whom nobody could be stopped either: tried again only when more is expected.

    In between, room only shrinks, and what a job that is over sooner may not have, one that runs longer may not either.
    Gangs are told apart by identity, which is quick; that equal ones are seldom two objects is up to whoever makes the
    snapshot.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._full: dict[int, tuple[int, float]] = {}
        self._hopeless: dict[tuple[int, int, str], tuple[int, float]] = {}

    def finds_no_room(self, job: TrainingJob) -> bool:
        """Whether a job without a promise need not be tried."""
        return self._is_known(job, self._full.get(id(job.gang))) and not self._draft.promises.of(job.job_id)

    def found_no_room(self, job: TrainingJob) -> None:
        """Remember that there is none."""
        if not self._is_known(job, self._full.get(id(job.gang))):
            self._full[id(job.gang)] = (self._draft.room.grown, job.runtime_s)

    def is_hopeless(self, job: TrainingJob) -> bool:
        """Whether there is nothing to be promised and nobody to be stopped, or a promise is there already."""
        known = self._hopeless.get((id(job.gang), job.priority, job.queue))
        return self._is_known(job, known) or bool(self._draft.promises.of(job.job_id))

    def hopes(self, job: TrainingJob) -> None:
        """Remember a job for whom nothing could be promised."""
        if not self._draft.promises.of(job.job_id):
            self._hopeless[id(job.gang), job.priority, job.queue] = (self._draft.room.grown, job.runtime_s)

    def _is_known(self, job: TrainingJob, tried: tuple[int, float] | None) -> bool:
        return tried is not None and tried[0] == self._draft.room.grown and job.runtime_s >= tried[1]


def _start(job: TrainingJob, draft: Draft, bookings: Bookings) -> StartJob | None:
    """Start a job where it was promised room, or else where it fits best; its promise is kept when it cannot."""
    grown, promised = draft.room.grown, draft.promises.lift(job.job_id)
    at_promised = _promised_and_free(job, promised, draft)
    slots = at_promised or _best(job, draft, bookings)
    if at_promised or (not slots and draft.promises.renew(job.job_id, promised)):
        draft.room.grown = grown  # nobody else can have what was promised
    cause = Cause.BACKFILL if bookings else Cause.QUEUE
    return StartJob(job.job_id, job.attempt + 1, slots, cause) if slots else None


def _promised_and_free(job: TrainingJob, promised: tuple[Slot, ...], draft: Draft) -> tuple[Slot, ...]:
    if not promised or not fits_in(draft.room.now, promised, job.gang.shape):
        return ()
    draft.room.start_at(promised, job.gang.shape)
    return promised


def _best(job: TrainingJob, draft: Draft, bookings: Bookings) -> tuple[Slot, ...]:
    rows = hosts_for_gang(draft.room.now, job.gang, draft.scorer)
    if rows is None:
        return ()
    usable = bookings.room_for(job)
    rows = rows if usable is draft.room.now else hosts_for_gang(usable, job.gang, draft.scorer)
    slots = draft.room.start(rows, job.gang.shape, usable) if rows else ()
    bookings.take(job, slots)
    return slots


def _promise_or_preempt(job: TrainingJob, draft: Draft, rights: "_Rights", bookings: Bookings) -> None:
    """Promise a blocked job the room that is being freed; where that is too little, have others stopped for it."""
    usable = bookings.coming_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None and (grant := rights.grant_for(job, bookings)):
        bookings.give(grant.victims)
        draft.stop(grant.victims, Cause.PRIORITY, job.job_id)
        draft.grants.append(grant)
        usable = bookings.coming_for(job)
        rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows:
        slots = draft.promises.promise(job.job_id, rows, usable)
        bookings.take(job, slots)


class _Rights:
    """Who may have whom stopped, remembered for all jobs that agree in what the policy looks at.

    Until somebody is stopped, what stopping everybody would win only shrinks: a gang for which it was not enough need
    not be tried again for a later job that asks for as much.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._hopeless: dict[tuple[object, ...], int] = {}

    def grant_for(self, job: TrainingJob, bookings: Bookings) -> Grant | None:
        """Return whom to stop for a job; None when that would not be enough, or would delay a booking."""
        who, gang = (job.priority, job.queue), job.gang
        key = (who, gang.shape, gang.max_per_host, gang.require_same, job.runtime_s if bookings else None)
        if gang.workers >= self._hopeless.get(key, gang.workers + 1):
            return None
        grant = self._cheapest(job, self._draft.stoppable_for(job))
        if grant is None or not self._delays_nobody(job, grant, bookings):
            self._hopeless[key] = gang.workers
            return None
        self._hopeless.clear()
        return grant

    def _cheapest(self, job: TrainingJob, roster: Roster) -> Grant | None:
        coming = self._draft.room.coming
        found = (
            Grant(job.job_id, need, victims)
            for need in needs_of(job.gang, coming, roster)
            if (victims := victims_for(need, coming, roster)) is not None
        )
        return min(found, key=lambda grant: sum(roster.cost[v.index] for v in grant.victims), default=None)

    def _delays_nobody(self, job: TrainingJob, grant: Grant, bookings: Bookings) -> bool:
        if not bookings:
            return True
        room = bookings.room_if_stopped(job, grant.victims)
        return hosts_for_gang(room, job.gang, self._draft.scorer) is not None
