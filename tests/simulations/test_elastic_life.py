"""Days with jobs that shrink and grow: sizes stay in range, nobody flaps, nothing is lost, and peaks cost less."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources, WorkerRange
from scheduler.control.records import AttemptRecord, JobRecord
from scheduler.model.plan import Cause
from scheduler.model.workloads import JobState
from simulations.arrivals import DAY_S, Arrival, from_stream
from simulations.run import Setup, Simulation

HOUR_S = 3600.0
START_S = 20 * DAY_S
GROW_AFTER_S = 1800.0


def arrivals_of(seed: int, workers: WorkerRange, per_day: float = 8.0) -> list[Arrival]:
    """Jobs of one device a worker that take three hours with four of them."""
    stream = JobStream(
        name="wide",
        per_day=per_day,
        duration=3 * HOUR_S,
        workers=workers,
        resources=Resources(cpus=1, memory=100, gpus=1),
        grace=60,
    )
    return list(from_stream(stream, {"normal": 50}, START_S, START_S + DAY_S, seed))


def ended(make_setup: Callable[..., Setup], arrivals: list[Arrival], days: float = 3.0) -> Simulation:
    """Return a simulation that ran until all jobs must be over, beside a model whose peak at noon none foresees."""
    setup = make_setup(reactive=True)
    simulation = Simulation(replace(setup, arrivals=arrivals, end_s=START_S + days * DAY_S))
    simulation.run()
    return simulation


def jobs_of(simulation: Simulation) -> tuple[JobRecord, ...]:
    return simulation.world.store.jobs(open_only=False)


def resizes(jobs: tuple[JobRecord, ...]) -> Iterator[AttemptRecord]:
    yield from (attempt for job in jobs for attempt in job.attempts if attempt.is_resized)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), fewest=st.integers(1, 3), more=st.integers(1, 4))
def test_sizes_stay_in_range_nobody_flaps_and_everybody_ends(
    make_setup: Callable[..., Setup], seed: int, fewest: int, more: int
) -> None:
    simulation = ended(make_setup, arrivals_of(seed, WorkerRange(min=fewest, max=fewest + more)), days=6.0)
    jobs = jobs_of(simulation)
    for job in jobs:
        assert job.state is JobState.SUCCEEDED
        assert all(fewest <= attempt.workers <= fewest + more for attempt in job.attempts)
        grown = [attempt for attempt in job.attempts if attempt.stop_cause is Cause.GROWTH]
        for attempt in grown:
            assert attempt.goes_on_with > attempt.workers
            assert (attempt.stop_asked_at_s or 0.0) - (attempt.started_at_s or 0.0) >= GROW_AFTER_S
        starts = [attempt.started_at_s or 0.0 for attempt in grown]
        assert all(later - earlier >= GROW_AFTER_S for earlier, later in pairwise(starts))
    assert simulation.world.cluster.refused == 0


def test_a_job_goes_on_at_the_size_that_it_was_promised_at_once(make_setup: Callable[..., Setup]) -> None:
    jobs = jobs_of(ended(make_setup, arrivals_of(3, WorkerRange(min=1, max=4))))
    causes = {attempt.stop_cause for attempt in resizes(jobs)}
    assert causes == {Cause.SERVING, Cause.GROWTH}, "the day has both"
    for job in jobs:
        for attempt, following in pairwise(job.attempts):
            if attempt.is_resized:
                assert following.workers >= attempt.goes_on_with
                assert following.decided_at_s - (attempt.ended_at_s or 0.0) <= 2 * 60.0


def test_gpu_seconds_of_progress_do_not_depend_on_the_sizes(make_setup: Callable[..., Setup]) -> None:
    arrivals = arrivals_of(5, WorkerRange(min=1, max=4), per_day=3.0)
    simulation = ended(make_setup, arrivals)
    assert {attempt.workers for job in jobs_of(simulation) for attempt in job.attempts} > {4}
    wanted = sum(arrival.work.duration_s * 4 for arrival in arrivals)
    assert simulation.world.cluster.totals.kept_gpu_s == pytest.approx(wanted)


def test_jobs_that_can_shrink_end_sooner_than_those_that_cannot(make_setup: Callable[..., Setup]) -> None:
    def mean_s(fewest: int) -> float:
        ends_s, workers = START_S + 3.0 * DAY_S, WorkerRange(min=fewest, max=4)
        jobs = [job for seed in (0, 2) for job in jobs_of(ended(make_setup, arrivals_of(seed, workers, per_day=6.0)))]
        return sum((job.finished_at_s or ends_s) - job.submitted_at_s for job in jobs) / len(jobs)

    assert mean_s(1) < 0.8 * mean_s(4)
