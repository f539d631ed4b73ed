"""A calendar of holidays: they go towards Sundays, as far as those that were seen."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import Forecaster, Series
from forecasting.models import holidays

DAY = 24


@pytest.fixture
def late_sundays(hourly: Series) -> Series:
    """Return the series with every Sunday three hours later, and not lower than other days."""
    values = hourly.values.copy().reshape(-1, DAY)
    weekday = np.array([date_of(hourly, day).weekday() for day in range(len(values))])
    values[weekday == 6] = np.roll(values[weekday == 2].mean(axis=0), 3)
    return replace(hourly, values=values.ravel())


def date_of(series: Series, day: int) -> datetime:
    """Return the date of a day of the series."""
    return datetime.fromtimestamp(series.start_s, tz=UTC) + timedelta(days=day)


def kept_before(series: Series, *, as_sundays: bool) -> tuple[Series, frozenset[date]]:
    """Return the series with two Wednesdays more than a month ago kept (or not) like the Sunday before, and them."""
    values = series.values.copy()
    days = [len(series) // DAY - 33, len(series) // DAY - 47]
    for day in days:
        sunday = day - 3
        assert date_of(series, sunday).strftime("%a") == "Sun"
        if as_sundays:
            values[day * DAY : (day + 1) * DAY] = values[sunday * DAY : (sunday + 1) * DAY]
    return replace(series, values=values), frozenset(date_of(series, day).date() for day in days)


def forecast_of_wednesday(series: Series, calendar: frozenset[date]) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of a coming Wednesday with and without its being a holiday, as shares of a Sunday's way."""
    wednesday = date_of(series, len(series) // DAY + 2).date()
    known, usual = (
        np.log(Forecaster(holidays=days).fit(series).quantiles(168, (0.5,))[0])
        for days in (calendar | {wednesday}, calendar)
    )
    there = slice(2 * DAY, 3 * DAY)
    np.testing.assert_allclose(np.delete(known, np.r_[there]), np.delete(usual, np.r_[there]))
    return (known - usual)[there], np.log(series.values[-8 * DAY : -7 * DAY] / series.values[-5 * DAY : -4 * DAY])


def test_without_any_seen_a_holiday_goes_half_way_to_a_sunday_and_keeps_its_level(late_sundays: Series) -> None:
    change, way = forecast_of_wednesday(late_sundays, frozenset())
    shape = way - way.mean()
    assert change @ shape / (shape @ shape) == pytest.approx(0.5, abs=0.1)
    assert change.mean() == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(("as_sundays", "least", "most"), [(True, 0.65, 0.85), (False, 0.15, 0.35)])
def test_holidays_go_as_far_as_those_seen_did(
    late_sundays: Series, *, as_sundays: bool, least: float, most: float
) -> None:
    series, calendar = kept_before(late_sundays, as_sundays=as_sundays)
    change, _ = forecast_of_wednesday(series, calendar)
    _, way = forecast_of_wednesday(late_sundays, frozenset())
    shape = way - way.mean()
    assert least < change @ shape / (shape @ shape) < most


def test_where_sundays_are_nearly_empty_holidays_seen_to_be_so_are(hourly: Series) -> None:
    values = hourly.values.copy()
    weekday = np.array([date_of(hourly, day).weekday() for day in range(len(values) // DAY)])
    values *= np.repeat(np.where(weekday == 6, 0.2, 1.0), DAY)
    series, calendar = kept_before(replace(hourly, values=values), as_sundays=True)
    change, _ = forecast_of_wednesday(series, calendar)
    assert change.mean() < -0.8


def test_holidays_on_sundays_and_in_gaps_teach_nothing(hourly: Series) -> None:
    values = np.log(hourly.values)
    values[-5 * DAY : -4 * DAY] = np.nan
    first = hourly.start_s // 3600
    days = np.array([first // DAY + len(values) // DAY - k for k in (8, 5)])
    assert (days[0] - 3) % 7 == 0
    custom = holidays.learnt(values, first, days, DAY)
    assert (custom.shape, custom.level) == (0.5, 0.0)


@given(st.integers(0, 400), st.lists(st.integers(-30, 200), max_size=20), st.sampled_from([1, 4, 24]))
def test_shares_are_shares_whatever_was_recorded(seed: int, days: list[int], day: int) -> None:
    random = np.random.default_rng(seed)
    values = random.standard_normal(150 * day)
    values[random.random(len(values)) < 0.1] = np.nan
    custom = holidays.learnt(values, 3 * day + 1, np.unique(np.array(days, dtype=np.int64)), day)
    assert 0 <= custom.shape <= 1
    assert 0 <= custom.level <= 1


def test_a_holiday_that_has_begun_is_not_counted_twice(hourly: Series) -> None:
    begun = hourly.until(hourly.end_s - 12 * 3600)
    today = frozenset({date_of(hourly, len(hourly) // DAY - 1).date()})
    one, other = Forecaster(holidays=today).fit(begun), Forecaster().fit(begun)
    np.testing.assert_array_equal(one.quantiles(12, (0.5,)), other.quantiles(12, (0.5,)))


def test_with_little_history_a_calendar_does_no_harm(hourly: Series) -> None:
    short = replace(hourly, values=hourly.values[:50])
    tomorrow = frozenset({date_of(hourly, 3).date()})
    assert np.isfinite(Forecaster(holidays=tomorrow).fit(short).quantiles(48, (0.5,))).all()
