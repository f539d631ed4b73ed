"""Etas of every job: everybody gets one, what is said is what comes, and the risk of being stopped is told."""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite

import numpy as np
import pytest

from scheduler.control.settings import Settings
from scheduler.control.whatif.etas import JobEta
from scheduler.model.workloads import TrainingJob
from simulations.run import Setup, Simulation
from simulations.whatif.estimating import Estimated, _spread
from simulations.whatif.moment import Moment

HOUR_S = 3600.0
Live = tuple[Moment, Simulation]


@pytest.fixture(scope="module")
def lived() -> dict[str, Live]:
    """Return what was lived already."""
    return {}


@pytest.fixture(scope="module")
def said() -> dict[str, JobEta]:
    """Return what was said already."""
    return {}


@pytest.fixture
def live(make_setup: Callable[..., Setup], lived: dict[str, Live]) -> Live:
    """Return a morning with jobs that run for an hour and a half, and say so; and how it went on."""
    if "day" not in lived:
        setup = make_setup(per_day=150.0, settings=Settings(period_s=300.0))
        arrivals = [
            replace(one, spec=replace(one.spec, max_runtime_s=5460.0), work=replace(one.work, duration_s=5400.0))
            for one in setup.arrivals
            if one.at_s < setup.start_s + 6 * HOUR_S
        ]
        setup = replace(setup, arrivals=arrivals, drain_s=86_400.0)
        simulation = Simulation(setup)
        simulation.go_on(setup.start_s + 6 * HOUR_S)
        simulation.cycle.settings = setup.settings
        moment = Moment.of(simulation.cycle.turn(), setup.policy, setup.settings)
        simulation.cycle.settings = replace(setup.settings, outlooks=False)
        simulation.run()
        lived["day"] = moment, simulation
    return lived["day"]


@pytest.fixture
def etas(live: Live, said: dict[str, JobEta]) -> dict[str, JobEta]:
    """Return what is said that morning."""
    if not said:
        estimated = Estimated.of(live[0], 2 * 86_400.0, runs=5)
        for _ in range(5):
            estimated.play()
        said.update(estimated.etas().by_id)
    return said


def test_every_job_that_waits_or_runs_gets_an_answer(live: Live, etas: dict[str, JobEta]) -> None:
    jobs = live[0].snapshot.jobs
    assert sum(job.state.is_waiting for job in jobs) >= 5
    assert set(etas) == {job.job_id for job in jobs}
    for job in jobs:
        eta = etas[job.job_id]
        assert (eta.start is None) is not job.state.is_waiting
        assert isfinite(eta.end.p50_s)
        assert eta.end.p50_s <= eta.end.p90_s
        if eta.start is not None:
            assert live[0].now_s <= eta.start.p50_s <= eta.start.p90_s
            assert eta.start.p50_s < eta.end.p50_s


def test_where_run_times_are_known_what_is_said_is_about_what_comes(live: Live, etas: dict[str, JobEta]) -> None:
    moment, simulation = live
    records = {job.job_id: job for job in simulation.world.store.jobs(open_only=False)}
    off_s = []
    for job in moment.snapshot.waiting:
        began_s = [a.started_at_s for a in records[job.job_id].attempts if a.decided_at_s >= moment.now_s]
        start = etas[job.job_id].start
        assert began_s[0] is not None
        assert start is not None
        off_s.append(abs(began_s[0] - start.p50_s))
    assert np.median(off_s) <= 2700.0, "up to twelve hours ahead, over a peak that takes seven of eight devices"


def test_the_peak_of_noon_is_a_risk_and_a_job_that_is_over_before_has_none(live: Live, etas: dict[str, JobEta]) -> None:
    moment, simulation = live
    records = {job.job_id: job for job in simulation.world.store.jobs(open_only=False)}

    def is_stopped(job: TrainingJob) -> bool:
        told_s = [one.stop_asked_at_s or 0.0 for one in records[job.job_id].attempts]
        return any(moment.now_s <= at_s <= moment.now_s + 6 * HOUR_S for at_s in told_s)

    runs = [job for job in moment.snapshot.jobs if job.state.holds_room]
    risks = {job.job_id: etas[job.job_id].risk for job in runs}
    assert all(0 <= risk <= 1 for risk in risks.values())
    assert sum(risks.values()) == pytest.approx(sum(map(is_stopped, runs)), abs=1.5)
    assert all(etas[job.job_id].risk == 0 for job in moment.snapshot.waiting)


def test_equal_turns_give_equal_estimates(live: Live) -> None:
    one, other = (Estimated.of(live[0], 6 * HOUR_S, runs=2) for _ in range(2))
    for each in (one, other):
        each.play()
    assert one.etas() == other.etas()


def test_quantiles_of_few_runs_are_on_the_careful_side() -> None:
    values = [float(value) for value in range(1, 20)]
    assert (_spread(values).p50_s, _spread(values).p90_s) == (10.0, 18.0)
    assert (_spread([5.0]).p50_s, _spread([5.0]).p90_s) == (5.0, 5.0)
    assert not isfinite(_spread([1.0, float("inf")]).p90_s)
