"""Requests that come now and then: whole ones, covered, and not far from what is true."""

import numpy as np
import pytest

from forecasting import Forecaster, Series
from forecasting.models import sparse
from forecasting.models.transform import Transform
from tests.forecasting.conftest import HOUR_S, MONDAY_S

DAY_S = 86400
BINS = 12 * 168


@pytest.mark.parametrize("mean", [0.01, 0.05, 0.1, 0.3])
def test_the_p99_of_a_day_holds_and_is_the_true_one_or_one_more(mean: float) -> None:
    counts = np.random.default_rng(7).poisson(mean, BINS).astype(float)
    true = np.quantile(np.random.default_rng(8).poisson(mean, (20_000, 24)).max(axis=1), 0.99)
    held, said = [], []
    for back in range(24, 24 * 40, 25):
        fitted = Forecaster().fit(Series(MONDAY_S, HOUR_S, counts[: BINS - back] / HOUR_S))
        windows = [fitted.peak(window, (0.99,)).values[0] * HOUR_S for window in (1, 6, 24, 168)]
        assert windows == sorted(windows)
        assert windows == pytest.approx(np.round(windows))
        said.append(windows[2])
        held.append(counts[BINS - back : BINS - back + 24].max() <= windows[2] + 1e-9)
    assert np.mean(held) >= 0.97
    assert true - 0.1 <= np.mean(said) <= true + 1


def test_requests_that_come_in_crowds_are_covered_too() -> None:
    random = np.random.default_rng(5)
    counts = random.poisson(0.02, BINS) * random.poisson(6, BINS).astype(float)
    held = []
    for back in range(24, 24 * 40, 25):
        fitted = Forecaster().fit(Series(MONDAY_S, HOUR_S, counts[: BINS - back]))
        held.append(counts[BINS - back : BINS - back + 24].max() <= fitted.peak(24, (0.99,)).values[0])
    assert np.mean(held) >= 0.94


def test_a_time_of_day_shows_as_far_as_there_are_requests() -> None:
    hours = np.arange(BINS)
    counts = np.random.default_rng(2).poisson(np.where(hours % 24 == 9, 1.5, 0.01)).astype(float)
    fitted = Forecaster().fit(Series(MONDAY_S, HOUR_S, counts))
    high = fitted.quantiles(24, (0.9,))[0]
    assert (fitted.start_s // HOUR_S + high.argmax()) % 24 == 9
    assert high.max() >= 2
    assert not np.signbit(high).any(), "nobody is told of -0 requests"
    assert np.median(high) == 0


@pytest.mark.parametrize("step_s", [60, 300])
def test_in_fine_steps_one_request_is_one_request(step_s: int) -> None:
    counts = np.random.default_rng(7).poisson(0.05 * step_s / HOUR_S, 21 * DAY_S // step_s)
    fitted = Forecaster(horizon_s=DAY_S).fit(Series(MONDAY_S, step_s, counts / step_s))
    assert fitted.step_s == step_s
    assert fitted.peak(DAY_S // step_s, (0.99,)).values[0] * step_s in (pytest.approx(1), pytest.approx(2))


def test_what_is_counted_and_what_is_not() -> None:
    random = np.random.default_rng(1)
    assert sparse.unit(random.poisson(0.1, 500) / 60) == pytest.approx(1 / 60)
    assert sparse.unit(random.poisson(3.0, 500) / 60) == 0
    assert sparse.unit(np.where(random.random(500) < 0.1, random.random(500), 0.0)) == 0
    assert sparse.unit(np.zeros(5)) == 0
    thinned = np.where(np.arange(500) < 60, 0.1, 1.0) * random.poisson(0.2, 500)
    assert sparse.unit(thinned) == 1


def test_paths_are_whole_requests_and_equal_for_equal_series() -> None:
    counts = np.random.default_rng(7).poisson(0.1, 500).astype(float)
    places, transform = np.arange(500), Transform.fitted(counts)
    one, other = (sparse.forecast(counts, places, np.arange(500, 548), 24, transform) for _ in range(2))
    np.testing.assert_array_equal(one.errors, other.errors)
    paths = transform.inverse(one.paths(48)[0])
    np.testing.assert_allclose(paths, np.round(paths), atol=1e-6)
