"""Days of a fragmented cluster with consolidation: big gangs wait less, moves stay bounded, nobody moves in circles."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.records import JobRecord
from scheduler.control.settings import Settings
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.plan import Cause, Consolidation
from scheduler.model.workloads import JobState
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup, Simulation

HOUR_S = 3600.0
START_S = 20 * DAY_S


def setup_of(seed: int, mode: Consolidation, moves_per_hour: int = 3, days: float = 1.0) -> Setup:
    """Four hosts of four devices; many small jobs that run long, now and then one that needs a whole host."""
    small = JobStream(name="small", per_day=60, duration=3 * HOUR_S, resources=Resources(memory=1, gpus=1), grace=60)
    large = JobStream(name="large", per_day=6, duration=HOUR_S, resources=Resources(memory=1, gpus=4), grace=60)
    end_s = START_S + days * DAY_S
    arrivals = [a for stream in (small, large) for a in from_stream(stream, {"normal": 50}, START_S, end_s, seed)]
    policy = policy_from_names(
        placement_score="worst-fit", consolidation=mode, moves_per_hour=moves_per_hour, move_again_after_s=4 * HOUR_S
    )
    return Setup(
        start_s=START_S,
        end_s=end_s,
        hosts=[Host(name, 64_000, 10_000, devices_offered(4, 65536), "MI210") for name in "abcd"],
        policy=policy,
        settings=Settings(period_s=60.0),
        arrivals=sorted(arrivals, key=lambda arrival: arrival.at_s),
    )


def jobs_after(setup: Setup) -> tuple[JobRecord, ...]:
    simulation = Simulation(setup)
    simulation.run()
    return simulation.world.store.jobs(open_only=False)


def moves_in(jobs: tuple[JobRecord, ...]) -> Iterator[tuple[float, str]]:
    for job in jobs:
        for attempt in job.attempts:
            if attempt.stop_cause is Cause.CONSOLIDATION and attempt.stop_asked_at_s is not None:
                yield attempt.stop_asked_at_s, job.job_id


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), moves_per_hour=st.integers(1, 4))
def test_moves_are_bounded_and_nobody_moves_in_circles(seed: int, moves_per_hour: int) -> None:
    jobs = jobs_after(setup_of(seed, Consolidation.DO, moves_per_hour))
    moves = sorted(moves_in(jobs))
    for at_s, _ in moves:
        assert sum(at_s - HOUR_S < other_s <= at_s for other_s, _ in moves) <= moves_per_hour
    by_job: dict[str, list[float]] = {}
    for at_s, job_id in moves:
        by_job.setdefault(job_id, []).append(at_s)
    assert all(later - earlier >= 4 * HOUR_S for times in by_job.values() for earlier, later in pairwise(times))
    assert not [job for job in jobs if job.state is JobState.FAILED]


def waits_of_large(setup: Setup) -> tuple[float, Counter[str]]:
    jobs = jobs_after(setup)
    waits = [
        (job.attempts[0].decided_at_s if job.attempts else setup.end_s) - job.submitted_at_s
        for job in jobs
        if job.spec.name.startswith("large")
    ]
    return sum(waits) / len(waits), Counter(job_id for _, job_id in moves_in(jobs))


def test_gangs_that_need_a_whole_host_wait_less() -> None:
    seeds = range(3)
    without = [waits_of_large(setup_of(seed, Consolidation.OFF)) for seed in seeds]
    with_moves = [waits_of_large(setup_of(seed, Consolidation.DO)) for seed in seeds]
    asked = [waits_of_large(setup_of(seed, Consolidation.PROPOSE)) for seed in seeds]
    before, after = (sum(wait for wait, _ in runs) / len(seeds) for runs in (without, with_moves))
    assert asked == without, "a proposal changes nothing"
    assert sum(moved.total() for _, moved in with_moves) > 0
    assert after < before / 2
