"""Forecasts stay near those of a whole record, whatever happened to it, and within a multiple of what was seen."""

import os
import warnings
from dataclasses import replace

import numpy as np
import pytest

from forecasting import Fitted, Forecaster, Series
from forecasting.flashcrowd import FlashCrowds
from forecasting.provenance import EVER_SEEN, EVER_SEEN_OF_FEW_DAYS, SEEN_LATELY, Footing
from tests.forecasting.conftest import HOUR_S, MONDAY_S, weekly_traffic
from tests.forecasting.histories import DAY_S, history

TWO_DAYS = Forecaster(horizon_s=2 * DAY_S)


def day_peak(values: np.ndarray, step_s: int = HOUR_S) -> tuple[Fitted, float, float]:
    """Return the forecast after hourly values, the middle and the p99 of the next day's peak."""
    fitted = TWO_DAYS.fit(Series(MONDAY_S, step_s, values))
    return fitted, *fitted.peak(DAY_S // fitted.step_s, (0.5, 0.99)).values


def stays_near(seed: int, steps_s: tuple[int, ...]) -> None:
    """Check one random history: middle within a factor of 3, p99 within 5, a few requests more or less apart."""
    case = history(seed, steps_s)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, faulty = day_peak(case.clean, case.step_s), day_peak(case.faulty, case.step_s)
    chance = 3 * max(whole[0].unit, 1 / case.step_s if case.shape == "sparse" else 0.0)
    for one, other, factor in zip(whole[1:], faulty[1:], (3, 5), strict=True):
        assert one <= factor * other + chance, (case.shape, case.faults, str(faulty[0].basis))
        assert other <= factor * one + chance, (case.shape, case.faults, str(faulty[0].basis))


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_faults_of_the_record_do_not_move_the_next_day_far(first: int) -> None:
    for seed in range(first, first + 10):
        stays_near(seed, (HOUR_S,))


@pytest.mark.parametrize("first", range(0, 8, 4))
def test_nor_in_steps_of_minutes(first: int) -> None:
    for seed in range(1000 + first, 1004 + first):
        stays_near(seed, (60, 300, 900))


@pytest.mark.parametrize("first", range(2000, 2000 + int(os.environ.get("HEADROOM_HISTORIES", "500")), 100))
def test_nor_in_hundreds_of_histories(first: int) -> None:
    """Of 100 each; `HEADROOM_HISTORIES=5000` tries thousands, which takes about two minutes of processor time."""
    for seed in range(first, first + 100):
        stays_near(seed, (300, 900, HOUR_S, HOUR_S, HOUR_S))


@pytest.mark.parametrize("left", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("hours", [8, 18, 36])
@pytest.mark.parametrize("since", [0, 1, 12, 24])
def test_an_outage_is_bridged_while_it_lasts_and_after(hours: int, since: int, left: float) -> None:
    """Beginning at night or at the peak, as it comes; one that goes on is looked past for a day."""
    values = weekly_traffic(9, seed=hours + since)
    _, usual, high = day_peak(values)
    broken = values.copy()
    broken[len(values) - since - hours : len(values) - since] *= left
    fitted, middle, p99 = day_peak(broken)
    if since or hours <= 24:
        assert middle == pytest.approx(usual, rel=0.35)
        assert high / 2 < p99 < 2 * high
        assert fitted.basis.dropouts_s >= hours * HOUR_S - 2 * HOUR_S
        assert (
            fitted.quantiles(3, (0.5,)).min()
            > 0.5 * TWO_DAYS.fit(Series(MONDAY_S, HOUR_S, values)).quantiles(3, (0.5,)).min()
        )
    assert p99 < 2 * high
    assert ("has not ended" in str(fitted.basis)) == (since == 0 and hours <= 24)


def test_two_outages_in_a_week_are_bridged() -> None:
    values = weekly_traffic(9)
    _, usual, high = day_peak(values)
    values[-100:-86], values[-40:-25] = 0.0, 0.0
    _, middle, p99 = day_peak(values)
    assert middle == pytest.approx(usual, rel=0.2)
    assert p99 == pytest.approx(high, rel=0.5)


def test_a_fall_that_lasts_longer_than_a_day_is_believed_until_it_ends() -> None:
    values = weekly_traffic(9)
    values[-60:] *= 0.02
    _, _, fallen = day_peak(values)
    assert fallen < 0.3 * values[:-60].max()
    back = np.append(values, values[-169:-168])  # one hour as ever
    _, middle, _ = day_peak(back)
    assert middle == pytest.approx(values[-400:-60].max(), rel=0.4)


@pytest.mark.parametrize("factor", [3.0, 10.0, 40.0])
@pytest.mark.parametrize("days", [1, 3])
def test_a_surge_of_days_is_taken_back_when_it_is_over(factor: float, days: int) -> None:
    values = weekly_traffic(9)
    _, usual, high = day_peak(values)
    values[-30 - 24 * days : -30] *= factor
    _, middle, p99 = day_peak(values)
    assert middle == pytest.approx(usual, rel=0.3)
    assert p99 < 2.5 * high


@pytest.mark.parametrize("hours", [12, 24, 48, 60, 120])
def test_a_launch_after_weeks_of_nothing_begins_anew(hours: int) -> None:
    launched = weekly_traffic(1.0, level=60.0)[:hours]
    values = np.concatenate((np.zeros(6 * 168), launched))
    fitted, middle, p99 = day_peak(values)
    alone, expected, high = day_peak(launched)
    assert (middle, p99) == (expected, high)
    assert fitted.basis.quiet_s == 6 * 7 * DAY_S
    assert "before the launch" in str(fitted.basis)
    assert fitted.basis.footing is alone.basis.footing
    if hours >= 48:
        assert 0.75 * launched.max() < middle < 1.4 * launched.max()
        assert p99 < 2.2 * launched.max()


def test_nights_weekends_and_single_requests_are_no_outages_and_no_launch() -> None:
    hours = np.arange(8 * 168)
    office = np.where((hours % 24 > 7) & (hours % 24 < 19) & (hours % 168 < 120), 50.0, 0.0)
    counts = np.random.default_rng(3).poisson(0.05, 8 * 168).astype(float)
    for values in (office, counts):
        basis = day_peak(values)[0].basis
        assert basis.quiet_s == basis.dropouts_s == 0


def test_a_reading_beyond_belief_changes_nothing_wherever_it_stands() -> None:
    values = weekly_traffic(9)
    _, usual, high = day_peak(values)
    for place in (3, 700, len(values) - 1):
        struck = values.copy()
        struck[place] = 1e15
        fitted, middle, p99 = day_peak(struck)
        assert (middle, p99) == (pytest.approx(usual, rel=0.05), pytest.approx(high, rel=0.1))
        assert fitted.basis.absurd_s == HOUR_S
        assert "beyond belief" in str(fitted.basis)
        assert fitted.median_at(fitted.start_s) < 2 * values.max()


def test_crowds_are_not_made_of_failures() -> None:
    values = weekly_traffic(12)
    values[500], values[900:915], values[1200] = 1e15, 0.0, 5 * values[1200]
    crowds = FlashCrowds.of(Series(MONDAY_S, HOUR_S, values))
    assert len(crowds.factors) == 1
    assert crowds.factor(1.0) == pytest.approx(5.0, rel=0.2)


@pytest.mark.parametrize("noise", [0.0, 0.001, 0.03])
@pytest.mark.parametrize("ago", [30, 200, 600])
def test_a_steady_load_with_one_spike_stays_below_the_spike(noise: float, ago: int) -> None:
    values = 7 * np.exp(noise * np.random.default_rng(1).standard_normal(8 * 168))
    values[-ago] = 14.0
    fitted = Forecaster().fit(Series(MONDAY_S, HOUR_S, values))
    day, week = (fitted.peak(window, (0.99,)).values[0] for window in (24, 168))
    assert 6.9 < day <= week <= 14.0 * 1.05


def test_nothing_is_forecast_beyond_a_multiple_of_what_was_seen(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    assert fitted.basis.ceiling == pytest.approx(EVER_SEEN * hourly.values.max(), rel=0.1)
    assert fitted.basis.caution == ""
    measured = fitted.corrected(1e15, fitted.start_s - 10.0)
    assert measured.quantiles(48, (0.5, 0.999)).max() <= fitted.basis.ceiling
    assert measured.peak(168, (0.999,)).values[0] <= fitted.basis.ceiling
    assert measured.peak_within(fitted.start_s, 1800.0, (0.5,)).values[0] <= fitted.basis.ceiling
    assert f"{EVER_SEEN:g} times the highest ever seen" in str(measured.basis)


def test_the_first_hours_may_go_further_and_say_so(hourly: Series) -> None:
    young = Forecaster().fit(replace(hourly, values=hourly.values[:3]))
    assert young.basis.footing is Footing.HOURS
    assert young.basis.ceiling == pytest.approx(EVER_SEEN_OF_FEW_DAYS * hourly.values[:3].max())


def test_a_forecast_far_above_the_last_two_weeks_says_so(hourly: Series) -> None:
    basis = Forecaster().fit(hourly).basis
    far = replace(basis, highest=1.1 * SEEN_LATELY * basis.lately, ceiling=np.inf)
    assert f"beyond {SEEN_LATELY:g} times the highest of the last two weeks" in str(far)


@pytest.mark.parametrize("seed", range(8))
def test_a_longer_window_is_never_lower_at_any_level(seed: int) -> None:
    case = history(seed, (HOUR_S,))
    fitted = TWO_DAYS.fit(Series(MONDAY_S, HOUR_S, case.faulty))
    levels = (0.01, 0.1, 0.5, 0.8, 0.9, 0.99, 0.999)
    whole = np.array([fitted.peak(window, levels).values for window in range(1, 49)])
    assert (np.diff(whole, axis=0) >= 0).all()
    assert (np.diff(whole, axis=1) >= -1e-12 * whole.max()).all()
    begins = fitted.start_s - 1234.0
    parts = np.array([fitted.peak_within(begins, minutes * 60, levels).values for minutes in range(0, 1500, 50)])
    assert (np.diff(parts, axis=0) >= -1e-9 * parts.max()).all()


@pytest.mark.parametrize("step_s", [60, 300, 900])
def test_the_week_is_not_below_the_day_in_fine_steps_either(step_s: int) -> None:
    case = history(4, (step_s,))
    fitted = Forecaster().fit(Series(MONDAY_S, step_s, case.faulty))
    said = [fitted.peak(hours * 3600 // fitted.step_s, (0.5, 0.9, 0.99)).values for hours in (1, 6, 24, 168)]
    assert (np.diff(said, axis=0) >= 0).all()


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_load_that_is_off_for_days_is_forecast_as_on_and_within_bounds(first: int) -> None:
    """On and off at random, or on for some hours a week; nobody knows when, but how high is known."""
    for seed in range(first, first + 50):
        case = history(seed, (300, 900, HOUR_S, HOUR_S), unsteady=True)
        step_s, day = case.step_s, DAY_S // case.step_s
        for values in (case.clean, case.faulty):
            _, middle, p99 = day_peak(values, step_s)
            assert p99 <= 1.1 * EVER_SEEN_OF_FEW_DAYS * np.nanmax(np.where(values < 1e15, values, 0.0)), seed
            if case.shape == "on and off":
                assert p99 >= case.clean[-day:].max(), seed
                assert 0.2 * case.clean[-day:].max() < middle, seed


@pytest.mark.parametrize("weeks", [6, 12])
@pytest.mark.parametrize("step_s", [900, HOUR_S])
def test_a_weekly_batch_is_expected_on_its_day_and_no_other(weeks: int, step_s: int) -> None:
    hours = np.arange(0, weeks * 168, step_s / HOUR_S)
    values = np.where((hours % 168 >= 30) & (hours % 168 < 33), 40.0, 0.0)  # on Tuesdays at 6
    for until, on in ((146, True), (98, False)):
        _, middle, p99 = day_peak(values[: len(values) - int(until * HOUR_S / step_s)], step_s)
        if on:
            assert middle == pytest.approx(40.0, rel=0.3)
            assert p99 < 3 * 40.0
        else:
            assert middle < 4.0
