"""The traffic to come as paths, and what serving needs on them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from scheduler.control.whatif.question import Question, Spike
from simulations.run import Setup, Simulation
from simulations.whatif.coming import Coming, Paths, factors
from simulations.whatif.moment import Moment

HOUR_S = 3600.0
DAY = Question(24 * HOUR_S, runs=8)


@pytest.fixture
def moment(make_setup: Callable[..., Setup]) -> Moment:
    """Return a quiet morning without jobs."""
    setup = make_setup(arrivals=())
    simulation = Simulation(setup)
    simulation.cycle.settings = setup.settings
    return Moment.of(simulation.cycle.turn(), setup.policy, setup.settings)


def test_paths_begin_with_the_load_of_now_and_go_like_the_forecast(moment: Moment) -> None:
    paths = Paths.drawn(moment, DAY, 8)
    loads = paths.loads["wave"]
    assert loads[:, 0] == pytest.approx(moment.traffic["m"].rps_now)
    later = np.median(loads, axis=0)[36:] / paths.middle["wave"][36:]
    assert np.abs(later - 1).max() < 0.02
    assert (Paths.drawn(moment, DAY, 8).loads["wave"] == loads).all()


def test_what_is_planned_for_covers_the_load_and_the_step_before_it_is_there(moment: Moment) -> None:
    paths = Paths.drawn(moment, DAY, 8)
    coming = Coming(moment, DAY, paths)
    for path in range(8):
        demands = coming.demands(path)
        for step, later in pairwise(demands.of(at_s) for at_s in paths.at_s[1:].tolist()):
            assert step.models[0].replicas_wanted >= min(7, later.models[0].replicas_now) - 1
            assert step.models[0].replicas_now <= step.models[0].replicas_wanted <= step.models[0].replicas_held


def test_the_first_demand_is_the_one_that_was_planned_from(moment: Moment) -> None:
    demands = Coming(moment, DAY, Paths.drawn(moment, DAY, 8)).demands(3)
    assert demands.of(moment.now_s) == moment.demand
    changes_s = demands.changes_after(moment.now_s)
    assert demands.of(changes_s) != demands.of(changes_s - 1)
    assert demands.changes_after(moment.now_s + 1e9) == np.inf


def test_more_traffic_is_foreseen_and_a_spike_is_not(moment: Moment) -> None:
    spike = Spike(moment.now_s + 6.2 * HOUR_S, HOUR_S, 3.0)
    paths = Paths.drawn(moment, replace(DAY, spikes=(spike,)), 8)
    as_is, more, spiked = (
        Coming(moment, asked, paths) for asked in (DAY, replace(DAY, traffic=1.5), replace(DAY, spikes=(spike,)))
    )
    before, at = spike.at_s - 60, spike.at_s + 60
    for now_s in (before, at):
        assert (
            more.demands(0).of(now_s).models[0].replicas_wanted >= as_is.demands(0).of(now_s).models[0].replicas_wanted
        )
    assert spiked.demands(0).of(before).models == as_is.demands(0).of(before).models
    assert spiked.demands(0).of(at).models[0].replicas_now > as_is.demands(0).of(at).models[0].replicas_now


def test_factors_multiply(moment: Moment) -> None:
    at_s = moment.now_s + np.arange(4, dtype=np.float64) * HOUR_S
    spike = Spike(moment.now_s + HOUR_S, HOUR_S, 3.0)
    assert factors(replace(DAY, traffic=2.0, spikes=(spike, spike)), at_s).tolist() == [2.0, 18.0, 2.0, 2.0]


def test_a_forecast_of_later_has_the_same_middle_and_the_errors_of_its_own_leads(moment: Moment) -> None:
    forecast = moment.forecasts["wave"]
    assert forecast.later(0) is forecast
    later = forecast.later(24)
    assert later.start_s == forecast.start_s + 24 * forecast.step_s
    assert later.end_s == forecast.end_s
    assert (later.cloud.centre == forecast.cloud.centre[24:]).all()
    assert (np.nan_to_num(later.cloud.errors[:, :6]) == np.nan_to_num(forecast.cloud.errors[:, :6])).all()
    for bins in (-1, forecast.bins):
        with pytest.raises(ValueError, match="reaches"):
            forecast.later(bins)
