"""Waiting jobs in queue order: start what fits, promise what is being freed, preempt for what may preempt."""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.model.plan import Cause, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.bookings import Bookings
from scheduler.planning.draft import Draft, Grant
from scheduler.planning.growing import top_up
from scheduler.planning.guaranteed import Guaranteed
from scheduler.planning.near_needs import needs_of
from scheduler.planning.placing import hosts_for_gang, takes
from scheduler.planning.reclaiming import may_all_go, rosters_for, victims_in_queue
from scheduler.planning.room import fits_in
from scheduler.planning.roster import Roster, Victim
from scheduler.planning.shrinking import keep_remainders, victims_by_cost
from scheduler.planning.tried import Tried
from scheduler.planning.weighing import weighed


def place_training(draft: Draft, bookings: Bookings) -> list[StartJob]:
    """Go through the queue once and return what starts; blocked jobs keep their promise, the first have room booked.

    Nobody is preempted before everything free and everything coming has been tried, and a job's turn comes before
    those behind it take free room that its victims' room must be joined with.
    """
    draft.open_accounts()
    starts, tried, blocked = dict[str, StartJob](), Tried(draft, bookings), 0
    guaranteed = Guaranteed(draft)
    for job in draft.queue:
        if job.not_before_s > draft.snapshot.taken_at_s or job.job_id in starts:
            continue
        if blocked > draft.policy.max_backfill:
            break
        if draft.quotas is None and bookings.are_enough and tried.is_known_to_be_over(job):
            blocked += 1
            continue
        if draft.quotas is not None and not draft.quotas.is_owed(job):
            starts |= _before(job.queue, guaranteed, draft, tried)
        start = _turn(job, draft, tried)
        blocked += start is None
        starts |= {start.job_id: start} if start else {}
    starts |= _before("", guaranteed, draft, tried)
    return top_up(draft, list(starts.values()), bookings)


def _turn(job: TrainingJob, draft: Draft, tried: Tried) -> StartJob | None:
    """Start a job, or promise it room, or have others stopped for it, or book for it."""
    if draft.quotas is not None and draft.quotas.refusal(job):
        _make_way_in_queue(job, draft, tried)
        return None
    start = _start_or_promise(job, draft, tried)
    if job.job_id not in draft.placed and job.job_id not in draft.promises.lapsed:
        tried.bookings.book(job)
    return start


def _start_or_promise(job: TrainingJob, draft: Draft, tried: Tried) -> StartJob | None:
    over = tried.is_over(job)
    start = None if over or tried.finds_no_room(job) else _start(job, draft, tried)
    if start or (start := _start_before_bookings(job, draft, tried)):
        draft.count(job, start.slots)
        return start
    if not over and job.job_id not in draft.promises.lapsed and not tried.is_hopeless(job):
        _promise_or_preempt(job, draft, tried)
    if draft.promises.of(job.job_id):
        draft.count(job)
    return None


def _before(queue: str, guaranteed: Guaranteed, draft: Draft, tried: Tried) -> dict[str, StartJob]:
    """Give those of other queues their turn whom a guarantee covers, before one goes that none covers.

    Their own queue may have others go before them, and what is free, or is freed for one that no guarantee covers,
    would be gone for another minimum run.
    """
    starts = dict[str, StartJob]()
    for job in guaranteed.before(queue):
        booked = tried.bookings.withdraw(job)
        if start := _start_or_promise(job, draft, tried):
            starts[start.job_id] = start
        if job.job_id in draft.placed:
            tried.bookings.cancel(job)
        else:
            tried.bookings.restore(booked)
    return starts


def _start_before_bookings(job: TrainingJob, draft: Draft, tried: Tried) -> StartJob | None:
    """Start a job that its queue's guarantee covers in booked room, or promise it some, where that is in its way.

    A booking may be its own queue's, for what goes beyond the guarantee: that holds no guarantee up as long as others
    hold room. Those who had booked are booked anew afterwards. What finds nothing is not tried again until somebody is
    stopped.
    """
    quotas, bookings, key = draft.quotas, tried.bookings, (job.queue, id(job.gang))
    if quotas is None or not bookings or key in draft.in_vain or job.job_id in draft.promises.lapsed:
        return None
    if draft.promises.of(job.job_id) or not quotas.is_owed(job) or not quotas.shares_with_others(job.queue):
        return None
    withdrawn = bookings.withdraw_all()
    start = None if tried.finds_no_room(job) else _start(job, draft, tried)
    if start is None and not tried.is_hopeless(job):
        _promise_or_preempt(job, draft, tried)
    if start is None and not draft.promises.of(job.job_id):
        draft.in_vain.add(key)
        bookings.restore(withdrawn[::-1])
        return None
    bookings.book_anew(withdrawn)
    return start


def _start(job: TrainingJob, draft: Draft, tried: Tried) -> StartJob | None:
    """Start a job where it was promised room, or else where it fits best; its promise is kept when it cannot."""
    grown, promised = draft.room.grown, draft.promises.lift(job.job_id)
    at_promised = _promised_and_free(job, promised, draft)
    slots = at_promised or _best(job, draft, tried, holds_promise=bool(promised))
    if at_promised or (not slots and draft.promises.renew(job.job_id, promised)):
        draft.room.grown = grown  # nobody else can have what was promised
    cause = Cause.BACKFILL if tried.bookings else Cause.QUEUE
    return StartJob(job.job_id, job.attempt + 1, slots, cause) if slots else None


def _promised_and_free(job: TrainingJob, promised: tuple[Slot, ...], draft: Draft) -> tuple[Slot, ...]:
    if not promised or not fits_in(draft.room.now, promised, job.gang.shape):
        return ()
    draft.room.start_at(promised, job.gang.shape)
    return promised


def _best(job: TrainingJob, draft: Draft, tried: Tried, *, holds_promise: bool) -> tuple[Slot, ...]:
    """Start a job where it fits best; of one whose promise is lifted meanwhile nothing is remembered."""
    usable = tried.bookings.room_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        if not holds_promise:
            tried.found_no_room(job, usable)
        return ()
    if not draft.may_sit_on(job, rows):
        return ()
    slots = draft.room.start(rows, job.gang.shape, usable)
    tried.bookings.take(job, slots)
    return slots


def _promise_or_preempt(job: TrainingJob, draft: Draft, tried: Tried) -> None:
    """Promise a blocked job the room that is being freed; where that is too little, have others stopped for it."""
    if _promise(job, draft, tried) or not draft.may_have_others_stopped(job) or tried.waits_for_bookings(job):
        return  # where enough is coming, and booked, stopping others would not change that
    grant = _grant_for(job, draft, tried) or _grant_for_size(job, draft, tried)
    if grant is None:
        tried.stops_nobody(job)
        return
    draft.stop(grant.victims, grant.cause, job.job_id)
    draft.grants.append(grant)
    _promise(job, draft, tried)
    keep_remainders(draft, tried.bookings)


def _promise(job: TrainingJob, draft: Draft, tried: Tried) -> bool:
    """Promise a job what is coming, if that is enough; say whether it is."""
    if tried.finds_nothing_coming(job):
        return False
    usable = tried.bookings.coming_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        tried.found_nothing_coming(job, usable)
        return False
    if not draft.may_sit_on(job, rows):
        return False
    tried.bookings.take(job, draft.promises.promise(job.job_id, rows, usable))
    return True


def _grant_for(job: TrainingJob, draft: Draft, tried: Tried) -> Grant | None:
    """Return whom to stop for a job; None when that would not be enough, or would delay a booking."""
    if tried.has_nobody(job):
        return None
    could_be_won = draft.could_be_won(job, job.gang)
    grant = _cheapest_of(job, draft, draft.stoppable_for(job), Cause.PRIORITY) if could_be_won else None
    if grant is None:
        tried.found_nobody(job)
    return _stopped_for(job, grant, tried.bookings)


def _grant_for_size(job: TrainingJob, draft: Draft, tried: Tried) -> Grant | None:
    """Return which equals to stop for a much shorter job; for the first few of a plan, as each answer is its own."""
    if not tried.displacing:
        return None
    tried.displacing -= 1
    grant = _cheapest_of(job, draft, draft.equals_stoppable_for(job), Cause.SHORTER)
    return _stopped_for(job, grant, tried.bookings)


def _cheapest_of(job: TrainingJob, draft: Draft, by_rule: Roster, cause: Cause) -> Grant | None:
    """Return whom to stop for a job of those that the rule allows and the terms of queues let go."""
    found = (_cheapest(job, draft, roster, cause) for roster in rosters_for(job, draft, by_rule))
    grant = next((grant for grant in found if grant is not None and may_all_go(job, draft, grant.victims)), None)
    takes_back = grant is not None and draft.takes_back(job, grant.victims)
    return replace(grant, cause=Cause.GUARANTEE) if grant is not None and takes_back else grant


def _cheapest(job: TrainingJob, draft: Draft, roster: Roster, cause: Cause) -> Grant | None:
    found = (
        Grant(job.job_id, need, victims, cause)
        for need in needs_of(job.gang, draft.room.coming, roster)
        if (victims := victims_by_cost(need, draft, roster)) is not None
    )
    cheapest = min(found, key=lambda grant: sum(victim.cost for victim in grant.victims), default=None)
    if cheapest is None:
        return None
    return replace(cheapest, victims=weighed(cheapest.need, draft, roster, cheapest.victims, job.job_id))


def _stopped_for(job: TrainingJob, grant: Grant | None, bookings: Bookings) -> Grant | None:
    """Have the bookings count on a grant if it delays none; where shrinking would, victims give way whole."""
    if grant is None or not bookings or _finds_room(job, grant.victims, bookings):
        return grant
    if not any(victim.keeps for victim in grant.victims):
        return None
    whole = replace(grant, victims=tuple(replace(victim, keeps=()) for victim in grant.victims))
    return whole if _finds_room(job, whole.victims, bookings) else None


def _finds_room(job: TrainingJob, victims: Sequence[Victim], bookings: Bookings) -> bool:
    """Have the bookings count on these victims' being stopped, if that gives a job room and delays nobody."""
    changes = bookings.if_stopped(victims)
    if not bookings.allow(*changes):
        return False
    if takes(bookings.room_if_stopped(job, victims), job.gang):
        return True
    bookings.note(*reversed(changes))
    return False


def _make_way_in_queue(job: TrainingJob, draft: Draft, tried: Tried) -> None:
    """Stop jobs of a queue that is at its limit for one of its own, if that gives it room as well."""
    victims, bookings = victims_in_queue(job, draft), tried.bookings
    if not victims or not draft.may_have_others_stopped(job) or not _finds_room(job, victims, bookings):
        return
    draft.stop(victims, Cause.GUARANTEE if draft.takes_back(job, victims) else Cause.PRIORITY, job.job_id)
    usable = bookings.coming_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is not None:
        bookings.take(job, draft.promises.promise(job.job_id, rows, usable))
        draft.count(job)
