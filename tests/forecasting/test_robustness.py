"""What really happens to traffic: spikes, gaps, failures of the record, changes of clocks, moves, growth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.cleaning import clean
from forecasting.clock import offsets_s
from forecasting.flashcrowd import FlashCrowds
from forecasting.fleet import fit_all
from forecasting.reading import read_series

HOUR_S = 3600
DAY_S = 86400
WEEK_S = 7 * DAY_S


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
