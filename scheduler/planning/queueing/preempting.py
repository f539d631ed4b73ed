"""Whom a waiting job has stopped: less important jobs, equals that are much longer, and jobs of its own queue."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, eq=False)
class _Found:
    """The cheapest to stop for a job.

    Attributes:
        preemption: who, and for what.
        candidates: those of whom they are the cheapest.
    """

    preemption: Preemption
    candidates: Candidates


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


def _cheapest_of(job: TrainingJob, draft: Draft, by_rule: Candidates, cause: Cause) -> _Found | None:
    """Return whom to stop for a job of those that the rule allows and the terms of queues let go."""
    found = (_cheapest(job, draft, candidates, cause) for candidates in candidates_for(job, draft, by_rule))
    return next((one for one in found if one is not None and may_all_go(job, draft, one.preemption.victims)), None)


def _cheapest(job: TrainingJob, draft: Draft, candidates: Candidates, cause: Cause) -> _Found | None:
    found = (
        Preemption(job.job_id, need, victims, cause)
        for need in needs_of(job.gang, draft.room.coming, candidates)
        if (victims := victims_by_cost(need, draft, candidates)) is not None
    )
    cheapest = min(found, key=lambda one: sum(victim.cost for victim in one.victims), default=None)
    return None if cheapest is None else _Found(_caused(job, cheapest, draft), candidates)


def _caused(job: TrainingJob, preemption: Preemption, draft: Draft) -> Preemption:
    """Return a preemption with its cause: a guarantee where a job has room back that others use."""
    return replace(preemption, cause=Cause.GUARANTEE) if takes_back(job, draft, preemption.victims) else preemption


def _carry_out(job: TrainingJob, found: _Found, draft: Draft) -> bool:
    """Stop for a job those who lose least with all that follows, unless that delays a booking; say whether it does.

    What follows is played through only where the cheapest may be stopped: most of the time a booking is in the way.
    """
    ways = _ways(found.preemption)
    if draft.bookings and not _would_any_help(job, ways, draft):
        return False
    for way in (*_ways_with_least_loss(job, found, draft), *ways):
        if _stop_if_it_helps(job, way, draft):
            draft.may_spare(way)
            return True
    return False


def _ways(preemption: Preemption) -> tuple[Preemption, ...]:
    """Return it as it is, and where victims shrink, with all of them giving way whole."""
    if not any(victim.keeps for victim in preemption.victims):
        return (preemption,)
    return (preemption, replace(preemption, victims=tuple(replace(victim, keeps=()) for victim in preemption.victims)))


def _would_any_help(job: TrainingJob, ways: Iterable[Preemption], draft: Draft) -> bool:
    with draft.trial():
        return any(_stop_if_it_helps(job, way, draft) for way in ways)


def _ways_with_least_loss(job: TrainingJob, found: _Found, draft: Draft) -> tuple[Preemption, ...]:
    """Return how others are stopped than the cheapest, where that loses less with all that follows; () where none is.

    For a much shorter job nothing is weighed: the rule has compared the wait that is saved with what is lost.
    """
    cheapest = found.preemption
    if cheapest.cause is Cause.SHORTER:
        return ()
    victims = weighed(cheapest.need, draft, found.candidates, cheapest.victims, job.job_id)
    if victims == cheapest.victims or not may_all_go(job, draft, victims):
        return ()
    return _ways(_caused(job, replace(cheapest, victims=victims, cause=Cause.PRIORITY), draft))


def _stop_if_it_helps(job: TrainingJob, preemption: Preemption, draft: Draft) -> bool:
    """Stop victims if that gives a job room and delays nobody."""
    with draft.trial() as trial:
        draft.stop(preemption)
        kept = [slot for victim in preemption.victims for slot in victim.keeps]
        if not draft.bookings.are_delayed(kept) and takes(draft.bookings.coming_for(job), job.gang):
            trial.keep()
        return trial.kept
