"""How one attempt moves on: pure steps from what the store knows and what the cluster shows."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.model.observation import Run, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.workloads import Gang


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the cluster is given, and how often a start is tried.

    Attributes:
        start_s: an attempt that the cluster has not shown this long after it was decided never started.
        backoff_s: pause after the first failed start; doubles with each further one.
        backoff_most_s: longest pause.
        starts: failed starts in a row after which the job is Failed.
    """

    start_s: float = 60.0
    backoff_s: float = 30.0
    backoff_most_s: float = 600.0
    starts: int = 8

    def pause_s(self, failures: int) -> float:
        """Return the pause after `failures` failed starts in a row; 0 after none."""
        return min(self.backoff_s * 2.0 ** (failures - 1), self.backoff_most_s) if failures else 0.0


def opened(job: JobRecord, start: StartJob, now_s: float) -> AttemptRecord:
    """Return the attempt that `start` begins, resuming from the job's last checkpoint."""
    return AttemptRecord(job.job_id, start.attempt, start.slots, now_s, resumed_from_step=last_step(job))


def told(attempt: AttemptRecord, stop: PreemptJob, cause: str, now_s: float) -> AttemptRecord:
    """Return the attempt with the order to stop on it; the first order stays."""
    if attempt.stop_asked_at_s is not None:
        return attempt
    return replace(attempt, stop_asked_at_s=now_s, stop_cause=stop.cause, cause=cause, goes_on_with=stop.goes_on_with)


def refused(attempt: AttemptRecord, message: str, now_s: float) -> AttemptRecord:
    """Return the attempt as one that the cluster would not start."""
    return replace(attempt, ended_at_s=now_s, outcome=Outcome.NEVER_STARTED, message=message)


def unseen(attempt: AttemptRecord, gang: Gang, patience: Patience, now_s: float) -> AttemptRecord:
    """Return an open attempt of which the cluster shows nothing: waited for, never started, or gone."""
    if attempt.started_at_s is not None:
        outcome = Outcome.LOST if attempt.stop_cause is None else _as_told(attempt.stop_cause)
        return _closed(attempt, outcome, gang, now_s, "the cluster no longer shows it")
    if 0 <= now_s - attempt.decided_at_s < patience.start_s:
        return attempt
    return refused(attempt, "the cluster never showed it", now_s)


def followed(attempt: AttemptRecord, run: Run, gang: Gang, lost_hosts: AbstractSet[str], now_s: float) -> AttemptRecord:
    """Return an open attempt moved on to what the cluster shows of it."""
    seen = _progressed(attempt, run)
    on_lost = any(slot.host in lost_hosts for slot in attempt.slots)
    if run.state.holds_room and not on_lost:
        return seen
    outcome = _outcome(seen, run.state, on_lost=on_lost)
    return _closed(seen, outcome, gang, now_s if run.ended_at_s is None else run.ended_at_s, run.message)


def failed_starts(job: JobRecord) -> int:
    """Return how many of the latest attempts in a row never started."""
    count = 0
    for attempt in reversed(job.attempts):
        if attempt.outcome is not Outcome.NEVER_STARTED:
            break
        count += 1
    return count


def last_step(job: JobRecord) -> int:
    """Return the step of the job's newest checkpoint; 0 before the first."""
    return next((a.checkpoint_step for a in reversed(job.attempts) if a.checkpoint_step is not None), 0)


def _progressed(attempt: AttemptRecord, run: Run) -> AttemptRecord:
    moved = replace(attempt, started_at_s=run.started_at_s)
    if run.progress is None:
        return moved
    return replace(
        moved,
        checkpoint_step=run.progress.step,
        checkpointed_at_s=run.progress.saved_at_s,
        total_steps=run.progress.total_steps,
    )


def _outcome(attempt: AttemptRecord, state: RunState, *, on_lost: bool) -> Outcome:
    if state is RunState.SUCCEEDED:
        return Outcome.SUCCEEDED
    if on_lost or state is RunState.LOST:
        return Outcome.LOST
    if attempt.stop_cause is not None:
        return _as_told(attempt.stop_cause)
    return Outcome.FAILED if state is RunState.FAILED else Outcome.STOPPED


def _as_told(cause: Cause) -> Outcome:
    return {Cause.STOP_ASKED: Outcome.STOPPED, Cause.TIME_LIMIT: Outcome.TIMED_OUT}.get(cause, Outcome.PREEMPTED)


def _closed(attempt: AttemptRecord, outcome: Outcome, gang: Gang, ended_at_s: float, message: str) -> AttemptRecord:
    lost = 0.0 if outcome is Outcome.SUCCEEDED else _unsaved_s(attempt, ended_at_s) * gang.of_size(attempt.workers).gpus
    return replace(attempt, outcome=outcome, ended_at_s=ended_at_s, lost_gpu_s=lost, message=message)


def _unsaved_s(attempt: AttemptRecord, ended_at_s: float) -> float:
    begun_s = ended_at_s if attempt.started_at_s is None else attempt.started_at_s
    saved_s = begun_s if attempt.checkpointed_at_s is None else max(begun_s, attempt.checkpointed_at_s)
    return max(0.0, ended_at_s - saved_s)
