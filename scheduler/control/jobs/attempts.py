"""How one attempt moves on: pure steps from what the store knows and what the cluster shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from scheduler.control.patience import Patience
from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.model.observation import Run, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.workloads import Gang

VANISHED: Final = "the cluster no longer shows it, though its hosts are there"


@dataclass(frozen=True, slots=True)
class Watch:
    """By what attempts are judged at one moment.

    Attributes:
        lost: since when each lost host is, epoch seconds.
        patience: see `Patience`.
        now_s: epoch seconds.
    """

    lost: Mapping[str, float]
    patience: Patience
    now_s: float

    def silent_s(self, attempt: AttemptRecord) -> float | None:
        """Return for how long a host of an attempt has been silent, the longest of them; None when all answer."""
        since_s = [self.lost[slot.host] for slot in attempt.slots if slot.host in self.lost]
        return max(0.0, self.now_s - min(since_s)) if since_s else None


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


def unseen(attempt: AttemptRecord, gang: Gang, watch: Watch) -> AttemptRecord:
    """Return an open attempt of which the cluster shows nothing: waited for, never started, or gone."""
    now_s, silent_s = watch.now_s, watch.silent_s(attempt)
    if attempt.started_at_s is None:
        waits = 0 <= now_s - attempt.decided_at_s < watch.patience.start_s
        return attempt if waits else refused(attempt, "the cluster never showed it", now_s)
    if silent_s is not None and silent_s < watch.patience.lost_s:
        return attempt
    outcome = Outcome.LOST if attempt.stop_cause is None else _as_told(attempt.stop_cause)
    return _closed(attempt, outcome, gang, now_s, VANISHED if silent_s is None else "its host is lost")


def followed(attempt: AttemptRecord, run: Run, gang: Gang, watch: Watch) -> AttemptRecord:
    """Return an open attempt moved on to what the cluster shows of it."""
    if run.state is RunState.NOT_STARTED and attempt.stop_cause is None:
        return refused(attempt, run.message, watch.now_s)
    seen, silent_s = _progressed(attempt, run), watch.silent_s(attempt)
    if run.state.holds_room and (silent_s is None or silent_s < watch.patience.lost_s):
        return seen
    outcome = _outcome(seen, run.state, on_lost=silent_s is not None)
    return _closed(seen, outcome, gang, watch.now_s if run.ended_at_s is None else run.ended_at_s, run.message)


def failed_starts(job: JobRecord) -> int:
    """Return how many of the latest attempts in a row never started, or vanished from a cluster that was well."""
    count = 0
    for attempt in reversed(job.attempts):
        if attempt.outcome is not Outcome.NEVER_STARTED and not has_vanished(attempt):
            break
        count += 1
    return count


def has_vanished(attempt: AttemptRecord) -> bool:
    """Whether an attempt was removed from the cluster by nobody we know of."""
    return attempt.outcome is Outcome.LOST and attempt.message == VANISHED


def was_stopped_by_others(attempt: AttemptRecord) -> bool:
    """Whether an attempt was stopped by the cluster's own means, and not because Headroom said so."""
    return attempt.outcome is Outcome.STOPPED and attempt.stop_cause is None


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
