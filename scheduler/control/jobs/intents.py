"""From a plan to records: what is about to be done is written down before the cluster is asked. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from scheduler.control.isolation.bulkheads import reason_of, spoken
from scheduler.control.jobs.attempts import opened, refused, told
from scheduler.control.jobs.event_text import cause_of, over_limit, preempting, replica_changes, starting
from scheduler.control.jobs.reconcile import backed_off, settled
from scheduler.control.patience import Patience
from scheduler.control.records import DesiredState, EventKind, EventRecord, JobRecord
from scheduler.model.demand import Demand
from scheduler.model.plan import Action, Cause, Plan, PreemptJob, StartJob
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState


@dataclass(frozen=True, slots=True)
class Intents:
    """What a plan means for the records.

    Attributes:
        actions: those of the plan that still hold, in its order.
        jobs: to save before any of them is applied.
        events: to save with them.
    """

    actions: tuple[Action, ...]
    jobs: tuple[JobRecord, ...]
    events: tuple[EventRecord, ...]


def intents_of(
    made: Plan,
    snapshot: Snapshot,
    demand: Demand,
    record_of: Callable[[JobId], JobRecord],
    cycle: int,
) -> Intents:
    """Write down what a plan is about to do.

    An action on a job that moved on since the snapshot (its owner stopped it meanwhile) is dropped, which is safe:
    it only leaves room unused.

    Args:
        made: the plan.
        snapshot: what it was made from.
        demand: likewise.
        record_of: the record of a job as it is now.
        cycle: number of the turn, for events.
    """
    now_s = snapshot.taken_at_s
    actions: list[Action] = []
    jobs: list[JobRecord] = []
    events: list[EventRecord] = []
    for action in made.actions:
        if isinstance(action, StartJob | PreemptJob):
            job = record_of(action.job_id)
            if not _still_holds(action, job):
                continue
            changed, event = _intended(action, job, demand, cycle, now_s)
            jobs.append(changed)
            events.append(event)
        actions.append(action)
    running = Counter(replica.model for replica in snapshot.replicas)
    return Intents(tuple(actions), tuple(jobs), (*events, *_of_replicas(actions, running, demand, cycle, now_s)))


def not_started(job: JobRecord, message: str, patience: Patience, now_s: float) -> JobRecord:
    """Return a job whose latest attempt the cluster refused."""
    if job.attempt is None:
        return job
    attempts = (*job.attempts[:-1], refused(job.attempt, message, now_s))
    return settled(backed_off(replace(job, attempts=attempts), patience, now_s), patience, now_s)


def _still_holds(action: StartJob | PreemptJob, job: JobRecord) -> bool:
    if isinstance(action, StartJob):
        return job.state.is_waiting and job.desired is DesiredState.RUN and action.attempt == len(job.attempts) + 1
    attempt = job.attempt
    return attempt is not None and attempt.is_open and action.attempt == attempt.number


def _intended(
    action: StartJob | PreemptJob, job: JobRecord, demand: Demand, cycle: int, now_s: float
) -> tuple[JobRecord, EventRecord]:
    if isinstance(action, StartJob):
        started = replace(job, state=JobState.ADMITTED, attempts=(*job.attempts, opened(job, action, now_s)))
        plain = _plain(EventKind.TRAINING, started, "started", cycle, now_s)
        return started, spoken(lambda: starting(started, action, cycle, now_s), plain)
    cause = _cause(action, job, demand, now_s)
    stopping = tuple(told(a, action, cause, now_s) if a.number == action.attempt else a for a in job.attempts)
    changed = replace(job, state=JobState.PREEMPTING, attempts=stopping)
    plain = _plain(EventKind.PREEMPTION, changed, "preempting", cycle, now_s)
    return changed, spoken(lambda: preempting(changed, action, cause, cycle, now_s), plain)


def _plain(kind: EventKind, job: JobRecord, what: str, cycle: int, now_s: float) -> EventRecord:
    return EventRecord(now_s, cycle, kind, job.job_id, f"{job.job_id} {job.spec.name} {what}")


def _cause(action: PreemptJob, job: JobRecord, demand: Demand, now_s: float) -> str:
    """Return why a job is stopped; in one word where there are no more."""
    try:
        if action.cause is Cause.TIME_LIMIT:
            return over_limit(job)
        return cause_of(action, _freed(action, job), demand, now_s)
    except Exception:  # noqa: BLE001  # whatever is wrong with the words
        return action.cause.value


def _of_replicas(
    actions: Sequence[Action], running: dict[str, int], demand: Demand, cycle: int, now_s: float
) -> list[EventRecord]:
    """Tell of replicas started and stopped; only that some were where more cannot be said."""
    try:
        return replica_changes(actions, running, demand, cycle, now_s)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with the words
        return [EventRecord(now_s, cycle, EventKind.SERVING, "serving", "replicas change", reason_of(error))]


def _freed(action: PreemptJob, job: JobRecord) -> Gang:
    """Return what an order to stop frees: all that the job has, but for the workers with which it goes on."""
    workers = job.attempt.workers if job.attempt is not None else job.spec.gang.workers
    return job.spec.gang.of_size(abs(workers - action.goes_on_with) or workers)
