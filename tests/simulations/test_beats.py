"""Promises of the beats that a simulation leaves out: none at which something would have been decided."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.settings import Settings
from simulations.arrivals import DAY_S, from_stream
from simulations.beats import next_beat_s
from simulations.faults import Outage
from simulations.run import Setup, Simulation

MakeSetup = Callable[..., Setup]


def decisions(setup: Setup) -> list[object]:
    """Return every start and end of an attempt or a replica in a run, each with its moment and place."""
    simulation = Simulation(setup)
    simulation.run()
    world = simulation.world
    attempts = [
        (job.job_id, a.number, a.slots, a.started_at_s, a.ended_at_s, a.outcome)
        for job in world.store.jobs(open_only=False)
        for a in job.attempts
    ]
    return [attempts, world.cluster.replicas.ready, world.cluster.refused]


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only builds
@given(
    seed=st.integers(0, 10_000),
    per_day=st.sampled_from([10, 40, 120]),
    says=st.booleans(),
    lost=st.booleans(),
    served=st.booleans(),
    gpus=st.sampled_from([1, 3]),
)
def test_whatever_the_idle_period_the_decisions_are_those_of_a_turn_each_period(  # noqa: PLR0913  # one axis each
    make_setup: MakeSetup, *, seed: int, per_day: float, says: bool, lost: bool, served: bool, gpus: int
) -> None:
    start_s, hours = 20 * DAY_S, 5
    stream = JobStream(
        name="tune", per_day=per_day, duration=5400, says_runtime=says, resources=Resources(gpus=gpus, memory=100)
    )
    end_s = start_s + hours * 3600
    changes: dict[str, object] = {
        "arrivals": list(from_stream(stream, {"normal": 50}, start_s, end_s, seed)),
        "outages": (Outage("a", start_s + 7200.0, start_s + 14_400.0),) if lost else (),
        "end_s": end_s,
        "lead_in_s": 1800.0,
    } | ({} if served else {"served": (), "sources": {}, "loads": {}})
    setup = make_setup(**changes)
    always = decisions(replace(setup, idle_period_s=setup.settings.period_s))
    assert decisions(setup) == always
    assert decisions(replace(setup, idle_period_s=math.inf)) == always


def test_a_job_is_stopped_at_its_limit_though_nothing_else_happens(make_setup: MakeSetup) -> None:
    setup = make_setup(served=(), sources={}, loads={}, per_day=5, settings=Settings(period_s=60.0))
    first = min(setup.arrivals, key=lambda arrival: arrival.at_s)
    endless = replace(first, spec=replace(first.spec, max_runtime_s=7000.0), work=replace(first.work, duration_s=1e6))
    setup = replace(setup, arrivals=(endless,), idle_period_s=math.inf)
    simulation = Simulation(setup)
    simulation.run()
    (job,) = simulation.world.store.jobs(open_only=False)
    begun_s = job.attempts[0].started_at_s or 0.0
    assert job.attempts[0].ended_at_s == pytest.approx(begun_s + 7000.0, abs=2 * 60.0)


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.sampled_from([10.0, 60.0]), st.sampled_from([60.0, 300.0, math.inf]))
def test_beats_are_whole_periods_and_never_before_what_happens(
    now_s: float, wait_s: float, period_s: float, idle_s: float
) -> None:
    beat_s = next_beat_s(now_s, now_s + wait_s, period_s, idle_s)
    periods = (beat_s - now_s) / period_s
    assert periods == pytest.approx(round(periods), abs=1e-6)
    assert periods >= 1
    assert beat_s >= min(now_s + wait_s, now_s + idle_s) - 1e-6
