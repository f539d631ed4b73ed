"""The builder's snapshot is the one that would be made of all the parts, whatever has changed since the last turn."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.speed.site import Size
from benchmarks.speed.world import CHANGES, World
from policies.registry import policy_from_names
from scheduler.control.records import AttemptRecord, DesiredState, HostMark, JobRecord, Outcome
from scheduler.control.runtimes import RunTimes
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.control.snapshots.parts import marked, stray_job, training_job, with_deadlines
from scheduler.model.hosts import HostState
from scheduler.model.observation import Observation, Run, RunState
from scheduler.model.plan import Reservation
from scheduler.model.queues import MeanUse, Queue
from scheduler.model.resources import Held, Shape, Slot
from scheduler.model.running import Running
from scheduler.model.snapshot import Snapshot
from scheduler.model.waiting import Waiting
from scheduler.model.workloads import JobId, JobState, Moved, Replica, ReplicaId, ServingModel
from scheduler.planning.planner import plan

PARTS = (
    "version",
    "taken_at_s",
    "hosts",
    "jobs",
    "models",
    "replicas",
    "reservations",
    "moves",
    "queues",
    "usage",
)
SHAPE = Shape(cpu_milli=1000)
SIZE = Size(hosts=6, running=10, pending=6, models=2)
POLICY = policy_from_names(min_runtime_s=0.0)
DRAINING = HostMark("host00002", HostState.DRAINING, "memory", 5.0, deadline_s=2.0e9)
CORDONED = HostMark("host00001", HostState.CORDONED, "noise", 5.0)
STRAY = Run(JobId("3"), 7, (Slot("host00000", (0,)),), RunState.RUNNING, 9.0)


def parts(world: World, version: int, marks: Sequence[HostMark], strays: Sequence[Run]) -> dict[str, object]:
    return {
        "version": version,
        "seen": world.observation(),
        "jobs": tuple(world.jobs.values()),
        "strays": tuple(strays),
        "marks": tuple(marks),
        "reservations": world.reservations,
        "models": world.models,
        "restart_cost_s": 60.0,
    }


def same_columns(one: Running, other: Running) -> bool:
    """Equal but for the numbers that groups and accounts have."""
    numbered = {"groups", "group", "accounts", "account"}
    names = [field.name for field in fields(Running) if field.name not in {"jobs", *numbered}]
    columns = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    groups = [[running.groups[number] for number in running.group] for running in (one, other)]
    accounts = [[running.accounts[number] for number in running.account] for running in (one, other)]
    return columns and one.jobs == other.jobs and groups[0] == groups[1] and accounts[0] == accounts[1]


def same_queue(one: Waiting, other: Waiting) -> bool:
    """Equal but for the numbers that gangs and groups have."""
    names = ("priority", "submitted_s", "ran_before_s", "runtime_s", "not_before_s")
    columns = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    rows = [
        [
            (id(queue.gangs.gangs[gang]), queue.groups[group])
            for gang, group in zip(queue.gang, queue.group, strict=True)
        ]
        for queue in (one, other)
    ]
    return columns and one.jobs == other.jobs and rows[0] == rows[1]


def assert_same(kept: Snapshot, anew: Snapshot) -> None:
    assert kept == anew
    assert kept.ledger == anew.ledger
    assert (kept.ledger.table.usable == anew.ledger.table.usable).all()
    assert (kept.ledger.table.leaving == anew.ledger.table.leaving).all()
    assert (kept.waiting, kept.held, kept.by_id) == (anew.waiting, anew.held, anew.by_id)
    assert same_columns(kept.running, anew.running)
    assert same_queue(kept.queued, Waiting.of(kept.jobs))
    for shape in {job.gang.shape for job in kept.jobs}:
        assert np.array_equal(kept.ledger.units(shape), anew.ledger.units_fitting(shape))


def snapshot_of(  # noqa: PLR0913  # the world has that many parts, all by name
    *,
    version: int,
    seen: Observation,
    jobs: Iterable[JobRecord],
    strays: Iterable[Run],
    marks: Iterable[HostMark],
    reservations: Iterable[Reservation],
    models: Iterable[ServingModel],
    restart_cost_s: float,
    moves: Iterable[Moved] = (),
    run_times: RunTimes | None = None,
    queues: Iterable[Queue] = (),
    usage: Iterable[MeanUse] = (),
    foreign: Iterable[Held] = (),
) -> Snapshot:
    """Put together what the planner sees, from scratch: what a kept snapshot is held against."""
    known = {job.job_id: job for job in jobs}
    learned = run_times or RunTimes()
    training = [
        training_job(job, restart_cost_s, learned.expected_s(job), learned.doubt(job.spec))
        for job in known.values()
        if not job.state.is_final
    ]
    words = tuple(marks)
    return Snapshot.of(
        version=version,
        taken_at_s=seen.taken_at_s,
        hosts=marked(seen.hosts, words),
        jobs=(
            *(with_deadlines(job, words) for job in training),
            *(stray_job(run, known.get(run.job_id)) for run in strays),
        ),
        models=models,
        replicas=seen.replicas,
        reservations=reservations,
        moves=moves,
        queues=queues,
        usage=usage,
        foreign=foreign,
        occupied=seen.occupied,
    )


def hold(world: World, number: int) -> None:
    waiting = [job for job in world.jobs.values() if job.state.is_waiting]
    if waiting:
        job = waiting[number % len(waiting)]
        world.jobs[job.job_id] = replace(job, state=JobState.HELD, desired=DesiredState.HOLD)


def again(records: dict[JobId, JobRecord]) -> None:
    """Let a store read everything anew: equal, but other objects."""
    for job_id, job in records.items():
        records[job_id] = replace(job, spec=replace(job.spec, gang=replace(job.spec.gang)))


def teach(run_times: RunTimes, world: World, number: int) -> None:
    """Let some jobs like one of those there have ended, after a time that depends on the number."""
    like = list(world.jobs.values())[number % len(world.jobs)]
    took = AttemptRecord(like.job_id, 1, (), 0.0, 0.0, 1000.0 * (number + 1), Outcome.SUCCEEDED)
    run_times.learn([replace(like, state=JobState.SUCCEEDED, attempts=(took,))] * 3)


FOREIGN = ((Slot("host00001"), Shape(1000)), (Slot("host00002"), Shape(2000, 512)))


def occupied_otherwise(before: tuple[Held, ...], number: int) -> tuple[Held, ...]:
    """Let other work come, take more or less, or go, each on a host of its own."""
    host = World(SIZE).observation().hosts[number % 5]
    kept = [held for held in before if held[0].host != host.name]
    if len(kept) == len(before) or number % 2:
        kept.append((Slot(host.name), Shape(500 * (1 + number), 128)))
    return tuple(sorted(kept))


EVENTS = st.sampled_from([*CHANGES, "hold", "again", "mark", "stray", "learn", "others", "foreign", "nothing"])


@settings(max_examples=40)
@given(events=st.lists(st.lists(EVENTS, max_size=3), min_size=2, max_size=8), seed=st.integers(0, 99))
@example(events=[[], [], [], ["a job ends", "a job arrives", "learn"]], seed=97)
def test_after_any_changes_the_snapshot_and_its_plan_are_those_made_from_scratch(
    events: list[list[str]], seed: int
) -> None:
    world, builder = World(replace(SIZE, seed=seed)), SnapshotBuilder()
    marks: tuple[HostMark, ...] = ()
    strays: tuple[Run, ...] = ()
    others: tuple[Held, ...] = ()
    foreign: tuple[Held, ...] = ()
    run_times = RunTimes()
    for _ in range(SIZE.running + SIZE.pending):
        world.submit()
    for version, happening in enumerate(events):
        for number, event in enumerate(happening):
            if event in CHANGES and (event != "a job ends" or world.running):
                CHANGES[event](world)
            elif event == "hold":
                hold(world, number)
            elif event == "again":
                again(world.jobs)
            elif event == "learn":
                teach(run_times, world, version + number)
            marks = (CORDONED, DRAINING)[: len(happening)] if event == "mark" else marks
            strays = () if strays else (STRAY,) if event == "stray" else strays
            others = occupied_otherwise(others, version + number) if event == "others" else others
            foreign = FOREIGN[version % 2 :] if event == "foreign" else foreign
        asked = parts(world, version, marks, strays) | {"foreign": foreign}
        asked["seen"] = replace(asked["seen"], occupied=others)
        kept, anew = builder.snapshot(**asked, run_times=run_times), snapshot_of(**asked, run_times=run_times)
        assert_same(kept, anew)
        made = plan(kept, world.demand, POLICY)
        assert made == plan(anew, world.demand, POLICY)
        world.carry_out(made)


def test_equal_gangs_are_one_object() -> None:
    world = World(SIZE)
    for _ in range(3):
        world.submit()
    spec = next(iter(world.jobs.values())).spec
    for job_id, job in world.jobs.items():
        world.jobs[job_id] = replace(job, spec=replace(spec, gang=replace(spec.gang)))
    jobs = SnapshotBuilder().snapshot(**parts(world, 1, (), ())).jobs

    assert len({id(job.gang) for job in jobs}) == 1


def test_nothing_is_made_again_of_what_has_not_changed() -> None:
    world, builder = World(SIZE), SnapshotBuilder()
    for _ in range(10):
        world.submit()
    first = builder.snapshot(**parts(world, 1, (), ()))
    world.submit()
    second = builder.snapshot(**parts(world, 2, (), ()))

    assert [one is other for one, other in zip(first.jobs, second.jobs, strict=False)] == [True] * 10
    assert second.ledger.table is first.ledger.table


def test_a_host_of_another_size_is_counted_anew() -> None:
    world, builder = World(SIZE), SnapshotBuilder()
    world.submit()
    builder.snapshot(**parts(world, 1, (), ()))
    asked = parts(world, 2, (), ())
    seen = world.observation()
    smaller = replace(seen.hosts[0], cpu_milli=1000)
    asked["seen"] = Observation(seen.taken_at_s, (smaller, *seen.hosts[1:]), seen.runs, seen.replicas)

    assert_same(builder.snapshot(**asked), snapshot_of(**asked))


def test_when_a_model_was_first_missed_is_remembered_while_its_replicas_are_there() -> None:
    builder, world = SnapshotBuilder(), World(SIZE)
    gone, there = (Replica(ReplicaId(name), name, Slot("host00000", (n,))) for n, name in enumerate(("gone", "kept")))

    def missed(at_s: float, *replicas: Replica) -> list[float | None]:
        seen = replace(world.observation(), taken_at_s=at_s, replicas=replicas)
        made = builder.snapshot(**parts(world, 1, (), ()) | {"seen": seen, "models": [ServingModel("kept", SHAPE)]})
        return [replica.retired_s for replica in made.replicas]

    assert missed(10.0, gone, there) == [10.0, None]
    assert missed(20.0, gone, there) == [10.0, None]
    assert missed(30.0, there) == [None]
    assert missed(40.0, gone) == [40.0]


def test_a_queue_that_is_declared_no_longer_is_kept_until_its_last_job_is_over() -> None:
    builder, world = SnapshotBuilder(), World(SIZE)
    declared = (Queue("default"), Queue("b", weight=2.0))
    world.submit()
    world.submit()
    first, second = list(world.jobs.values())[:2]

    def queues(*jobs: JobRecord) -> list[tuple[str, bool]]:
        made = builder.snapshot(**parts(world, 1, (), ()) | {"jobs": jobs, "queues": declared})
        assert made == Snapshot.of(**{name: getattr(made, name) for name in PARTS})
        return [(queue.name, queue.removed) for queue in made.queues]

    def within(job: JobRecord, queue: str) -> JobRecord:
        return replace(job, spec=replace(job.spec, queue=queue))

    known = [("default", False), ("b", False)]
    assert queues(within(first, "b")) == known
    assert queues(within(first, "b"), within(second, "a")) == [*known, ("a", True)]
    moved = replace(within(second, "a"), state=JobState.HELD, desired=DesiredState.HOLD)
    assert queues(within(first, "b"), moved) == [*known, ("a", True)], "counted once, however it changes"
    assert queues(within(first, "b")) == known
    assert queues(within(first, "default")) == known


def test_where_no_queue_is_declared_none_was_removed() -> None:
    world = World(SIZE)
    world.submit()
    job = next(iter(world.jobs.values()))
    job = replace(job, spec=replace(job.spec, queue="a"))
    assert SnapshotBuilder().snapshot(**parts(world, 1, (), ()) | {"jobs": [job]}).queues == ()
