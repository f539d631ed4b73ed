"""At which beats of the period a simulated loop must turn: at all at which it could decide something."""

import math

from scheduler.model.plan import Plan
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, TrainingJob


def may_decide(snapshot: Snapshot, made: Plan) -> bool:
    """Whether a plan of later may differ from this one though nothing happens in between.

    Time alone moves the traffic of models, the order of those who wait, what may be stopped for them, and the size
    of elastic jobs; it moves nothing where every job runs as it is.
    """
    return bool(snapshot.models or made.actions) or not all(_runs_as_it_is(job) for job in snapshot.jobs)


def earliest_limit_s(snapshot: Snapshot) -> float:
    """Return when the first of the running jobs reaches the time it said it takes at most, epoch seconds."""
    return min((job.limit_s for job in snapshot.jobs), default=math.inf)


def next_beat_s(now_s: float, until_s: float, period_s: float, idle_period_s: float) -> float:
    """Return the first beat at or after a moment, at least one period and at most about an idle one from now."""
    wait_s = min(until_s - now_s, idle_period_s)
    return now_s + max(1, math.ceil(wait_s / period_s)) * period_s if math.isfinite(wait_s) else math.inf


def _runs_as_it_is(job: TrainingJob) -> bool:
    return job.state in {JobState.ADMITTED, JobState.RUNNING} and not job.gang.is_elastic
