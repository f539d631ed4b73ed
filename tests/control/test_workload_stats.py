"""What the loop learns from the work: jobs counted once, summed up upon news, old work forgotten."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.control.records import DesiredState, JobRecord
from scheduler.control.snapshots import workload_stats as learning
from scheduler.control.snapshots.workload_stats import WorkloadStats
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.work import NOTHING_SEEN, WorkSeen
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ServingModel

WHOLE, HALF, EIGHT = Shape(gpu_count=1), Shape(gpu_count=1, gpu_milli=500), Shape(gpu_count=8)
CHAT = ServingModel("chat", Shape(cpu_milli=1000, gpu_count=2), min_replicas=1, max_replicas=4, warm_up_s=60.0)


def by_shape(shapes: tuple[Shape, ...], counts: tuple[int, ...]) -> dict[Shape, int]:
    return dict(zip(shapes, counts, strict=True))


def seen(work: WorkSeen) -> dict[Shape, int]:
    return by_shape(work.shapes, work.seen)


def job(
    number: int, shape: Shape = WHOLE, workers: int = 1, state: JobState = JobState.PENDING, at_s: float = -1.0
) -> JobRecord:
    submitted_s = float(number) if at_s < 0 else at_s
    return JobRecord(
        JobId(str(number)), JobSpec("job", "true", Gang(workers, shape)), state, DesiredState.RUN, submitted_s
    )


def test_workers_are_counted_by_shape_and_by_what_became_of_them() -> None:
    jobs = [job(1, EIGHT, 2, JobState.RUNNING), job(2, HALF), job(3, HALF, 3, JobState.SUCCEEDED)]
    work = WorkloadStats().look(jobs, (), ())
    assert seen(work) == {EIGHT: 2, HALF: 4}
    assert by_shape(work.shapes, work.started) == {EIGHT: 2, HALF: 3}
    assert by_shape(work.shapes, work.running) == {EIGHT: 2, HALF: 0}
    assert dict(work.usual) == seen(work)


def test_replicas_are_work_that_runs_from_the_first_turn() -> None:
    replicas = [Replica(ReplicaId(f"r{i}"), "chat", Slot("h", (i,))) for i in range(3)]
    work = WorkloadStats().look((), replicas, [CHAT])
    assert (seen(work), work.running) == ({CHAT.shape: 3}, (3,))
    assert seen(WorkloadStats().look((), (), [CHAT])) == {CHAT.shape: CHAT.min_replicas}


def test_no_news_change_nothing() -> None:
    workload_stats = WorkloadStats()
    first = workload_stats.look([job(1), job(2)], (), ())
    assert workload_stats.look([job(1), job(2)], (), ()) is first
    assert workload_stats.look([job(2)], (), ()) is first
    assert workload_stats.look([job(2), job(3)], (), ()) != first


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4), st.booleans()), min_size=1, max_size=40))
def test_every_job_counts_once_however_the_turns_fall(course: list[tuple[int, int, bool]]) -> None:
    """Jobs come at equal or later times, some of them finish, and a turn is taken now and then."""
    workload_stats, jobs, at_s, expected = WorkloadStats(), [], 0.0, Counter[Shape]()
    for number, (later, workers, turn) in enumerate(course):
        at_s += later // 3
        jobs.append(job(number, (WHOLE, HALF, EIGHT)[number % 3], workers, at_s=at_s))
        expected[jobs[-1].spec.gang.shape] += workers
        if turn:
            workload_stats.look(jobs, (), ())
            jobs = jobs[number % 2 :]
    work = workload_stats.look([*jobs, job(1000, WHOLE, 1000, at_s=at_s)], (), ())
    assert seen(work) == expected + Counter({WHOLE: 1000})


def test_old_work_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "REMEMBERED", 100)
    workload_stats = WorkloadStats()
    for turn in range(60):
        work = workload_stats.look([job(turn, EIGHT if turn < 10 else WHOLE, 10)], (), ())
    assert sum(work.seen) <= 110
    assert seen(work).get(EIGHT, 0) <= 3


def test_the_usual_mix_changes_seldom() -> None:
    workload_stats = WorkloadStats()
    works = [workload_stats.look([job(turn)], (), ()) for turn in range(1000)]
    assert len(set(works)) > 20
    assert 3 < len({work.usual for work in works}) < 9


def test_the_default_policy_learns_to_keep_a_scarce_model_for_those_who_need_it() -> None:
    only = Shape(cpu_milli=1000, gpu_count=1, gpu_models=frozenset({"T4"}))
    hosts = [Host("a", 64_000, 8192, (Device(0),), "T4"), Host("b", 64_000, 8192, (Device(0), Device(1)), "G2")]
    ledger, rows, score = Ledger.of(hosts), np.arange(2), policy_from_names().placement_score
    work = WorkloadStats().look([job(number, only if number % 2 else WHOLE) for number in range(200)], (), ())
    before, after = (score(ledger, each)(ledger, rows, WHOLE) for each in (NOTHING_SEEN, work))
    assert (before.argmin(), after.argmin()) == (0, 1)
