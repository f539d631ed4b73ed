"""A simulated world that goes on from a snapshot: running jobs part-way, replicas warming up, reservations kept."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final, TypeAlias

from scheduler.control.records import AttemptRecord, CycleRecord, DesiredState, HostMark, JobRecord, Outcome
from scheduler.model.demand import Demand
from scheduler.model.hosts import Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Run, RunState, Stray, StrayKind
from scheduler.model.plan import Cause, Plan
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import JobId, JobState, Replica, ServingModel, TrainingJob
from simulations.memory_store import MemoryStore
from simulations.work import Attempt, Work
from simulations.world import World

WorkOf: TypeAlias = Callable[[TrainingJob], Work]
"""What a job really needs; of one that runs, counted from the begin of its present attempt."""

MARKED: Final = frozenset({HostState.CORDONED, HostState.DRAINING})
_LEAST_S: Final = 1.0


def world_of(snapshot: Snapshot, work_of: WorkOf) -> World:
    """Return a world in which everything is as a snapshot shows it, at its moment.

    Args:
        snapshot: what the planner was given; what it does not say of the past is made up so that the planner is given
            the same again.
        work_of: see `WorkOf`.
    """
    there = [job for job in snapshot.jobs if not _is_removed_run(job)]
    before = CycleRecord(
        snapshot.version - 1, snapshot.taken_at_s, snapshot, Demand(),
        Plan(snapshot.version - 1, reservations=snapshot.reservations), 0.0,
    )  # fmt: skip
    store = MemoryStore(map(record_of, there), marks=_marks(snapshot), moves=snapshot.moves, cycle=before)
    hosts = [replace(host, state=HostState.READY, reason="", since_s=0.0) for host in snapshot.hosts]
    world = World(snapshot.taken_at_s, hosts, [*snapshot.models, *_undeclared(snapshot)], store)
    for job in there:
        world.declare(job.job_id, work_of(job))
    _settle(world, snapshot)
    return world


def record_of(job: TrainingJob) -> JobRecord:
    """Return a record of which the planner sees this job."""
    spec = JobSpec(
        name=job.name,
        entrypoint="",
        gang=job.gang,
        owner=job.owner,
        queue=job.queue,
        priority=job.priority,
        preemptible=job.preemptible,
        grace_period_s=job.grace_period_s,
        checkpoint_interval_s=job.checkpoint_interval_s,
        max_runtime_s=job.max_runtime_s,
    )
    desired = (
        DesiredState.HOLD if job.state is JobState.HELD else DesiredState.STOP if job.stop_asked else DesiredState.RUN
    )
    now = (_open_attempt(job),) if job.state.holds_room else ()
    attempts = (*_earlier(job, job.attempt - len(now)), *now)
    return JobRecord(
        job.job_id, spec, job.state, desired, job.submitted_at_s, not_before_s=job.not_before_s, attempts=attempts
    )


def _open_attempt(job: TrainingJob) -> AttemptRecord:
    began_s = job.started_at_s or job.submitted_at_s
    return AttemptRecord(
        job.job_id,
        job.attempt,
        job.slots,
        began_s,
        began_s,
        stop_asked_at_s=began_s if job.state is JobState.PREEMPTING else None,
        checkpointed_at_s=job.checkpointed_at_s,
    )


def _earlier(job: TrainingJob, count: int) -> tuple[AttemptRecord, ...]:
    """Return attempts before the present one, oldest first: as many, as often stopped, and as long in all."""
    from_s, stops = job.submitted_at_s, min(job.stops, count)
    failed = min(job.failed_starts, count - stops)
    goes_on = int(job.ran_on_s > 0 and count > stops + failed)
    others = count - stops - failed - goes_on
    kinds = ["ended"] * others + ["stopped"] * stops + ["went on"] * goes_on + ["failed"] * failed
    lasted = next((number for number, kind in enumerate(kinds) if kind in {"ended", "stopped"}), None)
    made = []
    for number, kind in enumerate(kinds):
        held_s = job.ran_on_s if kind == "went on" else job.ran_before_s - job.ran_on_s if number == lasted else 0.0
        made.append(_ended(job, number + 1, kind, from_s, max(0.0, held_s)))
    return tuple(made)


def _ended(job: TrainingJob, number: int, kind: str, from_s: float, held_s: float) -> AttemptRecord:
    ended = AttemptRecord(job.job_id, number, (), from_s, from_s, from_s + held_s, Outcome.FAILED)
    match kind:
        case "failed":
            return replace(ended, started_at_s=None, outcome=Outcome.NEVER_STARTED)
        case "went on":
            return replace(ended, outcome=Outcome.PREEMPTED, stop_cause=Cause.GROWTH, goes_on_with=1)
        case "stopped":
            told_s = from_s + held_s
            saved_s = told_s if job.saves_when_told else None
            return replace(ended, outcome=Outcome.PREEMPTED, stop_asked_at_s=told_s, checkpointed_at_s=saved_s)
        case _:
            return ended


def _settle(world: World, snapshot: Snapshot) -> None:
    """Put everything where it is."""
    for job in snapshot.running.jobs:
        known = not _is_removed_run(job)
        world.cluster.resume(_attempt(job, world.work(job.job_id) if known else Work(0.0), snapshot.taken_at_s),
                             job.grace_period_s)  # fmt: skip
    for job in snapshot.jobs:
        if not job.state.holds_room:
            world.cluster.knows(job.job_id, job.attempt)
    for replica in snapshot.replicas:
        world.cluster.replicas.settle(replace(replica, retired_s=None))
    for number, held in enumerate(snapshot.foreign):
        world.cluster.settle(Stray(f"stray-{number:06d}", StrayKind.GROUP, held=(held,)))
    for name, others in groupby(snapshot.occupied, key=lambda held: held[0].host):
        world.cluster.occupy(name, *others)
    for host in snapshot.hosts:
        if host.state is HostState.LOST:
            world.cluster.silence_host(host.name, host.reason, host.since_s)


def _attempt(job: TrainingJob, work: Work, now_s: float) -> Attempt:
    """Return the attempt of a job that runs, with as much behind it as the time since it began allows."""
    began_s = job.started_at_s if job.started_at_s is not None else now_s
    up_s = max(work.start_up_s, now_s - began_s + _LEAST_S)
    if job.state is not JobState.ADMITTED:
        up_s = min(work.start_up_s, now_s - began_s)
    stops = job.state is JobState.PREEMPTING
    job_id = JobId(job.job_id.partition(".")[0])
    run = Run(job_id, job.attempt, job.slots, RunState.STOPPING if stops else RunState.STARTING, began_s)
    speed = len(job.slots) / max(job.gang.most, len(job.slots))
    saved_s = job.checkpointed_at_s
    return Attempt(
        run,
        job.gang.shape,
        replace(work, start_up_s=up_s),
        base_s=0.0,
        checkpoint_interval_s=job.checkpoint_interval_s,
        speed=speed,
        stop_at_s=now_s if stops else None,
        anchor=None if saved_s is None else (max(0.0, saved_s - began_s - up_s) * speed, saved_s),
    )


def _is_removed_run(job: TrainingJob) -> bool:
    """Whether it stands for a run that nobody asked for (any more), see `snapshots.parts.stray_job`."""
    return "." in job.job_id


def _marks(snapshot: Snapshot) -> Iterator[HostMark]:
    """Yield what operators must have said of hosts."""
    for host in snapshot.hosts:
        if host.state in MARKED:
            yield HostMark(host.name, host.state, host.reason, host.since_s, _deadline_s(host, snapshot.running.jobs))


def _deadline_s(host: Host, jobs: Iterable[TrainingJob]) -> float | None:
    """Return by when a host must be empty at the latest, if there are jobs that are over by then."""
    ends_s = [job.limit_s for job in jobs if job.ends_in_time and any(slot.host == host.name for slot in job.slots)]
    return max(ends_s, default=None)


def _undeclared(snapshot: Snapshot) -> Iterator[ServingModel]:
    """Yield models that have replicas and are declared no longer."""
    declared = {model.name for model in snapshot.models}
    shapes = {model.name: model.shape for model in snapshot.models}
    others: dict[str, Replica] = {one.model: one for one in snapshot.replicas if one.model not in declared}
    yield from (ServingModel(name, shape_held(one, shapes)) for name, one in others.items())
