"""A calendar of holidays: they go like Sundays, and leave no trace in usual weeks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting import Forecaster, Series

DAY = 24


def with_quiet_day(series: Series, day: int) -> Series:
    """Return the series with one weekday lower by three tenths."""
    values = series.values.copy()
    values[day * DAY : (day + 1) * DAY] *= 0.7
    return replace(series, values=values)


def date_of(series: Series, day: int) -> datetime:
    """Return the date of a day of the series."""
    return datetime.fromtimestamp(series.start_s, tz=UTC) + timedelta(days=day)


def test_a_holiday_to_come_goes_like_a_sunday(hourly: Series) -> None:
    wednesday = len(hourly) // DAY + 2
    holiday = date_of(hourly, wednesday).date()
    assert holiday.strftime("%a") == "Wed"
    known = Forecaster(holidays=frozenset({holiday})).fit(hourly).quantiles(168, (0.5,))[0]
    usual = Forecaster().fit(hourly).quantiles(168, (0.5,))[0]
    there = slice(2 * DAY, 3 * DAY)
    assert (known[there] / usual[there]).mean() == pytest.approx(np.exp(-0.2), rel=0.05)
    np.testing.assert_array_equal(np.delete(known, np.r_[there]), np.delete(usual, np.r_[there]))


def test_a_holiday_past_leaves_no_trace_in_the_next_weeks(hourly: Series) -> None:
    quiet = with_quiet_day(hourly, len(hourly) // DAY - 5)
    calendar = frozenset({date_of(hourly, len(hourly) // DAY - 5).date()})
    whole = Forecaster().fit(hourly).quantiles(168, (0.5,))[0]

    def off(forecaster: Forecaster) -> float:
        return float(np.abs(np.log(forecaster.fit(quiet).quantiles(168, (0.5,))[0] / whole)).mean())

    assert off(Forecaster(holidays=calendar)) < 0.8 * off(Forecaster())


def test_a_holiday_that_has_begun_is_not_counted_twice(hourly: Series) -> None:
    begun = hourly.until(hourly.end_s - 12 * 3600)
    today = frozenset({date_of(hourly, len(hourly) // DAY - 1).date()})
    one, other = Forecaster(holidays=today).fit(begun), Forecaster().fit(begun)
    np.testing.assert_array_equal(one.quantiles(12, (0.5,)), other.quantiles(12, (0.5,)))


def test_with_little_history_a_calendar_does_no_harm(hourly: Series) -> None:
    short = replace(hourly, values=hourly.values[:50])
    tomorrow = frozenset({date_of(hourly, 3).date()})
    assert np.isfinite(Forecaster(holidays=tomorrow).fit(short).quantiles(48, (0.5,))).all()
