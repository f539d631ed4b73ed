"""The accounting of late requests against queues that are played request by request."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.capacity import CapacityRule, ErlangC, TargetRate
from policies.station import Station
from simulations.backlog import Backlog
from simulations.serving import Load, Service, account
from simulations.usage import Steps

LASTS_S = 900.0
SERVICE_S = 0.1
SLOW_S = 0.5
"""With many servers, so that there are not too many requests to be played."""
REQUESTS = 250_000
SHAPES: dict[str, Load] = {
    "half": lambda x: np.full_like(x, 0.5),
    "eight tenths": lambda x: np.full_like(x, 0.8),
    "nine tenths": lambda x: np.full_like(x, 0.9),
    "a little too much": lambda x: np.full_like(x, 1.05),
    "too much": lambda x: np.full_like(x, 1.2),
    "up": lambda x: 0.5 + 0.7 * x,
    "down": lambda x: 1.2 - 0.7 * x,
    "wave": lambda x: 0.85 + 0.35 * np.sin(2 * np.pi * x),
    "hump": lambda x: 0.8 + 0.25 * np.maximum(0.0, np.sin(2 * np.pi * x)),
}
"""Load over what is worked through, while x goes from 0 to 1."""


def estimated(rule: CapacityRule, replicas: int, rps: Load) -> float:
    one = account({"m": Service(rps, rule, Steps([0.0], [replicas]))}, 0.0, LASTS_S).models["m"]
    return one.late / one.requests


def played(queue: Any, station: Station, rps: Load, runs: int = 0) -> tuple[float, float]:
    """Return the share that is late, and its standard error over several runs."""
    most = float(rps(np.linspace(0.0, LASTS_S, 999)).max()) * 1.001
    shares = []
    for seed in range(runs or int(np.clip(REQUESTS / (most * LASTS_S), 3, 20))):
        at_s = queue.arrivals_s(rps, most, LASTS_S, seed)
        drawn = np.random.default_rng((seed, 7)).exponential(station.service_time_s, len(at_s))
        services_s = np.full(len(at_s), station.service_time_s) if station.fixed else drawn
        shares.append(np.mean(queue.starts_s(at_s, services_s, station.servers) - at_s > station.slack_s))
    return float(np.mean(shares)), float(np.std(shares) / np.sqrt(len(shares)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("servers", [1, 3, 20, 200])
@pytest.mark.parametrize("fixed", [False, True])
def test_it_is_within_a_tenth_of_what_comes_out_request_by_request(
    shape: str, servers: int, discrete_events: Any, *, fixed: bool
) -> None:
    """M/M/c for Erlang C, M/D/c for a target rate; three standard errors of what is played are allowed on top."""
    service_s = SERVICE_S if servers < 100 else SLOW_S
    rule = TargetRate(0.85 / service_s) if fixed else ErlangC(service_s, 6 * service_s)
    station = rule.station(servers)
    rps = lambda at_s: SHAPES[shape](at_s / LASTS_S) * station.most_rps  # noqa: E731  # one line of the set-up
    true, error = played(discrete_events, station, rps)
    found = estimated(rule, servers, rps)
    assert abs(found - true) <= max(0.1 * true, 1e-3) + 3 * error
    assert found > 0.0 or true < 1e-5


@pytest.mark.parametrize("rule", [ErlangC(1.0, 6.0), TargetRate(0.85 / 0.25)])
def test_a_load_of_one_for_a_while_is_neither_all_late_nor_none(rule: CapacityRule, discrete_events: Any) -> None:
    """There is no steady state, and runs differ widely: the mean of many."""
    station = rule.station(20)
    assert station
    rps = lambda at_s: np.full_like(at_s, station.most_rps)  # noqa: E731  # one line of the set-up
    true, error = played(discrete_events, station, rps, runs=40)
    assert 0.1 < true < 0.9
    assert abs(estimated(rule, 20, rps) - true) <= 0.1 * true + 3 * error


@pytest.mark.parametrize("load", [0.3, 0.9, 0.9899, 0.9901, 0.999, 1.001, 1.02, 3.0])
def test_the_decay_of_equal_services_is_the_root_of_its_equation(load: float) -> None:
    station = Station(1, 1.0, 0.0, fixed=True)
    decay = float(station.decay(np.array(load)))
    assert decay / load == pytest.approx(np.expm1(decay), rel=1e-6)
    assert (decay > 0) == (load < 1)


@given(
    servers=st.integers(1, 200),
    load=st.floats(0.05, 0.995),
    slack=st.floats(0.0, 20.0),
    fixed=st.booleans(),
)
def test_a_load_that_lasts_leaves_a_backlog_as_it_is_in_the_steady_state(
    servers: int, load: float, slack: float, *, fixed: bool
) -> None:
    """With equal services near a load of 1, where a queue has to be followed at all."""
    load = 0.9 + load / 10.0 if fixed else load
    station, rps = Station(servers, 0.1, slack * 0.1, fixed), load * servers / 0.1
    backlog = Backlog(station)
    backlog.settle(rps)
    before = backlog.late
    slack = 0.0 if slack * servers < 1e-3 else slack
    waits = float(station.waiting(np.array(rps)) * np.exp(-station.decay(np.array(rps)) * slack * 0.1))
    assert before == pytest.approx(waits, rel=0.1 if fixed else 1e-3, abs=1e-12)
    assert backlog.move(rps, 60.0, 6) == pytest.approx(before, rel=1e-6, abs=1e-12)


@given(servers=st.integers(1, 50), more=st.integers(1, 50), load=st.floats(1.01, 3.0), minutes=st.integers(1, 30))
def test_a_queue_grows_by_what_is_too_much_and_more_servers_shorten_it(
    servers: int, more: int, load: float, minutes: int
) -> None:
    station = Station(servers, 0.1, 0.5)
    backlog = Backlog(station)
    for _ in range(minutes):
        backlog.move(load * station.most_rps, 60.0, 6)
    grown_s = backlog.wait_s
    assert grown_s >= (load - 1.0) * 60.0 * minutes * 0.98
    larger = Station(servers + more, 0.1, 0.5)
    backlog.serve_by(larger)
    assert backlog.wait_s == pytest.approx(grown_s * servers / (servers + more), rel=1e-6)


@pytest.mark.parametrize("rps", [0.0, 5e-324, 1e-310, 1e-300, 1e-12])
@pytest.mark.parametrize("fixed", [False, True])
def test_hardly_any_load_is_a_load_like_another(rps: float, *, fixed: bool) -> None:
    backlog = Backlog(Station(4, 0.1, 0.2, fixed))
    backlog.settle(30.0)
    before = backlog.late
    assert 0.0 <= backlog.move(rps, 60.0, 6) <= before


def test_what_is_rated_for_one_in_a_hundred_has_one_in_a_hundred_late() -> None:
    for rate in (0.2, 3.0, 15.0, 400.0):
        assert TargetRate(rate).on_time(1, rate) == pytest.approx(0.99)
        assert TargetRate(rate).on_time(7, 7 * rate) > 0.99, "several share one line"
    assert TargetRate(3.0).on_time(0, 1.0) == 0.0
    assert TargetRate(3.0).on_time(1, 0.0) == 1.0
