"""Waiting jobs in queue order: start what fits, reserve what is being freed, preempt for what may preempt."""

from dataclasses import replace

from scheduler.model.plan import Cause, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import could_be_won, may_have_others_stopped, may_sit_on, takes_back
from scheduler.planning.placement.need import need_of
from scheduler.planning.placement.placing import hosts_for_gang, takes
from scheduler.planning.preemption.candidates import Candidates
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.queueing.guaranteed import Guaranteed
from scheduler.planning.queueing.search_memo import SearchMemo
from scheduler.planning.restarts.grow import top_up
from scheduler.planning.restarts.shrink import keep_remainders, victims_by_cost
from scheduler.planning.victim_selection.own_queue import victims_in_queue
from scheduler.planning.victim_selection.reclaim import candidates_for, may_all_go
from scheduler.planning.victim_selection.weighing import weighed


def place_training(draft: Draft) -> list[StartJob]:
    """Go through the queue once and return what starts; for blocked jobs room is reserved, for the first it is booked.

    Nobody is preempted before everything free and everything coming has been tried, and a job's turn comes before
    those behind it take free room that its victims' room must be joined with.
    """
    starts, memo, blocked = dict[str, StartJob](), SearchMemo(draft), 0
    guaranteed = Guaranteed(draft)
    for job in draft.queue:
        if job.not_before_s > draft.snapshot.taken_at_s or job.job_id in starts:
            continue
        if blocked > draft.policy.max_backfill:
            break
        if draft.quotas is None and draft.bookings.are_enough and memo.is_known_to_be_over(job):
            blocked += 1
            continue
        if draft.quotas is not None and not draft.quotas.is_owed(job):
            starts |= _before(job.queue, guaranteed, draft, memo)
        start = _turn(job, draft, memo)
        blocked += start is None
        starts |= {start.job_id: start} if start else {}
    starts |= _before("", guaranteed, draft, memo)
    return top_up(draft, list(starts.values()))


def _turn(job: TrainingJob, draft: Draft, memo: SearchMemo) -> StartJob | None:
    """Start a job, or reserve room for it, or have others stopped for it, or book for it."""
    if draft.quotas is not None and draft.quotas.refusal(job):
        _make_way_in_queue(job, draft)
        return None
    start = _start_or_reserve(job, draft, memo)
    if job.job_id not in draft.placed and job.job_id not in draft.reservations.lapsed:
        draft.book(job)
    return start


def _start_or_reserve(job: TrainingJob, draft: Draft, memo: SearchMemo) -> StartJob | None:
    over = memo.is_over(job)
    start = None if over or memo.finds_no_room(job) else _start(job, draft, memo)
    if start or (start := _start_before_bookings(job, draft, memo)):
        return start
    if not over and job.job_id not in draft.reservations.lapsed and not memo.is_hopeless(job):
        _reserve_or_preempt(job, draft, memo)
    if draft.reservations.of(job.job_id):
        draft.place(job)
    return None


def _before(queue: str, guaranteed: Guaranteed, draft: Draft, memo: SearchMemo) -> dict[str, StartJob]:
    """Give those of other queues their turn whom a guarantee covers, before one goes that none covers.

    Their own queue may have others go before them, and what is free, or is freed for one that no guarantee covers,
    would be gone for another minimum run.
    """
    starts = dict[str, StartJob]()
    for job in guaranteed.before(queue):
        with draft.trial() as trial:
            draft.withdraw_booking(job)
            if start := _start_or_reserve(job, draft, memo):
                starts[start.job_id] = start
            if job.job_id in draft.placed:
                trial.keep()
    return starts


def _start_before_bookings(job: TrainingJob, draft: Draft, memo: SearchMemo) -> StartJob | None:
    """Start a job that its queue's guarantee covers in booked room, or reserve it some, where that is in its way.

    A booking may be its own queue's, for what goes beyond the guarantee: that holds no guarantee up as long as others
    hold room. Those who had booked are booked anew afterwards. What finds nothing is not tried again until somebody is
    stopped.
    """
    quotas, key = draft.quotas, (job.queue, id(job.gang))
    if quotas is None or not draft.bookings or key in draft.in_vain or job.job_id in draft.reservations.lapsed:
        return None
    if draft.reservations.of(job.job_id) or not quotas.is_owed(job) or not quotas.shares_with_others(job.queue):
        return None
    booked = [booking.job for booking in draft.bookings]
    with draft.trial() as trial:
        for other in booked:
            draft.withdraw_booking(other)
        start = None if memo.finds_no_room(job) else _start(job, draft, memo)
        if start is None and not memo.is_hopeless(job):
            _reserve_or_preempt(job, draft, memo)
        if start is None and not draft.reservations.of(job.job_id):
            draft.in_vain.add(key)
            return None
        trial.keep()
    for other in booked:
        draft.book(other)
    return start


def _start(job: TrainingJob, draft: Draft, memo: SearchMemo) -> StartJob | None:
    """Start a job in its reservation, or else where it fits best; the reservation is kept when it cannot."""
    slots = draft.start_reserved(job)
    if not slots and draft.reservations.of(job.job_id):
        with draft.trial() as trial:
            draft.release(job.job_id)
            slots = _best(job, draft, memo, is_reserved=True)
            if slots:
                trial.keep()
    elif not slots:
        slots = _best(job, draft, memo, is_reserved=False)
    cause = Cause.BACKFILL if draft.bookings else Cause.QUEUE
    return StartJob(job.job_id, job.attempt + 1, slots, cause) if slots else None


def _best(job: TrainingJob, draft: Draft, memo: SearchMemo, *, is_reserved: bool) -> tuple[Slot, ...]:
    """Start a job where it fits best; of one whose reservation is lifted meanwhile nothing is remembered."""
    usable = draft.bookings.room_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        if not is_reserved:
            memo.found_no_room(job, usable)
        return ()
    if not may_sit_on(job, draft, rows):
        return ()
    return draft.start(job, rows, usable)


def _reserve_or_preempt(job: TrainingJob, draft: Draft, memo: SearchMemo) -> None:
    """Reserve room that is being freed for a blocked job; where that is too little, have others stopped for it."""
    if _reserve(job, draft, memo) or not may_have_others_stopped(job, draft) or memo.waits_for_bookings(job):
        return  # where enough is coming, and booked, stopping others would not change that
    if _reserve_in_remainders(job, draft, memo):
        keep_remainders(draft)
    elif _preempt(job, draft, memo) or _preempt_equals(job, draft, memo):
        _reserve(job, draft, memo)
        keep_remainders(draft)
    else:
        memo.stops_nobody(job)


def _reserve(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Reserve what is coming for a job, if that is enough; say whether it is."""
    if memo.finds_nothing_coming(job):
        return False
    usable = draft.bookings.coming_for(job)
    rows = hosts_for_gang(usable, job.gang, draft.scorer)
    if rows is None:
        memo.found_nothing_coming(job, usable)
        return False
    if not may_sit_on(job, draft, rows):
        return False
    draft.reserve(job.job_id, rows, usable)
    return True


def _reserve_in_remainders(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Reserve what others were to keep who are stopped anyhow, if a job may have them stopped; say whether it does.

    Else they would go on with it, and be stopped once more for this job after their minimum run.
    """
    keeping = (draft.snapshot.by_id[job_id] for job_id in draft.stops if draft.reservations.of(job_id))
    others = draft.stoppable.of(keeping, job) if draft.quotas is None else []
    with draft.trial() as trial:
        for other in others:
            draft.release(other.job_id)
        if others and _reserve(job, draft, memo):
            trial.keep()
    return trial.kept


def _preempt(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Have those stopped for a job who may be; False when that would not be enough, or would delay a booking."""
    if memo.has_nobody(job):
        return False
    found = None
    if could_be_won(job, draft, job.gang):
        found = _cheapest_of(job, draft, draft.stoppable.for_job(job), Cause.PRIORITY)
    if found is None:
        memo.found_nobody(job)
    return found is not None and _carry_out(job, found, draft)


def _preempt_equals(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Have equals stopped for a much shorter job; for the first few of a plan, as each answer is its own."""
    if not memo.displacing:
        return False
    memo.displacing -= 1
    found = _cheapest_of(job, draft, draft.stoppable.equals_for(job), Cause.SHORTER)
    return found is not None and _carry_out(job, found, draft)


def _cheapest_of(job: TrainingJob, draft: Draft, by_rule: Candidates, cause: Cause) -> Preemption | None:
    """Return whom to stop for a job of those that the rule allows and the terms of queues let go."""
    found = (_cheapest(job, draft, candidates, cause) for candidates in candidates_for(job, draft, by_rule))
    first = next((one for one in found if one is not None and may_all_go(job, draft, one.victims)), None)
    if first is not None and takes_back(job, draft, first.victims):
        return replace(first, cause=Cause.GUARANTEE)
    return first


def _cheapest(job: TrainingJob, draft: Draft, candidates: Candidates, cause: Cause) -> Preemption | None:
    found = (
        Preemption(job.job_id, need, victims, cause)
        for need in needs_of(job.gang, draft.room.coming, candidates)
        if (victims := victims_by_cost(need, draft, candidates)) is not None
    )
    cheapest = min(found, key=lambda one: sum(victim.cost for victim in one.victims), default=None)
    if cheapest is None or cause is Cause.SHORTER:
        return cheapest  # the rule has weighed the wait that is saved; what follows would be played through each turn
    return replace(cheapest, victims=weighed(cheapest.need, draft, candidates, cheapest.victims, job.job_id))


def _carry_out(job: TrainingJob, preemption: Preemption, draft: Draft) -> bool:
    """Stop victims for a job unless that delays a booking; where shrinking would, they give way whole."""
    if not draft.bookings:
        draft.stop(preemption)
        draft.may_spare(preemption)
        return True
    whole = replace(preemption, victims=tuple(replace(victim, keeps=()) for victim in preemption.victims))
    ways = (preemption, whole) if any(victim.keeps for victim in preemption.victims) else (preemption,)
    chosen = next((way for way in ways if _stop_if_it_helps(job, way, draft)), None)
    if chosen is not None:
        draft.may_spare(chosen)
    return chosen is not None


def _stop_if_it_helps(job: TrainingJob, preemption: Preemption, draft: Draft) -> bool:
    """Stop victims if that gives a job room and delays nobody."""
    with draft.trial() as trial:
        draft.stop(preemption)
        kept = [slot for victim in preemption.victims for slot in victim.keeps]
        if not draft.bookings.are_delayed(kept) and takes(draft.bookings.coming_for(job), job.gang):
            trial.keep()
        return trial.kept


def _make_way_in_queue(job: TrainingJob, draft: Draft) -> None:
    """Stop jobs of a queue at its limit for one of its own, if it has room then, and no other queue keeps that."""
    victims, quotas = victims_in_queue(job, draft), draft.quotas
    if not victims or quotas is None or not may_have_others_stopped(job, draft):
        return
    cause = Cause.GUARANTEE if takes_back(job, draft, victims) else Cause.PRIORITY
    with draft.trial() as trial:
        stopped = _stop_if_it_helps(job, Preemption(job.job_id, need_of(job.gang), victims, cause), draft)
        if not stopped or not quotas.allows_later(job, draft.room.coming):
            return
        usable = draft.bookings.coming_for(job)
        rows = hosts_for_gang(usable, job.gang, draft.scorer)
        if rows is not None:
            draft.reserve(job.job_id, rows, usable)
            trial.keep()
