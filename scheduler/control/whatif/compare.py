"""What a plan does otherwise than one without a change: the answer to every "what if" about the next turn."""

from collections.abc import Collection
from dataclasses import dataclass

from scheduler.model.plan import Plan, PreemptJob, Reason, StartJob
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId


@dataclass(frozen=True, slots=True)
class Difference:
    """What a change leads to.

    Attributes:
        stopped: jobs that are stopped, or have to shrink, and would not be.
        delayed: jobs that would start, and do not.
        started: jobs that start, and would not.
        short: models that lack replicas for which no room is being freed, and would not.
    """

    stopped: tuple[PreemptJob, ...]
    delayed: tuple[JobId, ...]
    started: tuple[StartJob, ...]
    short: tuple[str, ...]


def compare(before: Plan, after: Plan, snapshot: Snapshot) -> Difference:
    """Return what a plan does otherwise than the one before a change; `snapshot` names the models."""
    stopped, starts = {stop.job_id for stop in _stops(before)}, {start.job_id for start in _starts(before)}
    starting = {start.job_id for start in _starts(after)}
    return Difference(
        tuple(stop for stop in _stops(after) if stop.job_id not in stopped),
        tuple(start.job_id for start in _starts(before) if start.job_id not in starting),
        tuple(start for start in _starts(after) if start.job_id not in starts),
        tuple(sorted(_short(after, snapshot) - _short(before, snapshot))),
    )


def _stops(made: Plan) -> Collection[PreemptJob]:
    return [action for action in made.actions if isinstance(action, PreemptJob)]


def _starts(made: Plan) -> Collection[StartJob]:
    return [action for action in made.actions if isinstance(action, StartJob)]


def _short(made: Plan, snapshot: Snapshot) -> set[str]:
    lacking = (made.reason_for(model.name) for model in snapshot.served)
    return {why.subject for why in lacking if why and why.reason is not Reason.WAITS_FOR_PREEMPTION}
