"""Joint paths: a source alone keeps its own quantiles, errors of one moment stay together, and the sum is covered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.fitted import Fitted
from forecasting.joint import joint_paths
from forecasting.reading import read_series

HOUR_S, DAY_S = 3600, 86400
MONDAY_S = 1325462400
QS = (0.5, 0.9, 0.95, 0.99, 0.995)


def traffic(seed: int, weeks: int = 12) -> Series:
    random, hours = np.random.default_rng(seed), np.arange(weeks * 168)
    noise = np.convolve(random.standard_normal(len(hours) + 11), np.full(12, 0.1), "valid")
    return Series(MONDAY_S, HOUR_S, 100 * np.exp(0.5 * np.sin(2 * np.pi * hours / 24) + 0.5 * noise))


def last(series: Series, hours: int) -> Series:
    return series.between(series.end_s - hours * HOUR_S, series.end_s)


def joint_quantiles(forecasts: list[Fitted], bins: int, n: int = 8192) -> np.ndarray:
    """Return quantiles of the highest bin of the sum."""
    total = np.sum(joint_paths(forecasts, [bins] * len(forecasts), n, seed=3), axis=0)
    return np.quantile(total.max(axis=1), QS)


@pytest.mark.parametrize("hours", [2, 48, 7 * 168, 12 * 168])
@pytest.mark.parametrize("bins", [1, 6, 24])
def test_of_one_source_the_joint_peak_is_its_own(hours: int, bins: int) -> None:
    fitted = Forecaster(horizon_s=DAY_S).fit(last(traffic(0), hours))
    own = np.array(fitted.peak(bins, QS).values)
    np.testing.assert_allclose(joint_quantiles([fitted], bins), own, rtol=0.01)


def test_paths_go_beyond_the_highest_sample_as_the_law_says() -> None:
    fitted = Forecaster(horizon_s=DAY_S).fit(traffic(1))
    samples, _ = fitted.weighted(24)
    (drawn,) = joint_paths([fitted], [24], 8192)
    assert drawn.max() > 1.02 * samples.max()
    rare = fitted.peak(24, (0.999,)).values[0]
    assert np.mean(drawn.max(axis=1) > rare) == pytest.approx(0.001, abs=0.0007)


@pytest.mark.parametrize("hours", [12 * 168, 7 * 168])
def test_what_rises_as_one_saves_nothing_however_long_each_was_measured(hours: int) -> None:
    """The same traffic twice, the second known for a shorter time: errors are paired by their moment."""
    longer, shorter = (Forecaster(horizon_s=DAY_S).fit(last(traffic(2), h)) for h in (12 * 168, hours))
    one, other = (paths.max(axis=1) for paths in joint_paths([longer, shorter], [24, 24], 4096))
    assert np.corrcoef(one, other)[0, 1] > 0.6
    apart = np.array(longer.peak(24, QS).values) + np.array(shorter.peak(24, QS).values)
    assert joint_quantiles([longer, shorter], 24)[3] > 0.95 * apart[3]


def test_an_hour_between_the_ends_of_two_sources_does_not_part_them() -> None:
    series = traffic(3)
    early, late = (Forecaster(horizon_s=DAY_S).fit(s) for s in (series.until(series.end_s - HOUR_S), series))
    one, other = (paths.max(axis=1) for paths in joint_paths([early, late], [24, 24], 4096))
    assert np.corrcoef(one, other)[0, 1] > 0.5


def test_what_errs_apart_needs_less_together() -> None:
    """Four alike: their sum swings half as much as if they rose as one."""
    forecasts = [Forecaster(horizon_s=DAY_S).fit(traffic(seed)) for seed in range(4, 8)]
    apart = np.sum([one.peak(24, QS).values for one in forecasts], axis=0)
    joint = joint_quantiles(forecasts, 24)
    assert joint[3] < 0.95 * apart[3]
    assert joint[3] > max(one.peak(24, (0.99,)).values[0] for one in forecasts)


def test_models_without_history_are_taken_to_swing_together() -> None:
    new = [Forecaster(horizon_s=DAY_S).fit(last(traffic(seed), 3)) for seed in (8, 9)]
    apart = np.sum([one.peak(24, QS).values for one in new], axis=0)
    assert joint_quantiles(new, 24)[3] == pytest.approx(apart[3], rel=0.03)


def test_equal_seeds_give_equal_paths() -> None:
    forecasts = [Forecaster(horizon_s=DAY_S).fit(traffic(seed)) for seed in (10, 11)]
    one, again = (joint_paths(forecasts, [24, 6], 64, seed=5) for _ in range(2))
    assert [paths.shape for paths in one] == [(64, 24), (64, 6)]
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_joint_peak_of_two_wikipedias_is_covered(data: Path) -> None:
    """German and English of 2012 in equal parts, a day ahead; German is known for five weeks less."""
    folder = data / "wikipedia"
    german = read_series(folder / "dewiki_hourly_2012.csv.gz", zone="Europe/Berlin")
    english = read_series(folder / "enwiki_hourly_2010_2013.csv.gz").until(german.end_s)
    parts = [replace(one, values=one.values / np.nanmean(one.values)) for one in (german, english)]
    held = []
    for origin_s in range(german.start_s + 9 * 7 * DAY_S, german.end_s - DAY_S, 127 * HOUR_S):
        known = (parts[0].until(origin_s), parts[1].between(origin_s - 14 * 7 * DAY_S, origin_s))
        quantiles = joint_quantiles([Forecaster(horizon_s=DAY_S).fit(one) for one in known], 24, 2048)
        came = np.sum([one.between(origin_s, origin_s + DAY_S).values for one in parts], axis=0).max()
        held.append(came <= quantiles)
    share = np.mean(held, axis=0)
    assert len(held) > 40
    assert 0.3 < share[0] < 0.75
    assert 0.8 < share[1] <= 1.0
    assert share[3] >= 0.95
