"""What stopping each running job costs with whom it will have stopped in turn: a guess, made once for all of them."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.preemption.candidates import Candidates
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.preemption.victims import victims_for

MOST_FOLLOWED: Final = 128
"""Entries of candidates up to which it is worked out whom each would have stopped in turn: 128 take some 0.1 s."""


def costs_with_all(draft: Draft, held_s: float) -> NDArray[np.float64]:
    """Return for each of J running jobs what is lost by stopping it alone, float64 (J,), in GPU-seconds.

    From the least important up: whoever can have others stopped does, at what that costs with all that follows; else
    its devices count for as long as the room is held. On a large site nobody is followed: each is a search of its own.

    Args:
        draft: what was decided so far.
        held_s: for how long the room of those who are stopped is needed.
    """
    running, candidates = draft.snapshot.running, draft.stoppable.candidates
    costs = held_s * running.gpus
    own = np.zeros(len(costs))
    own[candidates.order] = candidates.cost
    if len(candidates.row) > MOST_FOLLOWED:
        return own + costs
    there = candidates.order[candidates.there]
    for row in there[np.argsort(running.priority[there], kind="stable")].tolist():
        in_turn = _in_turn(running.jobs[row], draft, costs)
        costs[row] = own[row] + (costs[row] if in_turn is None else in_turn)
    return costs


def _in_turn(job: TrainingJob, draft: Draft, costs: NDArray[np.float64]) -> float | None:
    """Return the least cost of those whom a job that was stopped may have stopped; None when these are not enough."""
    allowed = draft.stoppable.for_job(job)
    if not len(allowed.row):
        return None
    there = np.zeros(len(costs), dtype=bool)
    there[allowed.order[allowed.there]] = True
    candidates = Candidates.of(allowed.running, there, costs)
    found = (
        victims_for(need, draft.room.coming, candidates) for need in needs_of(job.gang, draft.room.coming, candidates)
    )
    return min((sum(victim.cost for victim in victims) for victims in found if victims), default=None)
