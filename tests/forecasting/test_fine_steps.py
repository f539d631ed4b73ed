"""Steps below an hour: forecast in hours, drawn finer, near the last minutes, with the noise of fine bins."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting import Forecaster, Series

HOUR_S = 3600


def finer(hourly: Series, step_s: int, noise: float, seed: int = 0) -> Series:
    """Return traffic that goes in straight lines between the hours' centres, with independent noise in each bin."""
    per_hour = HOUR_S // step_s
    at = (np.arange(len(hourly) * per_hour) + 0.5) / per_hour
    line = np.interp(at, np.arange(len(hourly)) + 0.5, hourly.values)
    chance = np.exp(noise * np.random.default_rng(seed).standard_normal(len(at)))
    return Series(hourly.start_s, step_s, line * chance, hourly.zone)


@pytest.mark.parametrize("step_s", [60, 300, 900])
def test_answers_in_its_own_step_from_its_own_end(hourly: Series, step_s: int) -> None:
    series = finer(hourly, step_s, 0.05).until(hourly.end_s - 20 * 60)
    fitted = Forecaster().fit(series)
    assert (fitted.step_s, fitted.start_s) == (step_s, series.end_s)
    assert fitted.end_s == series.end_s + 7 * 86400
    quantiles = fitted.quantiles(2 * HOUR_S // step_s, (0.1, 0.5, 0.9))
    assert (np.diff(quantiles, axis=0) > 0).all()


def test_noisier_bins_have_a_higher_peak_but_the_same_middle(hourly: Series) -> None:
    calm, rough = (Forecaster().fit(finer(hourly, 300, noise)) for noise in (0.01, 0.15))
    assert rough.peak(3, (0.9,)).values[0] > 1.1 * calm.peak(3, (0.9,)).values[0]
    assert rough.quantiles(24, (0.5,)).mean() == pytest.approx(calm.quantiles(24, (0.5,)).mean(), rel=0.12)


def test_the_last_minutes_move_the_next(hourly: Series) -> None:
    series = finer(hourly, 300, 0.02).until(hourly.end_s - 30 * 60)
    values = series.values.copy()
    values[-6:] *= 1.3
    moved, usual = Forecaster().fit(replace(series, values=values)), Forecaster().fit(series)
    ratio = moved.quantiles(12 * 24, (0.5,))[0] / usual.quantiles(12 * 24, (0.5,))[0]
    assert ratio[0] > 1.15
    assert ratio[-1] == pytest.approx(1.0, abs=0.03)


def test_coverage_of_the_next_quarter_of_an_hour(hourly: Series) -> None:
    series = finer(hourly, 300, 0.05)
    held = []
    for back in range(40, 12 * 24 * 14, 61):
        fitted = Forecaster().fit(series.until(series.end_s - back * 300))
        came = series.values[len(series) - back : len(series) - back + 3].max()
        held.append(came <= fitted.peak(3, (0.95,)).values[0])
    assert 0.85 <= np.mean(held) <= 1.0


def test_a_step_that_divides_no_hour_is_read_in_a_longer_one(hourly: Series) -> None:
    assert Forecaster().fit(finer(hourly, 300, 0.05).resample(420)).step_s == 450


def test_less_than_an_hour_and_silence(hourly: Series) -> None:
    series = finer(hourly, 300, 0.05)
    few = Forecaster().fit(series.between(series.start_s, series.start_s + 25 * 60))
    assert np.isfinite(few.quantiles(24, (0.5, 0.99))).all()
    silent = Forecaster().fit(series, now_s=series.end_s + 5 * HOUR_S)
    assert silent.start_s == series.end_s + 5 * HOUR_S
    assert np.isfinite(silent.quantiles(12, (0.5, 0.99))).all()
