"""Events in the words of the page: cause and effect in one entry, numbers with units, times in UTC."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from scheduler.control.jobs.attempts import has_vanished, last_step, was_stopped_by_others
from scheduler.control.records import AttemptRecord, EventKind, EventRecord, JobRecord, Outcome
from scheduler.model.counting import plural
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.observation import Run
from scheduler.model.plan import Action, Cause, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, JobState
from scheduler.planning.reasons.wording import size

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400

_PLAIN_CAUSES: Final = {Cause.DRAIN: "its host is being drained", Cause.STOP_ASKED: "asked for by its owner"}


def transition(before: JobRecord, after: JobRecord, cycle: int, now_s: float) -> EventRecord | None:
    """Return what to tell about a job that moved on, or None when it is not worth telling."""
    attempt = after.attempt
    if attempt is not None and not attempt.is_open and before.attempt is not None and before.attempt.is_open:
        kind, title, detail = _ending(after, attempt)
    elif before.state is not after.state and after.state in {JobState.STOPPED, JobState.HELD}:
        kind, title, detail = EventKind.TRAINING, after.state.lower(), after.hold_reason
    else:
        return None
    return EventRecord(now_s, cycle, kind, after.job_id, f"{after.job_id} {after.spec.name} {title}", detail)


def orphan_found(run: Run, cycle: int, now_s: float) -> EventRecord:
    """Tell of a run that nobody asked for."""
    title = f"{run.job_id} attempt {run.attempt} removed"
    detail = f"it ran on {places(run.slots)} and belongs to no open attempt"
    return EventRecord(now_s, cycle, EventKind.CONTROL, run.job_id, title, detail)


def refusal(action: Action, message: str, cycle: int, now_s: float) -> EventRecord:
    """Tell of an action that the cluster did not carry out."""
    match action:
        case PreemptJob() | StartJob():
            subject, what = str(action.job_id), "stop" if isinstance(action, PreemptJob) else "start"
        case StartReplica() | StopReplica():
            subject, what = action.model, "start a replica" if isinstance(action, StartReplica) else "stop a replica"
    return EventRecord(now_s, cycle, EventKind.FAILURE, subject, f"{subject} could not {what}", message)


def starting(job: JobRecord, action: StartJob, cycle: int, now_s: float) -> EventRecord:
    """Tell of a job that is given room."""
    waited = span(now_s - job.submitted_at_s) if len(job.attempts) == 1 else ""
    step = last_step(job)
    parts = (
        f"on {places(action.slots)}",
        f"waited {waited}" if waited else "",
        f"from step {step}" if step else "",
        "before its turn, which delays no booking" if action.cause is Cause.BACKFILL else "",
    )
    gang, workers = job.spec.gang, len(action.slots)
    title = f"{job.job_id} {job.spec.name} started"
    title += f" with {workers} of {size(gang)} workers" if gang.is_elastic else ""
    return EventRecord(now_s, cycle, EventKind.TRAINING, job.job_id, title, "; ".join(filter(None, parts)))


def preempting(job: JobRecord, action: PreemptJob, cause: str, cycle: int, now_s: float) -> EventRecord:
    """Tell of a job that is told to save and stop."""
    by_wish = action.cause in {Cause.STOP_ASKED, Cause.TIME_LIMIT}
    kind, verb = (EventKind.TRAINING, "stopping") if by_wish else (EventKind.PREEMPTION, "preempting")
    gang = job.spec.gang
    if job.attempt is not None:
        gang = gang.of_size(job.attempt.workers)
        verb = _resized(job.attempt, "shrinking", "growing") if job.attempt.is_resized else verb
    cost = f"; costs {span(action.lost_gpu_s / max(gang.gpus, 1.0))} of {room(gang)}"
    detail = f"{cause}, {span(action.grace_period_s)} to save{cost if action.lost_gpu_s and not by_wish else ''}"
    return EventRecord(now_s, cycle, kind, job.job_id, f"{job.job_id} {job.spec.name} {verb}", detail)


def cause_of(action: PreemptJob, gang: Gang, demand: Demand, now_s: float) -> str:
    """Return why a job is stopped, for instance "4 GPUs for edit-check before the 19:10 peak"."""
    match action.cause:
        case Cause.DRAIN | Cause.STOP_ASKED:
            return _PLAIN_CAUSES[action.cause]
        case Cause.CONSOLIDATION:
            return f"it goes on elsewhere so that {action.beneficiary} fits"
        case Cause.GROWTH:
            return f"{room(gang)} more are free and nobody waits for them"
        case Cause.SHORTER | Cause.GUARANTEE:
            why = "which is much shorter" if action.cause is Cause.SHORTER else "whose queue has it back"
            return f"{room(gang)} for {action.beneficiary}, {why}"
        case Cause.SERVING:
            return f"{room(gang)} for {action.beneficiary}{_what_for(demand.of(action.beneficiary), now_s)}"
        case _:
            return f"{room(gang)} for {action.beneficiary or action.cause.value}"


def over_limit(job: JobRecord) -> str:
    """Return why a job is stopped that has run for as long as it said it would at most."""
    return f"over its time limit of {span(job.spec.max_runtime_s or 0.0)}"


def replica_changes(
    actions: Iterable[Action], running: dict[str, int], demand: Demand, cycle: int, now_s: float
) -> list[EventRecord]:
    """Tell of replicas started and stopped, one event per model; `running` counts replicas by model before."""
    started: dict[str, list[StartReplica]] = {}
    stopped: dict[str, list[StopReplica]] = {}
    for action in actions:
        if isinstance(action, StartReplica):
            started.setdefault(action.model, []).append(action)
        elif isinstance(action, StopReplica):
            stopped.setdefault(action.model, []).append(action)
    return [
        _replica_change(
            model, running.get(model, 0), started.get(model, []), stopped.get(model, []), demand, cycle, now_s
        )
        for model in sorted({*started, *stopped})
    ]


def places(slots: Sequence[Slot]) -> str:
    """Return slots as "host:0,1 host:2"; hosts without devices by name alone."""
    return " ".join(sorted({f"{s.host}:{','.join(map(str, s.devices))}" if s.devices else s.host for s in slots}))


def room(gang: Gang) -> str:
    """Return the room of a gang as "4 GPUs", or in cores when it has none."""
    gpus = gang.gpus
    if gpus:
        return f"{gpus:g} GPU{'s' if gpus > 1 else ''}"
    return f"{gang.workers * gang.shape.cpu_milli / 1000:g} CPUs"


def span(seconds: float) -> str:
    """Return a duration with its two largest units, for instance "4h10m"."""
    whole = max(0, round(seconds))
    if whole < MINUTE_S:
        return f"{whole}s"
    if whole < HOUR_S:
        return _two(whole, MINUTE_S, "m", 1, "s")
    return _two(whole, HOUR_S, "h", MINUTE_S, "m") if whole < DAY_S else _two(whole, DAY_S, "d", HOUR_S, "h")


def clock_time(at_s: float) -> str:
    """Return "19:10" in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M")


def _two(whole: int, large_s: int, large: str, small_s: int, small: str) -> str:
    rest = whole % large_s // small_s
    return f"{whole // large_s}{large}{f'{rest}{small}' if rest else ''}"


def _ending(job: JobRecord, attempt: AttemptRecord) -> tuple[EventKind, str, str]:
    step = f"saved step {attempt.checkpoint_step}" if attempt.checkpoint_step is not None else "nothing saved"
    lost = f"lost {attempt.lost_gpu_s:.0f} GPU-seconds"
    match attempt.outcome:
        case Outcome.SUCCEEDED:
            return EventKind.TRAINING, "succeeded", f"in {_attempts(job)}"
        case Outcome.FAILED | Outcome.TIMED_OUT:
            timed_out = f"{attempt.cause}; {step}, {lost}"
            return EventKind.FAILURE, "failed", attempt.message if attempt.outcome is Outcome.FAILED else timed_out
        case Outcome.PREEMPTED:
            title = _resized(attempt, "shrunk", "grown") if attempt.is_resized else "preempted"
            return EventKind.PREEMPTION, title, f"{attempt.cause}; {step}, {lost}"
        case Outcome.LOST:
            title, why = _lost(attempt)
            return EventKind.FAILURE, title, f"{why}{step}, {lost}; {_afterwards(job)}"
        case Outcome.NEVER_STARTED:
            return EventKind.FAILURE, "could not start", f"{attempt.message}; {_afterwards(job)}"
        case _:
            return EventKind.TRAINING, "stopped", f"{_stopped_by(attempt)}; {step}{_resumable(job, attempt)}"


def _lost(attempt: AttemptRecord) -> tuple[str, str]:
    if has_vanished(attempt):
        return "gone", f"{attempt.message}; "
    return f"lost with {places(attempt.slots)}", ""


def _stopped_by(attempt: AttemptRecord) -> str:
    if was_stopped_by_others(attempt):
        return "on the cluster itself, not by Headroom"
    return attempt.cause or "as asked"


def _resumable(job: JobRecord, attempt: AttemptRecord) -> str:
    if not was_stopped_by_others(attempt) or job.state is not JobState.HELD:
        return ""
    return f"; headroom resume {job.job_id} lets it go on"


def _resized(attempt: AttemptRecord, smaller: str, larger: str) -> str:
    verb = smaller if attempt.goes_on_with < attempt.workers else larger
    return f"{verb} from {attempt.workers} to {plural(attempt.goes_on_with, 'worker')}"


def _attempts(job: JobRecord) -> str:
    return plural(len(job.attempts), "attempt")


def _afterwards(job: JobRecord) -> str:
    if job.state is JobState.FAILED:
        return f"given up after {_attempts(job)}"
    if job.not_before_s and job.state.is_waiting:
        return f"tried again from {clock_time(job.not_before_s)}"
    return "tried again" if job.state.is_waiting else job.state.lower()


def _before_peak(demand: ModelDemand | None, now_s: float) -> str:
    if demand is None or demand.peak_at_s <= now_s:
        return ""
    return f" before the {clock_time(demand.peak_at_s)} peak"


def _what_for(demand: ModelDemand | None, now_s: float) -> str:
    """Return why so many replicas are wanted, after the name of their model."""
    if demand is not None and demand.replicas_asked and demand.replicas_asked >= demand.replicas_wanted:
        return f", of which the cluster itself wants {plural(demand.replicas_asked, 'replica')} now"
    return _before_peak(demand, now_s)


def _replica_change(  # noqa: PLR0913, PLR0917  # one sentence, seven facts
    model: str,
    before: int,
    started: Sequence[StartReplica],
    stopped: Sequence[StopReplica],
    demand: Demand,
    cycle: int,
    now_s: float,
) -> EventRecord:
    after = before + len(started) - len(stopped)
    where = f"on {places([action.slot for action in started])}" if started else ""
    causes = sorted({a.cause.value for a in started} | {a.cause.value for a in stopped})
    need = demand.of(model)
    load = f"{need.rps_wanted:.1f} requests/s to cover{_what_for(need, now_s)} ({need.basis})" if need else ""
    detail = "; ".join(filter(None, (where, load, ", ".join(c for c in causes if c not in {"demand", "surplus"}))))
    moved = f"moves {plural(len(started), 'replica')}"
    verb = moved if after == before else f"{before} → {after} replicas"
    return EventRecord(now_s, cycle, EventKind.SERVING, model, f"{model} {verb}", detail)
