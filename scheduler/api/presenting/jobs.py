"""Jobs and events on the wire."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from scheduler.api.presenting.times import MIB, moment, moment_or_none
from scheduler.control.model_records import Publication
from scheduler.control.records import AttemptRecord, EventRecord, JobRecord, Outcome
from scheduler.control.reports.board import Report
from scheduler.control.whatif.submission import SubmitOutlook
from scheduler.model.jobspec import JobSpec, Publishes
from scheduler.model.plan import Unplaced
from scheduler.model.reasons import Reasons
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Slot
from scheduler.model.workloads import JobState
from scheduler.wire.base import Why
from scheduler.wire.jobs import Attempt, Condition, Event, ExpectedStart, Job, JobBooking, JobOutlook, Published

CPU_MILLI = 1000


class Waiting(NamedTuple):
    """Why something waits, and its place in the order of trying, from 1."""

    place: int
    unplaced: Unplaced


class Ahead(NamedTuple):
    """When a job may be expected to start, and what is booked for it."""

    start: ExpectedStart | None = None
    booking: JobBooking | None = None


NOBODY_WAITS: Final = Reasons()
NOTHING_AHEAD: Final = Ahead()


def queue_of(report: Report | None) -> Reasons:
    """Return what waits after the last plan; nothing is known before the first."""
    return Reasons.of(report.cycle.plan.unplaced) if report else NOBODY_WAITS


def booking_of(report: Report, job_id: str) -> JobBooking | None:
    """Return what is booked for a job."""
    found = next((one for one in report.cycle.plan.bookings if one.job_id == job_id), None)
    return JobBooking(at=moment(found.start_s), where=places(found.slots), counts_on=found.models) if found else None


def job_view(
    record: JobRecord,
    now_s: float,
    queue: Reasons = NOBODY_WAITS,
    events: Sequence[EventRecord] = (),
    ahead: Ahead = NOTHING_AHEAD,
) -> Job:
    """Return one job with all that is known of it.

    Args:
        record: as stored.
        now_s: until when ages are counted, epoch seconds.
        queue: what waits after the last plan.
        events: about this job, oldest first.
        ahead: what is known of its start.
    """
    waiting = _waiting(queue, record.job_id)
    spec, shape, attempt = record.spec, record.spec.gang.shape, record.attempt
    run_s = sum(_run_s(one, now_s) for one in record.attempts)
    age_s = max(0.0, (record.finished_at_s or now_s) - record.submitted_at_s)
    gpus_per_worker = shape.total_gpu_milli / WHOLE_DEVICE_MILLI
    gang, holds = spec.gang, attempt is not None and record.state.holds_room
    workers = attempt.workers if attempt and holds else gang.workers
    return Job(
        id=record.job_id,
        name=spec.name,
        owner=spec.owner,
        queue=spec.queue,
        priority_class=spec.priority_class,
        priority=spec.priority,
        preemptible=spec.preemptible,
        state=record.state.value,
        workers=workers,
        min_workers=gang.workers if gang.is_elastic else 0,
        max_workers=gang.max_workers,
        gpus_per_worker=gpus_per_worker,
        gpus=gpus_per_worker * workers,
        cpus_per_worker=shape.cpu_milli / CPU_MILLI,
        memory_bytes_per_worker=shape.memory_mib * MIB,
        gpu_models=tuple(sorted(shape.gpu_models)),
        entrypoint=spec.entrypoint,
        origin=spec.origin,
        publishes=published_view(spec.publishes) if spec.publishes else None,
        submitted_at=moment(record.submitted_at_s),
        finished_at=moment_or_none(record.finished_at_s),
        age_s=age_s,
        wait_s=max(0.0, age_s - run_s),
        run_s=run_s,
        grace_period_s=spec.grace_period_s,
        checkpoint_interval_s=spec.checkpoint_interval_s,
        max_runtime_s=spec.max_runtime_s,
        step=_step(record.attempts),
        total_steps=next((one.total_steps for one in reversed(record.attempts) if one.total_steps), None),
        checkpointed_at=moment_or_none(_checkpointed_at_s(record.attempts)),
        lost_gpu_s=sum(one.lost_gpu_s for one in record.attempts),
        where=places(attempt.slots) if attempt and holds else (),
        why=_why(record, waiting),
        expected_start=ahead.start if waiting else None,
        booking=ahead.booking if waiting else None,
        order=waiting.place if waiting else None,
        attempts=tuple(_attempt_view(one) for one in record.attempts),
        conditions=tuple(_conditions(record)),
        events=tuple(event_view(event) for event in events),
    )


def published_view(asked: Publishes, made: Publication | None = None) -> Published:
    """Return what a job publishes, and what became of that; None while it is not known."""
    plain = Published(model=asked.model, path=asked.path, deploys=asked.is_deployed, data_version=asked.data_version)
    if made is None:
        return plain
    known = {name: getattr(made, name) for name in ("attempt", "digest", "size_bytes", "files", "fault", "followed")}
    return plain.model_copy(update={"at": moment(made.at_s), **known})


def event_view(event: EventRecord) -> Event:
    """Return an event."""
    return Event(
        id=event.event_id,
        at=moment(event.at_s),
        cycle=event.cycle,
        kind=event.kind.value,
        subject=event.subject,
        title=event.title,
        detail=event.detail,
        actor=event.actor,
    )


def outlook_view(spec: JobSpec, outlook: SubmitOutlook) -> JobOutlook:
    """Return what would become of a job."""
    return JobOutlook(
        name=spec.name,
        owner=spec.owner,
        queue=spec.queue,
        priority_class=spec.priority_class,
        workers=len(outlook.slots) or spec.gang.workers,
        gpus=spec.gang.of_size(len(outlook.slots) or spec.gang.workers).gpus,
        where=places(outlook.slots),
        why=why_view(outlook.why) if outlook.why else None,
        order=outlook.place,
        preempts=outlook.preempts,
        delays=outlook.delays,
    )


def why_view(unplaced: Unplaced) -> Why:
    """Return the planner's reason."""
    return Why(
        code=unplaced.reason.value,
        message=unplaced.message,
        asked=unplaced.asked,
        free=unplaced.free,
        until=moment_or_none(unplaced.until_s),
        blocked_by=unplaced.blocked_by,
    )


def _waiting(queue: Reasons, job_id: str) -> Waiting | None:
    place = queue.place_of(job_id)
    return None if place is None else Waiting(place + 1, queue[place])


def places(slots: Iterable[Slot]) -> tuple[str, ...]:
    """Return "host:device,device" per worker, "host" alone for a worker without devices."""
    return tuple(f"{slot.host}:{','.join(map(str, slot.devices))}" if slot.devices else slot.host for slot in slots)


def _run_s(attempt: AttemptRecord, now_s: float) -> float:
    if attempt.started_at_s is None:
        return 0.0
    return max(0.0, (now_s if attempt.ended_at_s is None else attempt.ended_at_s) - attempt.started_at_s)


def _step(attempts: Sequence[AttemptRecord]) -> int | None:
    """Return the step from which the next attempt would go on."""
    for attempt in reversed(attempts):
        if attempt.checkpoint_step is not None:
            return attempt.checkpoint_step
        if attempt.resumed_from_step:
            return attempt.resumed_from_step
    return None


def _checkpointed_at_s(attempts: Sequence[AttemptRecord]) -> float | None:
    return next((one.checkpointed_at_s for one in reversed(attempts) if one.checkpointed_at_s is not None), None)


def _why(record: JobRecord, waiting: Waiting | None) -> Why | None:
    if record.state is JobState.HELD:
        said = f": “{record.hold_reason}”" if record.hold_reason else ""
        return Why(code="HeldByOwner", message=f"held{said}")
    if not record.state.is_waiting:
        return None
    return (
        why_view(waiting.unplaced) if waiting else Why(code="NotYetPlanned", message="is looked at in the next cycle")
    )


def _attempt_view(attempt: AttemptRecord) -> Attempt:
    return Attempt(
        number=attempt.number,
        started_at=moment(attempt.decided_at_s if attempt.started_at_s is None else attempt.started_at_s),
        ended_at=moment_or_none(attempt.ended_at_s),
        outcome=attempt.outcome.value,
        workers=attempt.workers,
        where=places(attempt.slots),
        cause=attempt.cause or attempt.message,
        resumed_from_step=attempt.resumed_from_step,
        checkpoint_step=attempt.checkpoint_step,
        lost_gpu_s=attempt.lost_gpu_s,
    )


def _conditions(record: JobRecord) -> list[Condition]:
    """Return the milestones in the order in which they happened."""
    found = [Condition(type="Accepted", at=moment(record.submitted_at_s))]
    for attempt in record.attempts:
        found.extend(_milestones(attempt))
    if record.finished_at_s is not None:
        found.append(Condition(type="Finished", at=moment(record.finished_at_s), message=record.state.value))
    return sorted(found, key=lambda condition: condition.at)


def _milestones(attempt: AttemptRecord) -> list[Condition]:
    tried = f"attempt {attempt.number}"
    preempted_at_s = attempt.ended_at_s if attempt.outcome is Outcome.PREEMPTED else None
    dated = (
        ("Admitted", attempt.decided_at_s, tried),
        ("Running", attempt.started_at_s, tried),
        ("Checkpointed", attempt.checkpointed_at_s, f"step {attempt.checkpoint_step}"),
        ("Preempted", preempted_at_s, attempt.cause),
    )
    return [Condition(type=kind, at=moment(at_s), message=said) for kind, at_s, said in dated if at_s is not None]
