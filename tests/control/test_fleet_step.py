"""How far one plan may move the fleet: a forecast that is badly wrong for one turn takes little, and it comes back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.headroom_rules import LEAST_STEP, within_step
from scheduler.control.demand import demand as demands
from scheduler.control.demand.loads import Load
from scheduler.model.demand import Basis
from tests.control.test_demand import MONDAY_S, SETTINGS, Planner, Source

PERIOD_S, STAY_S = 30.0, 600.0
counts = st.integers(0, 400)
shares = st.floats(0.01, 4.0)
loads = st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(0.0, 5000.0)), min_size=2, max_size=40)


@given(asked=counts, before=counts, share=shares)
def test_a_step_is_bounded_and_never_goes_the_other_way(asked: int, before: int, share: float) -> None:
    allowed = within_step(asked, before, share)
    assert min(asked, before) <= allowed <= max(asked, before)
    assert before - max(LEAST_STEP, before * share / (1 + share)) <= allowed <= before + max(LEAST_STEP, before * share)
    assert allowed == asked or abs(allowed - before) >= min(LEAST_STEP, abs(asked - before))


@given(before=counts, asked=counts, share=shares)
def test_whatever_is_asked_for_is_reached_in_steps(before: int, asked: int, share: float) -> None:
    now = before
    for _ in range(400):
        now = within_step(asked, now, share)
    assert now == asked


@given(before=st.integers(2, 400), share=shares)
def test_up_and_down_again_is_the_way_back(before: int, share: float) -> None:
    assert within_step(0, within_step(10**6, before, share), share) <= before + 1, "but for rounding"


def telling(patched: pytest.MonkeyPatch, told: list[tuple[float, float]], stay_s: float = STAY_S) -> Planner:
    """Return a planner whose loads are told, turn by turn: now, and the highest that is forecast."""
    said = iter([(now, max(now, forecast)) for now, forecast in told])
    patched.setattr(demands, "load_of", lambda *_: Load(*next(loads_of(said)), MONDAY_S, Basis.FORECAST))
    settings = replace(SETTINGS, scale_down_after_s=stay_s, outlooks=False)
    return Planner(Source(lambda _: 1.0), settings, max_replicas=100)


def loads_of(said: Iterator[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    return ((now, highest, highest) for now, highest in said)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[float, float]]], Planner]:
    return lambda told: telling(monkeypatch, told)


def lived(planner: Planner, turns: int) -> list[Any]:
    return [planner.at(MONDAY_S + turn * PERIOD_S) for turn in range(turns)]


@pytest.mark.parametrize("wrong", [80.0, 1000.0, 1e6])
def test_one_bad_forecast_at_most_doubles_the_fleet_for_once(planned: Callable[..., Planner], wrong: float) -> None:
    planner = planned([(55.0, 55.0), (55.0, wrong * 55.0), *[(55.0, 55.0)] * 40])
    wanted = [one.replicas_wanted for one in lived(planner, 42)]
    assert wanted[0] == 6
    assert max(wanted) == 12
    assert wanted[-1] == 6
    assert sum(count > 6 for count in wanted) * PERIOD_S <= STAY_S + 2 * PERIOD_S


def test_room_is_held_for_what_is_forecast_all_the_same(planned: Callable[..., Planner]) -> None:
    """Nobody is stopped for it, and it is there when the forecast turns out to be right."""
    right = lived(planned([(55.0, 55.0), *[(55.0, 480.0)] * 4]), 5)
    assert [one.replicas_wanted for one in right] == [6, 12, 24, 48, 48]
    assert [one.replicas_held for one in right] == [6, 48, 48, 48, 48]


def test_what_the_load_of_the_moment_needs_is_never_held_back(planned: Callable[..., Planner]) -> None:
    assert lived(planned([(5.0, 5.0), (700.0, 700.0)]), 2)[1].replicas_wanted == 70


def test_from_nothing_there_is_no_step(planned: Callable[..., Planner]) -> None:
    assert lived(planned([(1.0, 480.0)]), 1)[0].replicas_wanted == 48


@given(told=loads)
def test_no_turn_moves_further_than_a_step_or_the_load_of_the_moment(told: list[tuple[float, float]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        seen = lived(telling(patched, told, PERIOD_S), len(told))
    for before, after in pairwise(seen):
        assert after.replicas_now <= after.replicas_wanted <= after.replicas_held
        most = before.replicas_wanted + max(LEAST_STEP, before.replicas_wanted)
        assert before.replicas_wanted == 0 or after.replicas_wanted <= max(most, after.replicas_now)
        assert after.replicas_wanted >= before.replicas_wanted - max(LEAST_STEP, before.replicas_wanted // 2)
