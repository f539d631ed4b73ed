"""From facts and intentions to the planner's view of jobs and hosts, one by one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from scheduler.control.jobs.attempts import failed_starts
from scheduler.control.records import AttemptRecord, DesiredState, HostMark, JobRecord, Outcome
from scheduler.model.hosts import Host, HostState
from scheduler.model.observation import Run
from scheduler.model.plan import Cause
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob


def training_job(
    job: JobRecord, restart_cost_s: float, expected_runtime_s: float | None = None, doubt: float = 1.0
) -> TrainingJob:
    """Return what the planner needs to know of a job."""
    attempt = job.attempt if job.state.holds_room else None
    earlier = job.attempts[:-1] if attempt else job.attempts
    return TrainingJob(
        job_id=job.job_id,
        name=job.spec.name,
        gang=job.spec.gang,
        queue=job.spec.queue,
        owner=job.spec.owner,
        priority=job.spec.priority,
        preemptible=job.spec.preemptible,
        state=job.state,
        submitted_at_s=job.submitted_at_s,
        grace_period_s=job.spec.grace_period_s,
        checkpoint_interval_s=job.spec.checkpoint_interval_s,
        max_runtime_s=job.spec.max_runtime_s,
        expected_runtime_s=expected_runtime_s,
        attempt=len(job.attempts),
        slots=attempt.slots if attempt else (),
        started_at_s=(attempt.started_at_s or attempt.decided_at_s) if attempt else None,
        checkpointed_at_s=attempt.checkpointed_at_s if attempt else None,
        restart_cost_s=restart_cost_s,
        not_before_s=job.not_before_s,
        stop_asked=attempt is not None and job.desired is not DesiredState.RUN,
        stops=sum(past.outcome is Outcome.PREEMPTED and past.stop_cause is not Cause.GROWTH for past in earlier),
        ran_before_s=sum(past.held_s for past in earlier),
        ran_on_s=_ran_on_s(earlier) if attempt else 0.0,
        doubt=doubt,
        failed_starts=0 if attempt else failed_starts(job),
        saves_when_told=_saved_when_told(earlier, job.spec.grace_period_s),
    )


def _ran_on_s(earlier: Sequence[AttemptRecord]) -> float:
    """Return how long those last attempts held room that were told to go on at once: no limit begins anew with that."""
    tried = (past for past in reversed(earlier) if past.outcome is not Outcome.NEVER_STARTED)
    return sum(past.held_s for past in takewhile(_went_on, tried))


def _went_on(past: AttemptRecord) -> bool:
    return past.outcome is Outcome.PREEMPTED and past.goes_on_with > 0


def _saved_when_told(earlier: Sequence[AttemptRecord], grace_s: float) -> bool:
    """Whether the last attempt that was told to stop after some work saved then, or there was none."""
    for past in reversed(earlier):
        told_s, started_s = past.stop_asked_at_s, past.started_at_s
        if told_s is not None and started_s is not None and told_s - started_s > grace_s:
            return past.checkpointed_at_s is not None and past.checkpointed_at_s >= told_s
    return True


def marked(hosts: Iterable[Host], marks: Iterable[HostMark]) -> tuple[Host, ...]:
    """Return hosts in the state operators gave them; a lost host stays lost."""
    by_name = {mark.host: mark for mark in marks}
    if not by_name:
        return tuple(hosts)
    return tuple(_marked(host, by_name.get(host.name)) for host in hosts)


def with_deadlines(job: TrainingJob, marks: Sequence[HostMark]) -> TrainingJob:
    """Return the job, marked when it is over before every draining host it is on must be empty."""
    here = {slot.host for slot in job.slots} if marks else frozenset()
    draining = [mark for mark in marks if mark.state is HostState.DRAINING and mark.host in here]
    in_time = bool(draining) and all(_ends_before(job, mark.deadline_s) for mark in draining)
    return replace(job, ends_in_time=True) if in_time else job


def _ends_before(job: TrainingJob, deadline_s: float | None) -> bool:
    return deadline_s is not None and job.limit_s <= deadline_s


def _marked(host: Host, mark: HostMark | None) -> Host:
    if mark is None or host.state is HostState.LOST:
        return host
    return replace(host, state=mark.state, reason=mark.reason, since_s=mark.since_s)


def stray_job(run: Run, known: JobRecord | None) -> TrainingJob:
    """Return a run nobody asked for as a job that is going: its room is not given away before it is free.

    When its job is over its shape is not known any more; whole devices are the safe reading.
    """
    devices = max((len(slot.devices) for slot in run.slots), default=0)
    gang = known.spec.gang if known else Gang(len(run.slots) or 1, Shape(gpu_count=devices))
    return TrainingJob(
        JobId(f"{run.job_id}.{run.attempt}"),
        name="removed run",
        gang=gang,
        preemptible=False,
        state=JobState.PREEMPTING,
        attempt=run.attempt,
        slots=run.slots,
        started_at_s=run.started_at_s,
        grace_period_s=0.0,
    )
