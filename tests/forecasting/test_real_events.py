"""What really happened to two Wikipedias: spikes, clocks, gaps, holidays, and models that began from nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.calendars import read_holidays
from forecasting.flashcrowd import FlashCrowds
from forecasting.reading import read_series

HOUR_S, DAY_S = 3600, 86400
ROOT = Path(__file__).parents[2]
CARRIED = ROOT / "scheduler" / "demo" / "data"


@pytest.fixture(scope="module")
def german() -> Series:
    """German Wikipedia of 2012, which the product carries."""
    return read_series(CARRIED / "dewiki_hourly_2012.csv.gz", zone="Europe/Berlin")


@pytest.fixture
def english(data: Path) -> Series:
    """Three years of English Wikipedia."""
    return read_series(data / "wikipedia" / "enwiki_hourly_2010_2013.csv.gz")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def off(forecaster: Forecaster, series: Series, from_s: int, hours: int = 24) -> float:
    """Return the mean error of the logarithm of the middle forecast."""
    middle = forecaster.fit(series.until(from_s)).quantiles(hours, (0.5,))[0]
    return float(np.nanmean(np.abs(np.log(middle / series.between(from_s, from_s + hours * HOUR_S).values))))


def without_hour(series: Series, at_s: int) -> Series:
    values = series.values.copy()
    values[(at_s - series.start_s) // HOUR_S] = np.nan
    return replace(series, values=values)


def raised_by_spike(series: Series, at_s: int) -> float:
    """Return how much the spike of one hour, which has just ended, raises the q99 of next week's peak."""
    spiked, calm = (
        Forecaster().fit(one.until(at_s + HOUR_S)).peak(168, (0.99,)).values[0]
        for one in (series, without_hour(series, at_s))
    )
    return float(spiked / calm - 1)


@pytest.mark.parametrize("hour", ["2012-06-21T13:00", "2012-07-11T05:00", "2012-07-20T04:00", "2012-09-15T05:00"])
def test_the_spikes_of_2012_in_german_leave_next_weeks_peak_alone(german: Series, hour: str) -> None:
    assert raised_by_spike(german, at(hour)) < 0.05


@pytest.mark.parametrize("hour", ["2013-06-12T10:00", "2013-06-15T10:00"])
def test_the_spikes_of_2013_in_english_leave_next_weeks_peak_alone(english: Series, hour: str) -> None:
    assert raised_by_spike(english, at(hour)) < 0.08


@pytest.mark.parametrize("at_hour", [3, 15])
def test_no_spike_raises_any_q99_of_the_week_after_it_by_three_tenths(german: Series, at_hour: int) -> None:
    """Put into an ordinary week; asked right after it, and later."""
    after = (at("2012-04-25T00:00") - german.start_s) // HOUR_S + at_hour
    spiked = []
    for factor, hours in ((3, 1), (10, 2)):
        values = german.values.copy()
        values[after - hours : after] *= factor
        spiked.append(replace(german, values=values))
    for later in (0, 24, 144):
        until_s = german.start_s + (after + later) * HOUR_S
        calm, *raised = (Forecaster().fit(one.until(until_s)) for one in (german, *spiked))
        for window in (24, 168):
            most = 1.3 * calm.peak(window, (0.99,)).values[0]
            assert [one.peak(window, (0.99,)).values[0] < most for one in raised] == [True, True], (later, window)


@pytest.mark.parametrize("day", ["2012-03-26T00:00", "2012-10-29T00:00"])
def test_the_day_after_clocks_changed_is_an_ordinary_day_when_the_zone_is_known(german: Series, day: str) -> None:
    known, unknown = (off(Forecaster(), replace(german, zone=zone), at(day)) for zone in ("Europe/Berlin", "UTC"))
    assert known < 0.1  # nine of ten days of that year are below
    assert unknown > 1.8 * known


@pytest.mark.parametrize("evening", ["2012-03-24T12:00", "2012-03-24T23:00", "2012-10-27T12:00", "2012-10-28T00:00"])
def test_the_sunday_of_a_change_costs_no_more_when_the_zone_is_known(german: Series, evening: str) -> None:
    known, unknown = (off(Forecaster(), replace(german, zone=zone), at(evening)) for zone in ("Europe/Berlin", "UTC"))
    assert known < unknown + 0.01
    assert known < 0.11


@pytest.mark.parametrize(
    ("hours", "error", "least", "most"), [(2, 1.0, 2.0, 9.0), (48, 0.12, 1.2, 1.8), (1008, 0.05, 1.1, 1.3)]
)
def test_a_model_that_begins_from_nothing_gets_better_and_says_how_sure_it_is(
    german: Series, hours: int, error: float, least: float, most: float
) -> None:
    """24 h peaks: the p99 holds from the first hours on, and comes nearer to the middle as history grows."""
    held, widths, errors = [], [], []
    for from_s in range(at("2012-05-01T13:00"), at("2012-10-20T13:00"), 11 * DAY_S):
        p50, p99 = Forecaster().fit(german.between(from_s - hours * HOUR_S, from_s)).peak(24, (0.5, 0.99)).values
        came = german.between(from_s, from_s + DAY_S).values.max()
        held.append(came <= p99)
        widths.append(p99 / p50)
        errors.append(abs(np.log(p50 / came)))
    assert np.mean(held) >= 0.93
    assert least < np.mean(widths) < most
    assert np.mean(errors) < error


def test_a_dead_source_is_said_and_the_interval_widens(german: Series) -> None:
    dead = german.until(at("2012-07-20T00:00"))
    widths = []
    for hours in (0, 6, 24, 72):
        fitted = Forecaster().fit(dead, now_s=dead.end_s + hours * HOUR_S)
        p50, p99 = fitted.peak(24, (0.5, 0.99)).values
        widths.append(p99 / p50)
        assert fitted.basis.age_s == hours * HOUR_S
        assert ("the last value is" in str(fitted.basis)) == (hours > 0)
    assert widths[-1] > widths[0]


def test_a_month_missing_is_bridged_and_said(english: Series) -> None:
    """October 2010 is not in the record."""
    after = english.until(at("2010-11-12T00:00"))
    fitted = Forecaster().fit(after)
    assert fitted.basis.gaps_s >= 700 * HOUR_S
    assert off(Forecaster(), english, at("2010-11-12T00:00")) < 0.1


def test_public_holidays_of_germany_are_forecast_better_with_their_calendar(german: Series) -> None:
    days = read_holidays(ROOT / "configs" / "calendars" / "germany-2012.txt")
    asked = sorted(day for day in days if datetime(2012, 4, 1, tzinfo=UTC).date() <= day <= german_end(german))
    known, unknown = (
        np.mean([off(Forecaster(holidays=calendar), german, at(f"{day}T00:00") - 2 * HOUR_S) for day in asked])
        for calendar in (days, frozenset())
    )
    assert len(asked) == 7
    assert known < 0.6 * unknown


@pytest.mark.parametrize("year", [2010, 2012])
def test_christmas_in_english_which_is_no_sunday_costs_hardly_anything(english: Series, year: int) -> None:
    calendar = frozenset(date(y, m, d) for y in range(2009, 2014) for m, d in ((12, 24), (12, 25), (12, 26), (1, 1)))
    known, unknown = (
        np.nanmean([off(Forecaster(holidays=days), english, at(f"{year}-12-23T00:00") + k * DAY_S) for k in range(11)])
        for days in (calendar, frozenset())
    )
    assert known < 1.05 * unknown


def german_end(series: Series) -> object:
    return datetime.fromtimestamp(series.end_s - DAY_S, tz=UTC).date()


@pytest.mark.parametrize("factor", [2.0, 0.4])
def test_a_model_moved_here_overnight_is_followed_after_three_hours_and_away_after_a_day(
    german: Series, factor: float
) -> None:
    hours = 3 if factor > 1 else 24
    from_s = at("2012-08-22T10:00")
    values = german.values.copy()
    values[(from_s - german.start_s) // HOUR_S - hours :] *= factor
    moved = replace(german, values=values)
    assert off(Forecaster(), moved, from_s) < off(Forecaster(), german, from_s) + 0.12


@pytest.mark.parametrize("growth", [1.0, 3.0])
def test_growth_over_three_years_changes_neither_error_nor_coverage(english: Series, growth: float) -> None:
    years = HOUR_S * np.arange(len(english)) / (365.25 * DAY_S)
    grown = replace(english, values=english.values * growth**years)
    held, errors = [], []
    for from_s in range(at("2010-12-10T00:00"), at("2013-06-20T00:00"), 97 * DAY_S):
        came = grown.between(from_s, from_s + 7 * DAY_S).values
        held.append(Forecaster().fit(grown.until(from_s)).peak(168, (0.99,)).values[0] >= np.nanmax(came))
        errors.append(off(Forecaster(), grown, from_s, 168))
    assert np.mean(held) >= 0.9
    assert np.median(errors) < 0.06  # in some weeks the record itself fails


def test_flash_crowds_of_three_years_rise_above_what_was_usual_then(english: Series) -> None:
    """Levels changed in between; each spike is measured against its own time."""
    crowds = FlashCrowds.of(english)
    assert len(crowds.factors) > 10
    assert min(crowds.factors) > 1.2
    assert crowds.factor(0.9) < 3.0


def test_integers_of_a_hardly_used_model_stay_sane() -> None:
    counts = np.random.default_rng(3).poisson(3.0, 8 * 168) / HOUR_S
    p50, p99 = Forecaster().fit(Series(0, HOUR_S, counts)).peak(24, (0.5, 0.99)).values
    assert 5 / HOUR_S < p50 <= p99 < 16 / HOUR_S
