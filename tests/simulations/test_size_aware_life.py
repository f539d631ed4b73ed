"""Days of a crowded cluster where short jobs may displace long ones: they wait less, and nobody is stopped for ever."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from math import log2
from statistics import mean

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.records import AttemptRecord, JobRecord
from scheduler.control.settings import Settings
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.plan import Cause
from scheduler.model.workloads import JobState
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup, Simulation

HOUR_S = 3600.0
START_S = 20 * DAY_S
PEACE_S = 300.0


def setup_of(seed: int, may_displace: str, per_day: float = 150, days: float = 1.0) -> Setup:
    """Two hosts of four devices; jobs of widely spread lengths, now and then one of two workers."""
    each = Resources(memory=1, gpus=1)
    single = JobStream(name="one", per_day=per_day, duration=HOUR_S, sigma=2.0, resources=each, grace=60)
    double = JobStream(name="two", per_day=per_day / 8, duration=HOUR_S, workers=2, resources=each, grace=60)
    order = "priority" if may_displace == "never" else "shortest-first"
    end_s = START_S + days * DAY_S
    arrivals = [a for stream in (single, double) for a in from_stream(stream, {"normal": 50}, START_S, end_s, seed)]
    return Setup(
        start_s=START_S,
        end_s=end_s + DAY_S,
        hosts=[Host(name, 64_000, 10_000, devices_offered(4, 65536), "MI210") for name in "ab"],
        policy=policy_from_names(queue_order=order, may_displace=may_displace, min_runtime_s=PEACE_S),
        settings=Settings(period_s=60.0),
        arrivals=sorted(arrivals, key=lambda arrival: arrival.at_s),
    )


def jobs_after(setup: Setup) -> tuple[JobRecord, ...]:
    simulation = Simulation(setup)
    simulation.run()
    return simulation.world.store.jobs(open_only=False)


def displaced(job: JobRecord) -> Iterator[AttemptRecord]:
    return (attempt for attempt in job.attempts if attempt.stop_cause is Cause.SHORTER)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), per_day=st.sampled_from([100.0, 150.0, 250.0]))
def test_each_stop_doubles_the_time_in_peace_so_that_stops_are_few(seed: int, per_day: float) -> None:
    for job in jobs_after(setup_of(seed, "shorter-first", per_day, days=0.5)):
        stopped = list(displaced(job))
        for number, attempt in enumerate(stopped):
            ran_s = (attempt.stop_asked_at_s or 0.0) - (attempt.started_at_s or 0.0)
            assert ran_s >= PEACE_S * 2**number
        in_any_hour = [sum(0 <= o.decided_at_s - a.decided_at_s < HOUR_S for o in stopped) for a in stopped]
        assert max(in_any_hour, default=0) <= log2(HOUR_S / PEACE_S + 1) + 1


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_who_has_waited_longer_than_it_ran_is_stopped_for_nobody_of_its_own_priority(seed: int) -> None:
    for job in jobs_after(setup_of(seed, "shorter-first", 250, days=0.5)):
        for attempt in displaced(job):
            before = job.attempts[: attempt.number - 1]
            at_s = attempt.stop_asked_at_s or 0.0
            served_s = sum(past.held_s for past in before) + at_s - (attempt.started_at_s or 0.0)
            assert at_s - job.submitted_at_s - served_s <= served_s + 1.0


def test_mean_completion_is_shorter_and_everybody_comes_to_an_end() -> None:
    ends: dict[str, list[float]] = {}
    for rule in ("never", "shorter-first"):
        for seed in range(2):
            jobs = jobs_after(setup_of(seed, rule, 200))
            assert all(job.state is JobState.SUCCEEDED for job in jobs), "a day without arrivals is enough for all"
            ends.setdefault(rule, []).append(mean((job.finished_at_s or 0.0) - job.submitted_at_s for job in jobs))
    assert mean(ends["shorter-first"]) < 0.9 * mean(ends["never"])


def test_nobody_is_displaced_where_the_site_does_not_ask_for_it() -> None:
    setup = setup_of(1, "never", days=0.5)
    assert not [attempt for job in jobs_after(setup) for attempt in displaced(job)]
    willing = replace(setup, policy=policy_from_names(may_displace="shorter-first"))
    assert [attempt for job in jobs_after(willing) for attempt in displaced(job)]


def test_attempts_of_a_job_follow_each_other() -> None:
    for job in jobs_after(setup_of(3, "shorter-first", days=0.5)):
        assert all((one.ended_at_s or 0.0) <= after.decided_at_s for one, after in pairwise(job.attempts))
