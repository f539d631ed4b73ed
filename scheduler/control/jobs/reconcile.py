"""The state machine of jobs: what was intended against what the cluster shows. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from scheduler.control.isolation.bulkheads import reason_of, spoken
from scheduler.control.jobs.attempts import (
    Watch,
    failed_starts,
    followed,
    has_vanished,
    unseen,
    was_stopped_by_others,
)
from scheduler.control.jobs.event_text import orphan_found, transition
from scheduler.control.patience import Patience
from scheduler.control.records import AttemptRecord, DesiredState, EventKind, EventRecord, JobRecord, Outcome
from scheduler.model.hosts import HostState
from scheduler.model.observation import Observation, Run, RunState, Stray, StrayKind
from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.resources import Held
from scheduler.model.workloads import JobId, JobState

Key = tuple[JobId, int]
"""A job and the number of one of its attempts."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What follows from one observation.

    Attributes:
        jobs: every job given, moved on; some may be final now.
        changed: those of `jobs` that must be saved.
        events: what happened.
        orders: to apply at once: runs nobody asked for are removed, orders to stop that got lost are repeated.
        strays: runs that hold room and belong to no open attempt.
        foreign: room held by strays of the cluster; that of one which may be an open attempt counts as the attempt's.
        over: ended runs that the cluster may forget once `changed` is saved.
    """

    jobs: tuple[JobRecord, ...]
    changed: tuple[JobRecord, ...]
    events: tuple[EventRecord, ...]
    orders: tuple[PreemptJob, ...]
    strays: tuple[Run, ...]
    over: tuple[Key, ...]
    foreign: tuple[Held, ...] = ()


def reconcile(jobs: Sequence[JobRecord], seen: Observation, patience: Patience, cycle: int, now_s: float) -> Reconciled:
    """Move every open job on to what the cluster shows.

    Args:
        jobs: all jobs that are not final.
        seen: what the cluster runs.
        patience: see `Patience`.
        cycle: number of the turn, for events.
        now_s: epoch seconds.
    """
    runs = {(run.job_id, run.attempt): run for run in seen.runs}
    lost = {host.name: host.since_s for host in seen.hosts if host.state is HostState.LOST}
    unclaimed, stopping = dict(runs), list[JobRecord]()
    watch = Watch(lost, patience, now_s)
    doubtful = [stray for stray in seen.strays if stray.kind is StrayKind.RUN and not stray.owner]
    moved = [job if _is_doubtful(job, runs, doubtful) else _moved(job, runs, watch) for job in jobs]
    for job in moved:
        attempt = job.attempts[-1] if job.attempts else None
        if attempt is not None and attempt.outcome is Outcome.OPEN:
            unclaimed.pop((job.job_id, attempt.number), None)
            if attempt.stop_asked_at_s is not None:
                stopping.append(job)
    others = [run for _, run in sorted(unclaimed.items())]
    strays = tuple(run for run in others if run.state.holds_room)
    to_remove = [run for run in strays if run.state is not RunState.STOPPING]
    pairs = [(before, after) for before, after in zip(jobs, moved, strict=True) if before is not after]
    return Reconciled(
        jobs=tuple(moved),
        changed=tuple(after for before, after in pairs if before != after),
        events=tuple(_events(pairs, to_remove, cycle, now_s)),
        orders=tuple(map(_removal, to_remove)) + tuple(_repeated_stops(stopping, runs, now_s)),
        strays=strays,
        over=tuple((run.job_id, run.attempt) for run in others if not run.state.holds_room),
        foreign=_foreign(seen.strays, moved),
    )


def settled(job: JobRecord, patience: Patience, now_s: float) -> JobRecord:
    """Return a job without an open attempt in the state that follows from its attempts and its owner's wish."""
    state = _resting_state(job, patience)
    if state is job.state and not state.is_final and job.finished_at_s is None:
        return job
    ended_s = job.attempt.ended_at_s if job.attempt is not None and state is _final_by_itself(job.attempt) else None
    return replace(job, state=state, finished_at_s=(ended_s or now_s) if state.is_final else None)


def backed_off(job: JobRecord, patience: Patience, now_s: float) -> JobRecord:
    """Return a job whose start just failed, not to be tried again before a pause."""
    return replace(job, not_before_s=now_s + patience.pause_s(failed_starts(job)))


def _moved(job: JobRecord, runs: dict[Key, Run], watch: Watch) -> JobRecord:
    attempt = job.attempts[-1] if job.attempts else None
    if attempt is None and _only_waits(job, watch.patience):
        return job
    if attempt is None or attempt.outcome is not Outcome.OPEN:
        return settled(job, watch.patience, watch.now_s)
    run = runs.get((job.job_id, attempt.number))
    if run is not None and _is_known(job, attempt, run, watch.lost):
        return job
    gang = job.spec.gang
    after = followed(attempt, run, gang, watch) if run else unseen(attempt, gang, watch)
    moved = replace(job, attempts=(*job.attempts[:-1], after))
    if after.is_open:
        return replace(moved, state=_state_while(after, run))
    return settled(_after_an_end(moved, after, watch), watch.patience, watch.now_s)


def _after_an_end(job: JobRecord, attempt: AttemptRecord, watch: Watch) -> JobRecord:
    """Return a job whose attempt just ended, to be tried later or only when somebody says so, where that is due."""
    if attempt.outcome is Outcome.NEVER_STARTED or has_vanished(attempt):
        return backed_off(job, watch.patience, watch.now_s)
    if was_stopped_by_others(attempt) and job.desired is DesiredState.RUN:
        how = f": {attempt.message}" if attempt.message else ""
        reason = f"attempt {attempt.number} was stopped on the cluster itself, not by Headroom{how}"
        return replace(job, desired=DesiredState.HOLD, hold_reason=reason)
    return job


def _is_doubtful(job: JobRecord, runs: dict[Key, Run], doubtful: Sequence[Stray]) -> bool:
    """Whether a stray may be the job's open attempt: it is neither lost nor started anew until somebody says so."""
    if not doubtful or (attempt := _open_attempt(job)) is None or (job.job_id, attempt.number) in runs:
        return False
    return any(stray.may_be(job.job_id, attempt.number) for stray in doubtful)


def _open_attempt(job: JobRecord) -> AttemptRecord | None:
    return job.attempt if job.attempt is not None and job.attempt.outcome is Outcome.OPEN else None


def _foreign(strays: Sequence[Stray], jobs: Sequence[JobRecord]) -> tuple[Held, ...]:
    """Return the room of strays, without that of the slots of open attempts which they may be."""
    if not strays:
        return ()
    attempts = [(job.job_id, attempt.number) for job in jobs if (attempt := _open_attempt(job))]
    others = (one for one in strays if not any(one.may_be(*key) for key in attempts))
    return tuple(held for stray in others for held in stray.held)


def _only_waits(job: JobRecord, patience: Patience) -> bool:
    """Whether a job without attempts waits and has to: true of nearly all that have none."""
    return (
        job.state is JobState.PENDING
        and job.desired is DesiredState.RUN
        and job.finished_at_s is None
        and patience.starts > 0
    )


def _is_known(job: JobRecord, attempt: AttemptRecord, run: Run, lost: Mapping[str, float]) -> bool:
    """Whether a running attempt is recorded as the cluster shows it: true of nearly all, nearly always."""
    if run.state is not RunState.RUNNING or job.state is not JobState.RUNNING or attempt.stop_asked_at_s is not None:
        return False
    if attempt.started_at_s != run.started_at_s or (lost and any(slot.host in lost for slot in attempt.slots)):
        return False
    progress = run.progress
    if progress is None:
        return True
    saved = (attempt.checkpoint_step, attempt.checkpointed_at_s, attempt.total_steps)
    return saved == (progress.step, progress.saved_at_s, progress.total_steps)


def _state_while(attempt: AttemptRecord, run: Run | None) -> JobState:
    if attempt.stop_asked_at_s is not None or (run is not None and run.state is RunState.STOPPING):
        return JobState.PREEMPTING
    return JobState.RUNNING if run is not None and run.state is RunState.RUNNING else JobState.ADMITTED


def _resting_state(job: JobRecord, patience: Patience) -> JobState:
    ended = _final_by_itself(job.attempt)
    if ended is not None:
        return ended
    if job.desired is DesiredState.STOP:
        return JobState.STOPPED
    if job.desired is DesiredState.HOLD:
        return JobState.HELD
    if failed_starts(job) >= patience.starts:
        return JobState.FAILED
    return _waiting_state(job)


_FINAL: Final = {
    Outcome.SUCCEEDED: JobState.SUCCEEDED,
    Outcome.FAILED: JobState.FAILED,
    Outcome.TIMED_OUT: JobState.FAILED,
}


def _final_by_itself(attempt: AttemptRecord | None) -> JobState | None:
    if attempt is None:
        return None
    return _FINAL.get(attempt.outcome)


def _waiting_state(job: JobRecord) -> JobState:
    ran = [attempt for attempt in job.attempts if attempt.outcome is not Outcome.NEVER_STARTED]
    interrupted = bool(ran) and ran[-1].outcome in {Outcome.PREEMPTED, Outcome.STOPPED}
    return JobState.PREEMPTED if interrupted else JobState.PENDING


def _removal(run: Run) -> PreemptJob:
    return PreemptJob(run.job_id, run.attempt, 0.0, Cause.ORPHAN)


def _repeated_stops(jobs: Iterable[JobRecord], runs: dict[Key, Run], now_s: float) -> Iterable[PreemptJob]:
    """Yield orders to stop the open attempts of jobs, written down, of which the cluster shows no sign."""
    for job in jobs:
        attempt = job.attempts[-1]
        if attempt.stop_asked_at_s is None or attempt.stop_cause is None:
            continue
        run = runs.get((job.job_id, attempt.number))
        if run is not None and run.state in {RunState.STARTING, RunState.RUNNING}:
            left_s = max(0.0, job.spec.grace_period_s - max(0.0, now_s - attempt.stop_asked_at_s))
            yield PreemptJob(job.job_id, attempt.number, left_s, attempt.stop_cause)


def _events(
    pairs: Iterable[tuple[JobRecord, JobRecord]], removed: Sequence[Run], cycle: int, now_s: float
) -> Iterable[EventRecord]:
    for old, new in pairs:
        event = _told(old, new, cycle, now_s)
        if event is not None:
            yield event
    for run in removed:
        plain = EventRecord(now_s, cycle, EventKind.CONTROL, run.job_id, f"{run.job_id} attempt {run.attempt} removed")
        yield spoken(partial(orphan_found, run, cycle, now_s), plain)


def _told(old: JobRecord, new: JobRecord, cycle: int, now_s: float) -> EventRecord | None:
    """Return what to tell of a job that moved on, in plain words where that fails, or None."""
    try:
        return transition(old, new, cycle, now_s)
    except Exception as error:  # noqa: BLE001  # no sentence is worth a decision
        title = f"{new.job_id} {new.spec.name}: {old.state.lower()}, now {new.state.lower()}"
        return EventRecord(now_s, cycle, EventKind.TRAINING, new.job_id, title, reason_of(error))
