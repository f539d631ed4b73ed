"""The highest of the days after the first is forecast by the record of peaks, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import Forecaster, Series
from forecasting.models.origins import Origins
from forecasting.models.week_peaks import Past, settled
from tests.forecasting.conftest import HOUR_S, MONDAY_S

DAY, WEEK = 24, 168


def office(weeks: int, seed: int) -> np.ndarray:
    """Return hours of an office: busy and regular on five days, next to nothing and irregular on two."""
    hours, random = np.arange(weeks * WEEK), np.random.default_rng(seed)
    is_weekend = hours % WEEK >= 5 * DAY
    swing = np.sin(2 * np.pi * (hours - 9) / DAY)
    wander = np.repeat(random.standard_normal(weeks * 7), DAY)
    return 100 * np.exp(0.6 * swing + np.where(is_weekend, -1.5 + 0.4 * wander, 0.05 * wander))


def test_the_peak_of_the_week_is_not_that_of_a_weekend_laid_on_a_weekday() -> None:
    values, below, far = office(30, 1), [], []
    for end in range(14 * WEEK, 29 * WEEK, 53):
        middle = Forecaster().fit(Series(MONDAY_S, HOUR_S, values[:end])).peak(WEEK, (0.5,)).values[0]
        came = values[end : end + WEEK].max()
        below.append(came <= middle)
        far.append(np.log(middle / came))
    assert 0.3 < np.mean(below) < 0.7
    assert abs(np.mean(far)) < 0.04


def past_of(seed: int, leads: int) -> tuple[np.ndarray, np.ndarray, Past]:
    """Return a centre, errors and what is on record for them."""
    random = np.random.default_rng(seed)
    scaled = np.log(office(9, seed)) + 0.05 * random.standard_normal(9 * WEEK)
    origins = Origins.until_now(len(scaled), 3 * WEEK + DAY, DAY, WEEK)
    centre = np.resize(scaled[-WEEK:], leads) + 0.1 * random.standard_normal(leads)
    known = ~np.isnan(origins.followed(scaled, leads))
    errors = np.where(known, 0.2 * random.standard_normal((len(origins.at), leads)), np.nan)
    return centre, errors, Past(scaled, errors, origins, origins.weights(28.0))


@given(st.integers(0, 60), st.sampled_from([50, 100, WEEK, 200]))
def test_the_first_day_and_all_below_the_middle_stay(seed: int, leads: int) -> None:
    centre, errors, past = past_of(seed, leads)
    found = settled(centre, errors, past, DAY)
    np.testing.assert_array_equal(found[:, :DAY], errors[:, :DAY])
    assert (np.isnan(found) == np.isnan(errors)).all()
    whole = ~np.isnan(errors[:, -1])
    paths, moved = (centre[DAY:] + each[whole, DAY:] for each in (errors, found))
    middle = np.median(paths, axis=1, keepdims=True)
    low = paths <= middle
    np.testing.assert_allclose(moved[low], paths[low])
    assert (moved.max(axis=1) >= middle[:, 0] - 1e-9).all()


@given(st.integers(0, 60), st.floats(-5.0, 5.0))
def test_what_is_so_many_times_as_much_is_forecast_so_many_times_as_high(seed: int, more: float) -> None:
    centre, errors, past = past_of(seed, WEEK)
    plain = settled(centre, errors, past, DAY)
    moved = settled(centre + more, errors, Past(past.scaled + more, errors, past.origins, past.weights), DAY)
    np.testing.assert_allclose(moved, plain, atol=1e-6)


@pytest.mark.parametrize("leads", [6, DAY, 2 * DAY])
def test_there_is_nothing_to_say_of_two_days(leads: int) -> None:
    centre, errors, past = past_of(1, leads)
    assert settled(centre, errors, past, DAY) is errors
