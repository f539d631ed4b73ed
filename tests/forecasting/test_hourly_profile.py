"""What recurs within the hour: timetables are fitted, chance is not, and nothing from later is seen."""

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.models import hourly_profile, nowcast

PER_HOUR = 12
DAY = 24 * PER_HOUR
MONDAY_S = 1325462400


def course(days: int, noise: float, seed: int = 0) -> np.ndarray:
    """Return a smooth day with noise, on the even scale."""
    random, t = np.random.default_rng(seed), np.arange(days * DAY)
    return 0.6 * np.sin(2 * np.pi * t / DAY) + noise * random.standard_normal(len(t))


def on_the_hour(values: np.ndarray, size: float) -> np.ndarray:
    """Return the same with more in the first bin of every hour."""
    return values + size * (np.arange(len(values)) % PER_HOUR == 0)


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_chance_is_not_taken_for_a_timetable(noise: float) -> None:
    assert np.abs(hourly_profile.recurring(course(30, noise), PER_HOUR, 6)).max() < 0.2 * noise + 0.002


@pytest.mark.parametrize("size", [0.2, -0.4, 1.0])
def test_what_comes_every_hour_is_known_ahead(size: float) -> None:
    values = on_the_hour(course(30, 0.05), size)
    known = hourly_profile.recurring(values, PER_HOUR, 2 * PER_HOUR)
    assert len(known) == len(values) + 2 * PER_HOUR
    ahead = known[len(values) :].reshape(2, PER_HOUR)
    np.testing.assert_allclose(ahead[:, 0] - ahead[:, 1:].mean(axis=1), size, rtol=0.15)


def test_little_history_has_none_and_what_comes_later_is_not_seen() -> None:
    assert not hourly_profile.recurring(on_the_hour(course(4, 0.01), 1.0), PER_HOUR, 6).any()
    values = on_the_hour(course(20, 0.05), 0.5)
    changed = values.copy()
    changed[-5 * DAY :] += 1.0
    one, other = (hourly_profile.recurring(v[: -5 * DAY], PER_HOUR, 6) for v in (values, changed))
    np.testing.assert_array_equal(one, other)


def test_the_next_quarter_of_an_hour_is_high_when_the_hour_is_full() -> None:
    values = on_the_hour(course(30, 0.02), 0.8)
    before, within = nowcast.fit(values[:-3], PER_HOUR, 3), nowcast.fit(values[:-9], PER_HOUR, 3)
    assert before is not None
    assert within is not None
    full = nowcast.fit(values, PER_HOUR, 3)
    assert full is not None
    assert full.centre[0] - full.centre[1:].mean() == pytest.approx(0.8, abs=0.1)
    assert np.ptp(within.centre) < 0.2
    assert full.errors.std() < 0.06


def test_a_timetable_makes_the_interval_of_the_peak_narrow() -> None:
    """Departures at fixed minutes: their number is known to far less than their spread within the hour."""
    rates = 20 * np.exp(on_the_hour(course(40, 0.0), 1.0))
    counts = np.random.default_rng(1).poisson(rates * 300)
    fitted = Forecaster(horizon_s=86400).fit(Series(MONDAY_S, 300, counts / 300))
    middle, high = fitted.peak(3, (0.5, 0.99)).values
    came = rates[-DAY : -DAY + 3].max()
    assert middle == pytest.approx(came, rel=0.05)
    assert high < 1.15 * middle
