"""Promises of the accounting of requests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.capacity import RATED_BUSY, CapacityRule, ErlangA, ErlangC, TargetRate
from simulations.serving import Service, account
from simulations.usage import Steps

MOST_RPS = 10.0 / RATED_BUSY
"""What a replica of ten requests per second works through when it is never idle."""


def steps(*changes: tuple[float, int]) -> Steps:
    return Steps([at_s for at_s, _ in changes], [value for _, value in changes])


def service(rps: float, ready: Steps, rule: CapacityRule | None = None) -> Service:
    return Service(lambda at_s: np.full_like(at_s, rps), rule or TargetRate(10.0), ready)


def test_a_queue_that_grows_is_late_until_it_is_worked_off() -> None:
    """Of 15 a second one replica works through 11.8; the second one's spare capacity then takes off what waits."""
    done = account({"m": service(15.0, steps((0.0, 1), (1234.5, 2)))}, 0.0, 3600.0)
    one = done.models["m"]
    worked_off_s = 1234.5 * (15.0 - MOST_RPS) / (2 * MOST_RPS - 15.0)
    assert one.requests == pytest.approx(15.0 * 3600)
    assert one.late == pytest.approx(15.0 * (1234.5 + worked_off_s), rel=0.02)
    assert one.failed == 0.0
    assert one.violation_s == pytest.approx(1234.5)
    assert done.violation_s == pytest.approx(1234.5)
    assert one.min_headroom_ratio == pytest.approx(10 / 15)
    assert one.min_headroom_at_s < 1234.5


def test_with_nobody_ready_all_of_it_has_failed() -> None:
    one = account({"m": service(4.0, steps((100.0, 1)))}, 0.0, 1000.0).models["m"]
    assert one.failed == pytest.approx(400.0)
    assert one.late == pytest.approx(0.0, abs=1e-6)
    assert one.min_headroom_ratio == 0.0


def test_a_model_never_started_fails_all_and_one_without_load_has_endless_headroom() -> None:
    done = account({"gone": service(1.0, Steps()), "idle": service(0.0, steps((0.0, 1)))}, 0.0, 100.0)
    assert done.models["gone"].failed == pytest.approx(100.0)
    assert done.models["idle"].min_headroom_ratio == math.inf
    assert done.models["idle"].violation_s == 0.0


def test_changes_before_the_start_count_and_ones_after_the_end_do_not() -> None:
    one = account({"m": service(15.0, steps((0.0, 2), (500.0, 1), (900.0, 0)))}, 100.0, 600.0).models["m"]
    assert one.requests == pytest.approx(7500.0)
    assert one.late == pytest.approx(1500.0, rel=0.05), "all that come after one of the two is gone"
    assert one.failed == 0.0


def test_a_load_that_moves_is_followed() -> None:
    ramp = Service(lambda at_s: at_s / 100, TargetRate(10.0), steps((0.0, 1)))
    one = account({"m": ramp}, 0.0, 2000.0).models["m"]
    assert one.requests == pytest.approx(20_000.0)
    assert one.late == pytest.approx((400 - MOST_RPS**2) * 50, rel=0.02), "what comes above what one works through"
    assert one.violation_s == pytest.approx(1000.0, abs=60.0)


def test_replicas_at_what_they_are_rated_for_have_what_the_rule_allows_late() -> None:
    """A fluid that fits into its vessel would have none."""
    for rule in (ErlangC(0.1, 0.5), ErlangC(0.1, 0.3, concurrency=4), ErlangA(0.1, 0.5, 2.0)):
        rps = rule.highest_rps(5)
        one = account({"m": service(rps, steps((0.0, 5)), rule)}, 0.0, 7200.0).models["m"]
        assert one.late / one.requests == pytest.approx(0.01, rel=0.05)
        assert one.violation_s == 0.0
    alone = account({"m": service(10.0, steps((0.0, 1)))}, 0.0, 7200.0).models["m"]
    assert alone.late / alone.requests == pytest.approx(0.01, rel=0.05)


def test_requests_that_give_up_leave_no_backlog_behind() -> None:
    rule = ErlangA(0.1, 0.5, 2.0)
    burst = Service(lambda at_s: np.where(at_s < 600.0, 30.0, 5.0), rule, steps((0.0, 1)))
    one = account({"m": burst}, 0.0, 1200.0).models["m"]
    kept = 600.0 * (30.0 * rule.on_time(1, 30.0) + 5.0 * rule.on_time(1, 5.0))
    assert one.late == pytest.approx(one.requests - kept, rel=1e-6)


def test_nothing_served_is_nothing_counted() -> None:
    done = account({}, 0.0, 100.0)
    assert done.models == {}
    assert done.violation_s == 0.0


def test_short_models_at_one_time_are_one_violation() -> None:
    done = account({"a": service(15.0, steps((0.0, 1))), "b": service(25.0, steps((0.0, 1)))}, 0.0, 600.0)
    assert done.violation_s == pytest.approx(600.0)


@given(
    st.floats(0.0, 100.0),
    st.lists(st.tuples(st.floats(0.0, 5000.0), st.integers(0, 8)), max_size=10, unique_by=lambda change: change[0]),
)
def test_every_request_is_in_time_late_or_failed(rps: float, changes: list[tuple[float, int]]) -> None:
    one = account({"m": service(rps, steps(*sorted(changes)))}, 0.0, 4000.0).models["m"]
    assert one.requests == pytest.approx(rps * 4000)
    assert min(one.late, one.failed) >= 0.0
    assert one.late + one.failed <= one.requests * (1 + 1e-9)
    assert (one.violation_s > 0) == (one.min_headroom_ratio < 1)
