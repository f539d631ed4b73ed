"""A change of level is counted once, as far as it went, however short the history, and widens nothing once followed."""

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.cleaning import clean
from forecasting.models import nowcast
from tests.forecasting.conftest import MONDAY_S
from tests.forecasting.histories import DAY_S

DAY = 24


def changed(days: int, at: float, size: float, seed: int, day: int = DAY) -> np.ndarray:
    """Return a day's swing on the even scale, `size` higher from day `at` on."""
    bins = np.arange(days * day)
    values = 5 + 0.3 * np.sin(2 * np.pi * bins / day) + 0.03 * np.random.default_rng(seed).standard_normal(len(bins))
    return np.asarray(values + np.where(bins >= at * day, size, 0.0))


@pytest.mark.parametrize("days", [4, 5, 6, 8, 10, 14, 18, 21])
@pytest.mark.parametrize("size", [-1.5, -0.8, 0.8, 1.5])
@pytest.mark.parametrize("since", [1.5, 2.0])
def test_one_change_of_a_short_history_is_one_of_its_size(days: int, size: float, since: float) -> None:
    """Each was counted up to four times there and back, twice as far as it went, or not at all."""
    shifts = clean(changed(days, days - since, size, days), DAY, 7 * DAY).shifts
    assert len(shifts) == 1
    index, found = shifts[0]
    assert index == pytest.approx((days - since) * DAY, abs=3)
    assert found == pytest.approx(size, rel=0.15)


@pytest.mark.parametrize("days", [4, 8, 14, 21])
def test_a_history_without_one_has_none(days: int) -> None:
    for seed in range(20):
        assert clean(changed(days, 0, 0.0, seed), DAY, 7 * DAY).shifts == ()


@pytest.mark.parametrize("size", [-1.2, 1.2])
@pytest.mark.parametrize("days", [4, 5, 7])
def test_minutes_follow_a_change_as_hours_do(days: int, size: float) -> None:
    """The quarter of an hour to come is as sure two days after a change as it is without one."""
    per_day = 288
    before, now = (
        Forecaster(horizon_s=2 * DAY_S).fit(
            Series(MONDAY_S, 300, np.exp(changed(days, days - 2, change, 1, per_day) - change))
        )
        for change in (0.0, size)
    )
    for bins in (3, 12, per_day):
        (usual, high), (middle, p99) = (fitted.peak(bins, (0.5, 0.99)).values for fitted in (before, now))
        assert middle == pytest.approx(usual, rel=0.1)
        assert p99 / middle == pytest.approx(high / usual, rel=0.35)


@pytest.mark.parametrize("size", [-1.2, 1.2])
@pytest.mark.parametrize("at", [2.0, 3.0])
def test_the_next_minutes_go_no_further_than_any_have_gone(at: float, size: float) -> None:
    """A day unlike all others, left out of the learning, was forecast to go where the regression's line led."""
    fitted = nowcast.fit(changed(4, at, size, 3, 288), 12, 24)
    assert fitted is not None
    assert 1.0 < np.abs(fitted.errors).max() < abs(size) + 0.5
