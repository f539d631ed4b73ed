"""Whom a waiting job has stopped: less important jobs, equals that are much longer, and jobs of its own queue."""

from dataclasses import replace

from scheduler.model.plan import Cause
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import could_be_won, may_have_others_stopped, takes_back
from scheduler.planning.placement.need import need_of
from scheduler.planning.placement.placing import hosts_for_gang, takes
from scheduler.planning.preemption.candidates import Candidates
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.queueing.search_memo import SearchMemo
from scheduler.planning.restarts.shrink import victims_by_cost
from scheduler.planning.victim_selection.own_queue import victims_in_queue
from scheduler.planning.victim_selection.reclaim import candidates_for, may_all_go
from scheduler.planning.victim_selection.weighing import weighed


def preempt(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Have those stopped for a job who may be; False when that would not be enough, or would delay a booking."""
    if memo.has_nobody(job):
        return False
    found = None
    if could_be_won(job, draft, job.gang):
        found = _cheapest_of(job, draft, draft.stoppable.for_job(job), Cause.PRIORITY)
    if found is None:
        memo.found_nobody(job)
    return found is not None and _carry_out(job, found, draft)


def preempt_equals(job: TrainingJob, draft: Draft, memo: SearchMemo) -> bool:
    """Have equals stopped for a much shorter job; for the first few of a plan, as each answer is its own."""
    if not memo.displacing:
        return False
    memo.displacing -= 1
    found = _cheapest_of(job, draft, draft.stoppable.equals_for(job), Cause.SHORTER)
    return found is not None and _carry_out(job, found, draft)


def make_way_in_queue(job: TrainingJob, draft: Draft) -> None:
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
