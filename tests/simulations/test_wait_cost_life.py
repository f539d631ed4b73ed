"""Days of a crowded cluster in which important gangs come: what it changes to count the wait that a stop causes."""

from dataclasses import dataclass
from statistics import mean
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.records import Outcome
from scheduler.control.settings import Settings
from scheduler.model.hosts import Host, devices_offered
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup, Simulation

HOUR_S = 3600.0
START_S = 20 * DAY_S
SEEDS = range(3)
PRIORITIES = {"normal": 50, "high": 75}


@dataclass(frozen=True)
class Told:
    """What came of the jobs of normal priority."""

    completion_s: float
    stops: int
    stopped: int


def setup_of(seed: int, victim_cost: str) -> Setup:
    """Four hosts of four devices; small jobs and large ones, and now and then a gang that goes first."""
    origin: dict[str, Any] = {"grace": 30, "save": 60, "checkpoint_interval": 1800}
    streams = (
        JobStream(name="small", per_day=150, duration=HOUR_S, resources=Resources(memory=1, gpus=1), **origin),
        JobStream(name="large", per_day=18, duration=2 * HOUR_S, resources=Resources(memory=1, gpus=4), **origin),
        JobStream(
            name="first", priority="high", per_day=16, duration=HOUR_S, resources=Resources(memory=1, gpus=4), **origin
        ),
    )
    end_s = START_S + DAY_S
    arrivals = [a for stream in streams for a in from_stream(stream, PRIORITIES, START_S, end_s, seed)]
    return Setup(
        start_s=START_S,
        end_s=end_s + DAY_S,
        hosts=[Host(name, 64_000, 10_000, devices_offered(4, 65536), "MI210") for name in "abcd"],
        policy=policy_from_names(victim_cost=victim_cost),
        settings=Settings(period_s=60.0),
        arrivals=sorted(arrivals, key=lambda arrival: arrival.at_s),
    )


def outcome(seed: int, victim_cost: str) -> Told:
    simulation = Simulation(setup_of(seed, victim_cost))
    simulation.run()
    jobs = [job for job in simulation.world.store.jobs(open_only=False) if job.spec.priority == PRIORITIES["normal"]]
    stops = [sum(attempt.outcome is Outcome.PREEMPTED for attempt in job.attempts) for job in jobs]
    ends = [(job.finished_at_s or START_S + 2 * DAY_S) - job.submitted_at_s for job in jobs]
    return Told(mean(ends), sum(stops), sum(map(bool, stops)))


@pytest.fixture(scope="module")
def told() -> dict[str, list[Told]]:
    return {name: [outcome(seed, name) for seed in SEEDS] for name in ("lost-work", "lost-work-and-wait")}


def test_no_more_jobs_are_stopped(told: dict[str, list[Told]]) -> None:
    by_work, with_wait = (sum(one.stopped for one in told[name]) for name in ("lost-work", "lost-work-and-wait"))
    assert 0 < with_wait <= by_work


def test_counting_the_wait_makes_jobs_no_later_and_stops_hardly_more(told: dict[str, list[Told]]) -> None:
    """Since both costs are weighed by what a stop leads to, stops are about even: 125 and 124 over these seeds."""
    by_work, with_wait = (mean(one.completion_s for one in told[name]) for name in ("lost-work", "lost-work-and-wait"))
    assert sum(one.stops for one in told["lost-work-and-wait"]) < 1.05 * sum(one.stops for one in told["lost-work"])
    assert with_wait < 1.05 * by_work
