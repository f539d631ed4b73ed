"""Random worlds for the planner, a tiny world that carries plans out, and the checks that hold of every plan."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.ledger import Ledger, Trial
from scheduler.model.plan import Action, Plan, PreemptJob, Reservation, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)

settings.register_profile(
    "headroom", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("headroom")

NOW_S = 10_000.0
POLICY = policy_from_names()


@dataclass(frozen=True)
class Scene:
    """Arguments of one call of `plan()`."""

    snapshot: Snapshot
    demand: Demand


whole_devices = st.builds(
    Shape,
    cpu_milli=st.sampled_from([1000, 1000, 3000]),
    memory_mib=st.sampled_from([0, 1024]),
    gpu_count=st.integers(1, 3),
    gpu_models=st.sampled_from([frozenset(), frozenset(), frozenset(), frozenset({"A"})]),
    device_memory_mib=st.sampled_from([0, 0, 0, 100]),
)
shares = st.builds(Shape, cpu_milli=st.just(500), gpu_count=st.just(1), gpu_milli=st.sampled_from([250, 500, 700]))
cpu_only = st.builds(
    Shape, cpu_milli=st.sampled_from([1000, 4000]), host_labels=st.sampled_from([(), (("zone", "x"),)])
)
shapes = st.one_of(whole_devices, whole_devices, whole_devices, shares, cpu_only)


def gang_of(workers: int, shape: Shape, limit: int, more: int) -> Gang:
    """Return a gang that may have so many workers more than the fewest."""
    return Gang(workers, shape, limit, max_workers=workers + more if more else 0)


gangs = st.builds(gang_of, st.integers(1, 3), shapes, st.sampled_from([0, 0, 1, 2]), st.sampled_from([0, 0, 1, 3]))
hosts = st.lists(
    st.builds(
        Host,
        name=st.just(""),
        cpu_milli=st.sampled_from([16000, 16000, 4000]),
        memory_mib=st.sampled_from([8192, 32768]),
        devices=st.sampled_from([2, 4, 3, 1, 0]).map(lambda n: tuple(Device(i, 100 * (i % 2)) for i in range(n))),
        gpu_model=st.sampled_from(["A", "A", "B"]),
        labels=st.sampled_from([(), (("zone", "x"),)]),
        state=st.sampled_from([HostState.READY] * 8 + [HostState.CORDONED, HostState.DRAINING]),
    ),
    min_size=1,
    max_size=4,
).map(lambda listed: [replace(host, name=f"h{i}") for i, host in enumerate(listed)])
models = st.lists(
    st.builds(
        ServingModel,
        name=st.just(""),
        shape=shapes,
        min_replicas=st.integers(0, 1),
        max_replicas=st.integers(1, 5),
        max_per_host=st.sampled_from([0, 0, 1, 2]),
        survive_host_losses=st.sampled_from([0, 0, 0, 1]),
    ),
    max_size=3,
).map(lambda listed: [replace(model, name=f"m{i}") for i, model in enumerate(listed)])


def place_somewhere(trial: Trial, shape: Shape, rows: Iterable[int]) -> Slot | None:
    for row in rows:
        devices = trial.devices_for(row, shape)
        if devices is not None:
            slot = Slot(trial.hosts[row].name, devices)
            trial.take(slot, shape)
            return slot
    return None


def place_gang(trial: Trial, gang: Gang, rows: Sequence[int]) -> tuple[Slot, ...]:
    """Place a gang, host states aside; () when it does not fit."""
    taken: list[Slot] = []
    for _ in range(gang.workers):
        full = {host for host, n in Counter(s.host for s in taken).items() if gang.max_per_host == n}
        slot = place_somewhere(trial, gang.shape, [row for row in rows if trial.hosts[row].name not in full])
        if slot is None:
            trial.give_all(taken, gang.shape)
            return ()
        taken.append(slot)
    return tuple(taken)


@st.composite
def jobs_on(draw: st.DrawFn, trial: Trial) -> list[TrainingJob]:
    jobs = []
    for number in range(draw(st.integers(2, 9))):
        job = TrainingJob(
            JobId(str(number)),
            f"job{number}",
            draw(gangs),
            priority=draw(st.sampled_from([25, 50, 75])),
            preemptible=draw(st.sampled_from([True, True, True, False])),
            submitted_at_s=draw(st.integers(0, 9000)),
            checkpoint_interval_s=60.0,
            max_runtime_s=draw(st.sampled_from([None, 20_000.0])),
        )
        rows = draw(st.permutations(range(len(trial.hosts))))
        sized = job.gang.of_size(draw(st.integers(job.gang.workers, job.gang.most)))
        slots = place_gang(trial, sized, rows) if draw(st.sampled_from([True, True, False])) else ()
        state = draw(
            st.sampled_from([JobState.RUNNING] * 6 + [JobState.ADMITTED, JobState.PREEMPTING])
            if slots
            else st.sampled_from([JobState.PENDING] * 4 + [JobState.PREEMPTED, JobState.HELD])
        )
        started = float(draw(st.sampled_from([0, 5000, 9000, 9600, 9900]))) if slots else None
        jobs.append(
            replace(
                job,
                state=state,
                slots=slots,
                attempt=1 if slots or state is JobState.PREEMPTED else 0,
                started_at_s=started,
                checkpointed_at_s=draw(st.sampled_from([None, started, NOW_S - 5])) if slots else None,
                stop_asked=bool(slots) and draw(st.sampled_from([False] * 8 + [True])),
                not_before_s=draw(st.sampled_from([0.0] * 5 + [NOW_S + 60])),
            )
        )
    return jobs


@st.composite
def replicas_on(draw: st.DrawFn, trial: Trial, served: Sequence[ServingModel]) -> list[Replica]:
    replicas = []
    for model in served:
        for number in range(draw(st.integers(0, 4))):
            slot = place_somewhere(trial, model.shape, draw(st.permutations(range(len(trial.hosts)))))
            if slot is not None:
                state = draw(st.sampled_from([ReplicaState.READY] * 3 + list(ReplicaState)))
                replicas.append(Replica(ReplicaId(f"{model.name}-{number}"), model.name, slot, state))
    return replicas


@st.composite
def demands_of(draw: st.DrawFn, served: Sequence[ServingModel]) -> Demand:
    demands = []
    for model in served:
        now = draw(st.integers(0, 3))
        wanted = now + draw(st.integers(0, 2))
        demands.append(ModelDemand(model.name, now, wanted, wanted + draw(st.sampled_from([0, 0, 1, 2]))))
    return Demand(tuple(demands))


@st.composite
def promises_on(draw: st.DrawFn, trial: Trial, jobs: Sequence[TrainingJob]) -> list[Reservation]:
    """Promise room that is free to a few of the waiting jobs."""
    promises = []
    for job in jobs:
        if job.state.is_waiting and draw(st.sampled_from([False, True])):
            slots = place_gang(trial, job.gang, draw(st.permutations(range(len(trial.hosts)))))
            expires = draw(st.sampled_from([NOW_S - 1, NOW_S + 500, NOW_S + 500]))
            if slots and all(host.takes_new_work for host in trial.hosts if host.name in {s.host for s in slots}):
                promises.append(Reservation(job.job_id, slots, NOW_S - 100, expires))
    return promises


def crowded(rng: Random) -> Scene:
    """A full cluster of like hosts in which more important work waits: somebody must give way."""
    listed = [Host(f"h{i}", 32000, 65536, tuple(Device(d) for d in range(4)), "A") for i in range(rng.randint(2, 4))]
    served = [crowded_model(f"m{i}", rng) for i in range(rng.randint(0, 3))]
    trial = Ledger.of(listed).trial()
    rows = list(range(len(listed)))
    replicas = []
    for model in served:
        for number in range(rng.randint(0, 3)):
            if slot := place_somewhere(trial, model.shape, rng.sample(rows, len(rows))):
                state = rng.choice([ReplicaState.READY, ReplicaState.READY, ReplicaState.STARTING])
                replicas.append(Replica(ReplicaId(f"{model.name}-{number}"), model.name, slot, state))
    jobs = [crowded_job(str(n), rng, trial, rng.sample(rows, len(rows)), runs=n < 12) for n in range(16)]
    demands = []
    for model in served:
        now = rng.randint(0, 2)
        demands.append(ModelDemand(model.name, now, now + rng.randint(0, 3), now + rng.randint(3, 4)))
    snapshot = Snapshot.of(version=7, taken_at_s=NOW_S, hosts=listed, jobs=jobs, models=served, replicas=replicas)
    return Scene(snapshot, Demand(tuple(demands)))


def crowded_model(name: str, rng: Random) -> ServingModel:
    shape = Shape(1000, 1024, *rng.choice([(1,), (1,), (2,), (1, 500)]))
    return ServingModel(name, shape, 0, 6, survive_host_losses=rng.choice([0, 0, 1]))


def crowded_job(number: str, rng: Random, trial: Trial, rows: Sequence[int], *, runs: bool) -> TrainingJob:
    shape = Shape(1000, 1024, *rng.choice([(1,), (2,), (2,), (3,), (4,), (1, 500)]))
    gang = gang_of(rng.choice([1, 1, 1, 2, 3]), shape, rng.choice([0, 0, 0, 1]), rng.choice([0, 0, 1, 2]))
    job = TrainingJob(JobId(number), f"job{number}", gang, submitted_at_s=rng.randint(0, 9000))
    slots = place_gang(trial, gang.of_size(rng.randint(gang.workers, gang.most)), rows) if runs else ()
    if not slots:
        return replace(job, priority=rng.choice([25, 50, 75]))
    saved_at_s = rng.choice([None, NOW_S - rng.randint(0, 900)])
    return replace(
        job,
        priority=rng.choice([25, 25, 50]),
        preemptible=rng.random() < 0.9,
        state=rng.choice([JobState.RUNNING] * 9 + [JobState.PREEMPTING]),
        slots=slots,
        attempt=1,
        started_at_s=NOW_S - rng.choice([100, 1000, 5000]),
        checkpointed_at_s=saved_at_s,
    )


def scenes() -> st.SearchStrategy[Scene]:
    """Worlds in which nothing is overcommitted to begin with: odd ones and crowded ones."""
    return st.one_of(odd_scenes(), st.randoms(use_true_random=True).map(crowded))


@st.composite
def odd_scenes(draw: st.DrawFn) -> Scene:
    """Few hosts of all kinds and states, with work of all shapes in all states, and promises."""
    listed, served = draw(hosts), draw(models)
    trial = Ledger.of(listed).trial()
    replicas = draw(replicas_on(trial, served))
    jobs = draw(jobs_on(trial))
    promises = draw(promises_on(trial, jobs))
    snapshot = Snapshot.of(
        version=7,
        taken_at_s=NOW_S,
        hosts=listed,
        jobs=jobs,
        models=served,
        replicas=replicas,
        reservations=promises,
    )
    return Scene(snapshot, draw(demands_of(served)))


def shape_of(snapshot: Snapshot, action: StartJob | StartReplica) -> Shape:
    if isinstance(action, StartReplica):
        model = snapshot.model(action.model)
        assert model is not None, f"{action} starts a model that nobody serves"
        return model.shape
    return next(job for job in snapshot.jobs if job.job_id == action.job_id).gang.shape


def slots_of(action: StartJob | StartReplica) -> tuple[Slot, ...]:
    return action.slots if isinstance(action, StartJob) else (action.slot,)


def is_sound(ledger: Ledger) -> bool:
    """Whether no host and no device has given more than it has."""
    devices = ledger.gpu_milli[ledger.table.device_exists]
    lowest = (ledger.cpu_milli.min(initial=0), ledger.memory_mib.min(initial=0), devices.min(initial=0))
    return min(lowest) >= 0


def assert_every_prefix_is_safe(snapshot: Snapshot, actions: Sequence[Action]) -> None:
    """Starts use only what is free in the snapshot, on hosts and devices that may be used: stops free nothing yet."""
    trial = snapshot.ledger.trial()
    assert is_sound(trial), "the world was overcommitted before"
    for action in actions:
        if isinstance(action, StartJob | StartReplica):
            shape = shape_of(snapshot, action)
            for slot in slots_of(action):
                assert_slot_is_legal(snapshot, slot, shape)
                trial.take(slot, shape)
            assert is_sound(trial), f"{action} takes room that is not free"


def assert_slot_is_legal(snapshot: Snapshot, slot: Slot, shape: Shape) -> None:
    host = snapshot.hosts[snapshot.ledger.row(slot.host)]
    assert host.takes_new_work
    assert len(set(slot.devices)) == len(slot.devices) == shape.gpu_count
    assert list(slot.devices) == sorted(slot.devices)
    assert not shape.gpu_models or host.gpu_model in shape.gpu_models
    assert set(shape.host_labels) <= set(host.labels)
    memory = {device.index: device.memory_mib for device in host.devices}
    assert all(memory[device] >= shape.device_memory_mib for device in slot.devices)


def apply(snapshot: Snapshot, plan: Plan, *, after_s: float = 30.0) -> Snapshot:
    """Carry a plan out as far as it goes at once: what starts holds its room, what stops still does."""
    at_s = snapshot.taken_at_s
    started = {action.job_id: action for action in plan.actions if isinstance(action, StartJob)}
    preempted = {action.job_id for action in plan.actions if isinstance(action, PreemptJob)}
    stopped = {action.replica_id for action in plan.actions if isinstance(action, StopReplica)}
    jobs = []
    for job in snapshot.jobs:
        if start := started.get(job.job_id):
            job = replace(  # noqa: PLW2901
                job,
                state=JobState.ADMITTED,
                slots=start.slots,
                attempt=start.attempt,
                started_at_s=at_s,
                checkpointed_at_s=None,
            )
        elif job.job_id in preempted:
            job = replace(job, state=JobState.PREEMPTING)  # noqa: PLW2901
        jobs.append(job)
    replicas = [replace(r, state=ReplicaState.STOPPING) if r.replica_id in stopped else r for r in snapshot.replicas]
    starts = [action for action in plan.actions if isinstance(action, StartReplica)]
    replicas += [
        Replica(ReplicaId(f"{a.model}-v{snapshot.version}-{i}"), a.model, a.slot, ReplicaState.STARTING, at_s)
        for i, a in enumerate(starts)
    ]
    return again(snapshot, jobs=jobs, replicas=replicas, reservations=plan.reservations, taken_at_s=at_s + after_s)


def finish(snapshot: Snapshot) -> Snapshot:
    """Let everything that is under way come to its end."""
    jobs = [finished for job in snapshot.jobs if (finished := finish_job(job))]
    replicas = [
        replace(replica, state=ReplicaState.READY)
        for replica in snapshot.replicas
        if replica.state is not ReplicaState.STOPPING
    ]
    return again(snapshot, jobs=jobs, replicas=replicas)


def finish_job(job: TrainingJob) -> TrainingJob | None:
    if job.state is JobState.ADMITTED:
        return replace(job, state=JobState.RUNNING)
    if job.state is not JobState.PREEMPTING:
        return job
    ended = replace(job, state=JobState.PREEMPTED, slots=(), started_at_s=None, checkpointed_at_s=None)
    return None if job.stop_asked else ended


def again(snapshot: Snapshot, **changed: object) -> Snapshot:
    """Return a later snapshot with some parts changed and the ledger counted anew."""
    parts = {
        "version": snapshot.version + 1,
        "taken_at_s": snapshot.taken_at_s,
        "hosts": snapshot.hosts,
        "jobs": snapshot.jobs,
        "models": snapshot.models,
        "replicas": snapshot.replicas,
        "reservations": snapshot.reservations,
        "queues": snapshot.queues,
        "usage": snapshot.usage,
        "occupied": snapshot.occupied,
    }
    return Snapshot.of(**(parts | changed))


def being_freed(snapshot: Snapshot, plan: Plan) -> list[tuple[Slot, Shape]]:
    """Return all that was leaving before the plan or leaves by it."""
    preempted = {action.job_id for action in plan.actions if isinstance(action, PreemptJob)}
    stopped = {action.replica_id for action in plan.actions if isinstance(action, StopReplica)}
    jobs = [job for job in snapshot.jobs if job.state is JobState.PREEMPTING or job.job_id in preempted]
    leaving = [(slot, job.gang.shape) for job in jobs for slot in job.slots]
    shapes_by_model = {model.name: model.shape for model in snapshot.models}
    return leaving + [
        (replica.slot, shapes_by_model[replica.model])
        for replica in snapshot.replicas
        if replica.state is ReplicaState.STOPPING or replica.replica_id in stopped
    ]


def room_in_the_end(snapshot: Snapshot, plan: Plan, *, without: Iterable[str] = ()) -> Trial:
    """Return what is free once the plan's starts sit and all that leaves is gone, promises taken off.

    Args:
        snapshot: what was planned for.
        plan: the plan.
        without: holders whose promises are not taken off.
    """
    trial = snapshot.ledger.trial()
    for slot, shape in being_freed(snapshot, plan):
        trial.give(slot, shape)
    for action in plan.actions:
        if isinstance(action, StartJob | StartReplica):
            trial.take_all(slots_of(action), shape_of(snapshot, action))
    holder_shapes = {job.job_id: job.gang.shape for job in snapshot.jobs}
    holder_shapes |= {model.name: model.shape for model in snapshot.models}
    for promise in plan.reservations:
        if promise.holder not in without:
            trial.take_all(promise.slots, holder_shapes[promise.holder])
    return trial


def fits(ledger: Ledger, gang: Gang) -> bool:
    units = ledger.units_fitting(gang.shape).clip(max=gang.max_per_host or gang.workers)
    return bool(units.clip(max=gang.workers).sum() >= gang.workers)


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """Everything above, for the tests of this folder."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})
