"""What really happens to traffic: spikes, gaps, failures of the record, changes of clocks, moves, growth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.cleaning import clean
from forecasting.clock import offsets_s
from forecasting.evaluation.disaggregate import drawn_finer
from forecasting.flashcrowd import FlashCrowds
from forecasting.fleet import fit_all
from forecasting.reading import read_series

HOUR_S = 3600
DAY_S = 86400
WEEK_S = 7 * DAY_S
MONDAY_S = 1325462400


def q99(series: Series, window: int = 168) -> float:
    """Return the q99 of the highest hour to come."""
    return Forecaster().fit(series).peak(window, (0.99,)).values[0]


def with_values(series: Series, **changed: float) -> Series:
    """Return the series with hours "h123" (from the end) multiplied."""
    values = series.values.copy()
    for name, factor in changed.items():
        values[-int(name[1:])] *= factor
    return replace(series, values=values)


@pytest.mark.parametrize("factor", [3.0, 20.0])
def test_single_hour_spikes_do_not_raise_the_next_week(hourly: Series, factor: float) -> None:
    spiked = with_values(hourly, h30=factor, h200=factor, h600=factor)
    assert q99(spiked) < 1.3 * q99(hourly)
    assert Forecaster().fit(spiked).basis.spikes_s == pytest.approx(3 * HOUR_S, abs=2 * HOUR_S)


def test_spikes_teach_nothing_and_keep_their_height_for_the_errors(hourly: Series) -> None:
    scaled = np.log(hourly.values)
    spiked = scaled.copy()
    spiked[[-400, -399, -1]] += np.log(4)
    calm, cleaned = clean(scaled, 24, 168), clean(spiked, 24, 168)
    assert np.flatnonzero(cleaned.above).tolist() == [len(scaled) - 400, len(scaled) - 399]
    np.testing.assert_allclose(cleaned.values[-400:-398], calm.values[-400:-398], atol=0.15)
    assert (cleaned.above > 0.15).all(where=cleaned.above != 0)
    assert cleaned.values[-1] > calm.values[-1]  # it may be the beginning of something


def test_a_month_without_record_makes_no_spikes_of_the_days_after_it(hourly: Series) -> None:
    """As happened in November 2010: no week around the new days is known."""
    values = hourly.values.copy()
    values[-6 * 168 : -100] = np.nan
    gap = replace(hourly, values=values)
    basis = Forecaster().fit(gap).basis
    assert basis.spikes_s == basis.dropouts_s == 0
    assert q99(gap) == pytest.approx(q99(hourly), rel=0.3)


def test_a_spike_of_the_last_hour_does_not_double_the_next_day(hourly: Series) -> None:
    assert q99(with_values(hourly, h1=5.0), 24) < 1.3 * q99(hourly, 24)


def test_spikes_are_offered_as_a_reserve_of_their_own(hourly: Series) -> None:
    crowds = FlashCrowds.of(with_values(hourly, h30=3.0, h200=5.0, h201=4.0, h600=8.0))
    assert len(crowds.factors) == 3
    assert crowds.factor(1.0) == pytest.approx(8.0, rel=0.3)
    assert crowds.factor(0.5) == pytest.approx(5.0, rel=0.3)
    assert crowds.per_week == pytest.approx(3 / 12)
    assert FlashCrowds.of(replace(hourly, values=np.full(3, np.nan))).factor(0.9) == 1.0


@pytest.mark.parametrize("factor", [2.0, 4.0])
def test_a_move_that_multiplies_traffic_is_followed_within_three_hours(hourly: Series, factor: float) -> None:
    moved = with_values(hourly, h3=factor, h2=factor, h1=factor)
    ratio = Forecaster().fit(moved).quantiles(24, (0.5,))[0] / Forecaster().fit(hourly).quantiles(24, (0.5,))[0]
    assert ratio.mean() == pytest.approx(factor, rel=0.15)
    (at_s, size) = Forecaster().fit(moved).basis.shifts[0]
    assert at_s == hourly.end_s - 3 * HOUR_S
    assert size == pytest.approx(factor, rel=0.15)


def test_twice_the_traffic_is_followed_within_three_hours_at_any_time_of_day(hourly: Series) -> None:
    ratios = []
    for back in range(0, 13 * 24, 13):
        known = hourly.until(hourly.end_s - back * HOUR_S)
        moved = with_values(known, h3=2.0, h2=2.0, h1=2.0)
        middles = [Forecaster(horizon_s=DAY_S).fit(one).quantiles(24, (0.5,))[0].mean() for one in (moved, known)]
        ratios.append(middles[0] / middles[1])
    assert len(ratios) == 24
    assert np.median(ratios) == pytest.approx(2.0, rel=0.05)
    assert np.mean(np.array(ratios) > 1.8) >= 0.9


@pytest.mark.parametrize(("minutes", "hours_ahead"), [(30, 1), (180, 24)])
def test_twice_the_traffic_in_five_minute_steps_is_followed(hourly: Series, minutes: int, hours_ahead: int) -> None:
    """The next hour after half an hour, the next day after three hours."""
    fine = drawn_finer(hourly, 300, 100.0)
    values = fine.values.copy()
    values[-minutes // 5 :] *= 2
    bins = hours_ahead * 12
    moved, usual = (Forecaster(horizon_s=DAY_S).fit(one) for one in (replace(fine, values=values), fine))
    ratio = moved.quantiles(bins, (0.5,)).mean() / usual.quantiles(bins, (0.5,)).mean()
    assert ratio == pytest.approx(2.0, rel=0.1)


def test_a_move_away_is_followed_within_a_day_and_holds(hourly: Series) -> None:
    values = hourly.values.copy()
    values[-24:] /= 3
    away = Forecaster().fit(replace(hourly, values=values))
    assert away.quantiles(24, (0.5,)).mean() == pytest.approx(np.mean(hourly.values[-168:]) / 3, rel=0.25)


def test_hours_missing_are_said_and_survived(hourly: Series) -> None:
    values = hourly.values.copy()
    gone = np.random.default_rng(1).choice(len(values) - 2, 200, replace=False) + 1
    values[gone] = np.nan
    values[-500:-400] = np.nan
    holed, whole = Forecaster().fit(replace(hourly, values=values)), Forecaster().fit(hourly)
    assert holed.basis.gaps_s == np.isnan(values).sum() * HOUR_S
    assert "gaps repaired" in str(holed.basis)
    np.testing.assert_allclose(holed.quantiles(48, (0.5,)), whole.quantiles(48, (0.5,)), rtol=0.15)


AGES_H = (0, 1, 3, 6, 12, 24, 48, 72, 120, 168)


def test_the_older_the_last_value_the_wider_the_interval(hourly: Series) -> None:
    """Of the same hours to come, and, on the mean over the times of day, of the next day's peak."""
    target_s = hourly.end_s + 8 * DAY_S
    same, peaks = [], []
    for age in AGES_H:
        fitted = Forecaster(horizon_s=9 * DAY_S).fit(hourly, now_s=hourly.end_s + age * HOUR_S)
        at = (target_s - fitted.start_s) // HOUR_S
        low, high = fitted.quantiles(at + 1, (0.1, 0.99))[:, at]
        same.append(high / low)
        times = [hourly.until(hourly.end_s - back * HOUR_S) for back in range(0, 25, 6)]
        widths = [
            Forecaster(horizon_s=DAY_S).fit(one, now_s=one.end_s + age * HOUR_S).peak(24, (0.5, 0.99)).values
            for one in times
        ]
        peaks.append(np.mean([high / middle for middle, high in widths]))
        assert fitted.basis.age_s == age * HOUR_S
        assert ("the last value is" in str(fitted.basis)) == (age > 0)
    assert same == sorted(same)
    assert same[-1] > 1.2 * same[0]
    assert peaks == pytest.approx(np.maximum.accumulate(peaks), rel=0.02)
    assert peaks[-1] > 1.1 * peaks[0]


def test_a_dead_source_of_five_minute_steps_goes_on_in_hours_and_widens(hourly: Series) -> None:
    fine = drawn_finer(hourly, 300, 100.0)
    widths = []
    for age in (0, 6, 48, 168):
        fitted = Forecaster(horizon_s=DAY_S).fit(fine, now_s=fine.end_s + age * HOUR_S)
        middle, high = fitted.peak(DAY_S // fitted.step_s, (0.5, 0.99)).values
        widths.append(high / middle)
    assert widths[1:] == sorted(widths[1:])
    assert widths[-1] > widths[0]


@pytest.mark.parametrize("step_s", [60, 300, HOUR_S])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_and_nothing_at_all_stay_so_in_every_step(step_s: int, value: float) -> None:
    for hours in (1, 30, 60 * 24):
        series = Series(MONDAY_S, step_s, np.full(hours * HOUR_S // step_s, value))
        fitted = Forecaster(horizon_s=DAY_S).fit(series)
        middle, high = fitted.peak(3, (0.5, 0.99)).values
        assert middle == pytest.approx(value, rel=0.25, abs=1e-6)
        assert value - 1e-6 <= high <= 10 * value + 1e-6


@pytest.mark.parametrize(("per_hour", "step_s"), [(3.0, HOUR_S), (0.2, HOUR_S), (3.0, 300)])
def test_integer_sparse_series_are_covered_and_not_absurd(per_hour: float, step_s: int) -> None:
    """A model with three requests an hour, with one in five hours, and the first counted every five minutes."""
    mean = per_hour * step_s / HOUR_S
    counts = np.random.default_rng(7).poisson(mean, 8 * WEEK_S // step_s)
    day = DAY_S // step_s
    held, p99s = [], []
    for back in range(day, 22 * day, day + DAY_S // (24 * step_s)):
        known = Series(MONDAY_S, step_s, counts[: len(counts) - back] / step_s)
        p99 = Forecaster(horizon_s=DAY_S).fit(known).peak(day, (0.99,)).values[0] * step_s
        held.append(counts[len(counts) - back :][:day].max() <= p99 + 1e-9)
        p99s.append(p99)
    assert np.mean(held) >= 0.9
    usual = np.mean([counts[i : i + day].max() for i in range(0, len(counts) - day, day)])
    assert np.mean(p99s) < 3 * usual + 1


def test_failures_of_the_record_are_set_aside(hourly: Series) -> None:
    values = hourly.values.copy()
    values[-100:-96] *= 0.02
    values[-700] = 0.0
    broken = Forecaster().fit(replace(hourly, values=values))
    assert broken.basis.dropouts_s == pytest.approx(5 * HOUR_S, abs=HOUR_S)
    np.testing.assert_allclose(broken.quantiles(24, (0.5,)), Forecaster().fit(hourly).quantiles(24, (0.5,)), rtol=0.08)


def local_traffic(start_s: int, hours: int, zone: str) -> np.ndarray:
    """Return traffic that follows a zone's clocks exactly, with little noise."""
    at = start_s + HOUR_S * np.arange(hours, dtype=np.int64)
    local = (at + offsets_s(zone, at)) // HOUR_S
    shape = np.sin(2 * np.pi * (local % 24 - 9) / 24) - 0.3 * ((local // 24) % 7 == 2)
    return 100 * np.exp(shape + 0.02 * np.random.default_rng(0).standard_normal(hours))


@pytest.mark.parametrize("change_s", [1332637200, 1351386000])
@pytest.mark.parametrize("days_after", [-1, 1, 3])
def test_a_change_of_the_clocks_costs_nothing_when_the_zone_is_known(change_s: int, days_after: int) -> None:
    start_s = change_s // DAY_S * DAY_S - 10 * WEEK_S
    origin = 70 * 24 + days_after * 24
    values = local_traffic(start_s, origin + 48, "Europe/Berlin")

    def error(zone: str) -> float:
        middle = Forecaster().fit(Series(start_s, HOUR_S, values[:origin], zone)).quantiles(48, (0.5,))[0]
        return float(np.mean(np.abs(np.log(middle / values[origin:]))))

    assert error("Europe/Berlin") < 0.04
    assert error("UTC") > 1.5 * error("Europe/Berlin")


def test_growth_over_months_is_followed(hourly: Series) -> None:
    growing = hourly.values * np.exp(0.05 * np.arange(len(hourly)) / 168)
    ratio = Forecaster().fit(replace(hourly, values=growing)).quantiles(24, (0.5,)) / Forecaster().fit(
        hourly
    ).quantiles(24, (0.5,))
    assert ratio.mean() == pytest.approx(np.exp(0.05 * 12), rel=0.05)


def test_scale_does_not_matter(hourly: Series) -> None:
    big = Forecaster().fit(replace(hourly, values=hourly.values * 1e6)).peak(24, (0.5, 0.99)).values
    small = Forecaster().fit(hourly).peak(24, (0.5, 0.99)).values
    np.testing.assert_allclose(np.array(big) / 1e6, small, rtol=1e-3)


@pytest.mark.parametrize("step_s", [2 * HOUR_S, 6 * HOUR_S, DAY_S])
def test_longer_steps(hourly: Series, step_s: int) -> None:
    fitted = Forecaster().fit(hourly.resample(step_s))
    assert fitted.step_s == step_s
    assert fitted.bins == WEEK_S // step_s
    middle = fitted.quantiles(fitted.bins, (0.5,))[0]
    assert middle.mean() == pytest.approx(np.mean(hourly.values[-336:]), rel=0.15)


def test_a_fleet_is_forecast_as_one_by_one(hourly: Series) -> None:
    short = replace(hourly, values=hourly.values[-100:])
    one_by_one = [Forecaster().fit(s) for s in (hourly, short)]
    fleet = fit_all(Forecaster(), [hourly, short])
    for a, b in zip(one_by_one, fleet, strict=True):
        np.testing.assert_array_equal(a.quantiles(24, (0.9,)), b.quantiles(24, (0.9,)))


def test_a_fleet_on_several_processes_keeps_its_order(hourly: Series) -> None:
    fleet = [replace(hourly, values=hourly.values[-50:] * k) for k in range(1, 41)]
    middles = [f.quantiles(1, (0.5,))[0, 0] for f in fit_all(Forecaster(), fleet, workers=2)]
    assert middles == sorted(middles)


def test_real_bad_lows_of_june_2010_do_not_lower_the_forecast(data: Path) -> None:
    series = read_series(data / "wikipedia" / "enwiki_hourly_2010_2013.csv.gz")
    after = series.until(1276819200)  # 2010-06-18: two days after the bad lows ended
    middle = Forecaster().fit(after).quantiles(24, (0.5,))[0]
    came = series.between(1276819200, 1276819200 + DAY_S).values
    assert np.nanmean(np.abs(middle / came - 1)) < 0.12
