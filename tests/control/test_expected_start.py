"""When a waiting job may be expected to start: quantiles that hold, of the queue as it is."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.control.expected_start import ExpectedStart, expected_start, left_s
from scheduler.control.records import AttemptRecord, CycleRecord, DesiredState, JobRecord, Outcome
from scheduler.control.runtimes import LEAST_LEFT_S, RunTimes
from scheduler.model.demand import Demand, Level, ModelDemand
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
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
from scheduler.planning.planner import plan

NOW_S = 1_000_000.0
HOUR_S = 3600.0
POLICY = policy_from_names(may_preempt="never")
GPU = Shape(1000, 1024, 1)
LEVELS = np.linspace(0.005, 0.995, 100)


def host(gpus: int) -> Host:
    return Host("h", 64_000, 65_536, tuple(Device(n) for n in range(gpus)), "A")


def runs(number: int, since_s: float, **parts: object) -> TrainingJob:
    job = TrainingJob(JobId(str(number)), "lm-1", Gang(1, GPU), owner="ana", state=JobState.RUNNING, attempt=1)
    return replace(job, slots=(Slot("h", (number,)),), started_at_s=NOW_S - since_s, **parts)


def waits(number: int, workers: int = 1, **parts: object) -> TrainingJob:
    job = TrainingJob(JobId(str(number)), "lm-1", Gang(workers, GPU), owner="ana", submitted_at_s=float(number))
    return replace(job, **parts)


def learned(*took_s: float) -> RunTimes:
    run_times, spec = RunTimes(), JobSpec("lm-7", "x", Gang(1, GPU), "ana", "default", "normal", 50)
    for number, each_s in enumerate(took_s):
        attempt = AttemptRecord(JobId(str(number)), 1, (), 0.0, 0.0, each_s, Outcome.SUCCEEDED)
        run_times.learn(
            [JobRecord(attempt.job_id, spec, JobState.SUCCEEDED, DesiredState.RUN, 0.0, attempts=(attempt,))]
        )
    return run_times


def of(job_id: int, jobs: list[TrainingJob], gpus: int, run_times: RunTimes, **parts: object) -> ExpectedStart | None:
    snapshot = Snapshot.of(version=5, taken_at_s=NOW_S, hosts=[host(gpus)], jobs=jobs, **parts)
    cycle = CycleRecord(5, NOW_S, snapshot, Demand(), plan(snapshot, Demand(), POLICY), 0.0)
    return expected_start(cycle, POLICY, run_times, str(job_id))


def hours(found: ExpectedStart | None) -> tuple[float, float]:
    assert found is not None
    return (round((found.p50_s - NOW_S) / HOUR_S, 2), round((found.p90_s - NOW_S) / HOUR_S, 2))


def test_where_owners_say_how_long_jobs_run_the_quantiles_are_one_time() -> None:
    jobs = [runs(0, HOUR_S, max_runtime_s=3 * HOUR_S), runs(1, HOUR_S, max_runtime_s=6 * HOUR_S), waits(8), waits(9)]

    assert hours(of(8, jobs, 2, RunTimes())) == (2.0, 2.0)
    assert hours(of(9, [*jobs[:2], replace(jobs[2], max_runtime_s=HOUR_S), jobs[3]], 2, RunTimes())) == (3.0, 3.0)


def test_who_waits_for_several_to_end_starts_when_the_last_of_them_does() -> None:
    jobs = [runs(n, HOUR_S, max_runtime_s=(n + 2) * HOUR_S) for n in range(3)]

    assert hours(of(9, [*jobs, waits(9, workers=2)], 3, RunTimes())) == (2.0, 2.0)
    assert hours(of(9, [*jobs, waits(9, workers=3)], 3, RunTimes())) == (3.0, 3.0)


def test_learned_run_times_make_it_a_span() -> None:
    found = hours(of(9, [runs(0, 0.0), waits(9)], 1, learned(*(HOUR_S * n for n in range(1, 10)))))

    assert found == (pytest.approx(5.0, abs=0.8), pytest.approx(9.5, abs=2.0))


def test_what_has_run_for_long_is_judged_by_those_that_took_longer() -> None:
    times = learned(*[HOUR_S] * 9, 10 * HOUR_S, 10 * HOUR_S, 10 * HOUR_S)

    assert hours(of(9, [runs(0, 0.0), waits(9)], 1, times))[0] == pytest.approx(1.0, abs=0.3)
    assert hours(of(9, [runs(0, 2 * HOUR_S), waits(9)], 1, times))[0] > 5.0


def test_of_which_nothing_is_known_runs_as_long_again_with_even_chance() -> None:
    p50, p90 = hours(of(9, [runs(0, 4 * HOUR_S), waits(9)], 1, RunTimes()))

    assert p50 == pytest.approx(4.0, abs=1.5)
    assert p90 > 3 * p50


def test_nothing_is_said_of_who_starts_runs_is_held_unknown_or_behind_an_endless_queue() -> None:
    busy = [runs(0, HOUR_S, max_runtime_s=3 * HOUR_S)]

    assert of(9, [waits(9)], 1, RunTimes()) is None
    assert of(0, busy, 1, RunTimes()) is None
    assert of(9, [*busy, waits(9, state=JobState.HELD)], 1, RunTimes()) is None
    assert of(77, busy, 1, RunTimes()) is None
    assert of(99, [*busy, *(waits(n, max_runtime_s=60.0) for n in range(10, 40)), waits(99)], 1, RunTimes()) is None
    assert of(9, [*busy, waits(8), waits(9)], 1, RunTimes()) is None, "nothing says when the one before it ends"


def test_a_pause_after_a_failed_start_is_waited_for() -> None:
    jobs = [runs(0, HOUR_S, max_runtime_s=2 * HOUR_S), waits(9, not_before_s=NOW_S + 5 * HOUR_S)]

    assert hours(of(9, jobs, 1, RunTimes())) == (5.0, 5.0)


def test_room_being_freed_for_a_job_says_when() -> None:
    model = ServingModel("m", GPU, 0, 4)
    victim = runs(0, HOUR_S, max_runtime_s=20 * HOUR_S, priority=25, checkpointed_at_s=NOW_S - 10, grace_period_s=30.0)
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=[host(1)], jobs=[victim, waits(9, priority=75)], models=[model])
    policy = policy_from_names()
    cycle = CycleRecord(5, NOW_S, snapshot, Demand(), plan(snapshot, Demand(), policy), 0.0)

    found = expected_start(cycle, policy, RunTimes(), "9")

    assert found == ExpectedStart(NOW_S + 30.0, NOW_S + 30.0)


@given(
    took=st.lists(st.floats(1.0, 1e6), max_size=50),
    since_s=st.floats(0.0, 1e6),
    most_s=st.one_of(st.none(), st.floats(1.0, 1e6)),
)
def test_what_is_left_never_ends_before_now_nor_after_what_is_said(
    took: list[float], since_s: float, most_s: float | None
) -> None:
    left = left_s(runs(0, since_s, max_runtime_s=most_s), NOW_S, learned(*took), LEVELS)

    assert (left > 0).all()
    assert (np.diff(left) >= 0).all()
    if most_s is not None and most_s - (NOW_S - (NOW_S - since_s)) > LEAST_LEFT_S:
        assert left.max() <= most_s - (NOW_S - (NOW_S - since_s))
    assert np.isfinite(left).all()


def test_a_waiting_job_of_which_nothing_is_known_is_endless() -> None:
    assert left_s(waits(9), NOW_S, RunTimes(), LEVELS).tolist() == [inf] * len(LEVELS)


def test_who_saves_and_was_stopped_has_what_is_left_of_its_word() -> None:
    for saves_every_s, ran_s, left_h in ((600.0, HOUR_S, 2.0), (None, HOUR_S, 3.0), (600.0, 4 * HOUR_S, 3.0)):
        ahead = waits(8, max_runtime_s=3 * HOUR_S, ran_before_s=ran_s, checkpoint_interval_s=saves_every_s)
        assert left_s(ahead, NOW_S, RunTimes(), LEVELS).tolist() == [left_h * HOUR_S] * len(LEVELS)


def test_where_serving_may_need_more_than_the_middle_the_start_is_a_span() -> None:
    model, sits = ServingModel("m", GPU, 0, 4), Replica(ReplicaId("m-0"), "m", Slot("h", (3,)), ReplicaState.READY)
    jobs = [*(runs(n, HOUR_S, max_runtime_s=3 * HOUR_S) for n in range(3)), waits(9, workers=2)]
    demand = Demand((ModelDemand("m", 1, 1, 1, course=(Level(NOW_S + HOUR_S, 1, 3), Level(NOW_S + 5 * HOUR_S, 1, 1))),))
    snapshot = Snapshot.of(version=5, taken_at_s=NOW_S, hosts=[host(4)], jobs=jobs, models=[model], replicas=[sits])
    cycle = CycleRecord(5, NOW_S, snapshot, demand, plan(snapshot, demand, POLICY), 0.0)

    p50_h, p90_h = hours(expected_start(cycle, POLICY, RunTimes(), "9"))
    assert p50_h == 2.0
    assert p90_h >= 5.0


@pytest.mark.parametrize("known", [6, 40])
def test_half_start_before_p50_and_nine_of_ten_before_p90(known: int) -> None:
    """Run times are exponential with a mean that is nobody's business; the p90 of few of them is a little short."""
    chance, before = np.random.default_rng(known), np.zeros(2)
    for _ in range(40):
        run_times = learned(*chance.exponential(HOUR_S, known))
        ages_s = chance.exponential(HOUR_S, 4)
        jobs = [runs(n, age_s, attempt=1) for n, age_s in enumerate(ages_s.tolist())]
        starts_s = NOW_S + np.sort(chance.exponential(HOUR_S, 4))[1]
        found = of(9, [*jobs, waits(9, workers=2)], 4, run_times)
        assert found is not None
        before += (starts_s <= found.p50_s, starts_s <= found.p90_s)
    assert 0.3 <= before[0] / 40 <= 0.7
    assert before[1] / 40 >= 0.78
