"""Shares: learned from both, following a change, and as uncertain as they were in the past."""

import numpy as np
import pytest

from forecasting.series import Series
from forecasting.shares import Share, learn_share

HOUR_S = 3600
HOURS = np.arange(6 * 168)


def series(values: np.ndarray, start_s: int = 0, step_s: int = HOUR_S) -> Series:
    return Series(start_s, step_s, np.asarray(values, dtype=float))


SOURCE = 1000.0 * np.exp(0.5 * np.sin(2 * np.pi * HOURS / 24))


def test_a_steady_share_is_found_and_all_but_certain() -> None:
    share = learn_share(series(0.02 * SOURCE), series(SOURCE))
    assert share is not None
    assert share.middle == pytest.approx(0.02)
    assert share.spread < 1e-6
    assert share.history_s == len(HOURS) * HOUR_S


def test_a_change_of_share_is_followed_with_the_half_life() -> None:
    factor = np.where(HOURS[-1] - 7 * 24 <= HOURS, 0.04, 0.02)
    share = learn_share(series(factor * SOURCE), series(SOURCE))
    assert share is not None
    assert 0.029 < share.middle < 0.033
    assert share.spread > 0.2


@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_the_spread_is_that_of_single_bins(sigma: float) -> None:
    noise = np.exp(sigma * np.random.default_rng(1).standard_normal(len(HOURS)))
    share = learn_share(series(0.02 * SOURCE * noise), series(SOURCE))
    assert share is not None
    assert share.spread == pytest.approx(sigma, rel=0.2)


def test_nine_of_ten_bins_to_come_lie_within_the_band() -> None:
    random = np.random.default_rng(4)
    counts = random.poisson(0.003 * SOURCE * np.exp(0.15 * random.standard_normal(len(HOURS))))
    share = learn_share(series(counts[:-168]), series(SOURCE[:-168]))
    assert share is not None
    low, high = np.exp(np.array([-1.645, 1.645]) * share.spread) * share.middle
    came = counts[-168:] / SOURCE[-168:]
    assert 0.8 <= np.mean((came >= low) & (came <= high)) <= 0.97


def test_gaps_other_starts_and_other_steps_do_not_matter() -> None:
    own = 0.02 * SOURCE
    own[100:200] = np.nan
    fine = np.repeat(SOURCE, 4)
    share = learn_share(series(own[48:], 48 * HOUR_S), series(fine, 0, 900))
    assert share is not None
    assert share.middle == pytest.approx(0.02, rel=1e-6)


def test_nothing_measured_together_teaches_nothing() -> None:
    assert learn_share(series([1.0, 2.0]), series([3.0, 4.0])) is None
    assert learn_share(series(SOURCE), series(SOURCE, 10**9)) is None
    assert learn_share(series(0 * SOURCE), series(SOURCE)) is None
    assert learn_share(series(np.full(99, np.nan)), series(SOURCE)) is None
    assert learn_share(series(SOURCE), series(SOURCE, 1800)) is None


def test_draws_and_quantiles_agree() -> None:
    share, loads = Share(0.1, 0.2), np.linspace(90, 110, 200)
    drawn = np.outer(loads, share.draws(4000, 1)).ravel()
    for q in (0.5, 0.9, 0.99):
        assert share.quantiles_of(loads, (q,))[0] == pytest.approx(np.quantile(drawn, q), rel=0.03)
    assert (Share(0.1).draws(5, 1) == 0.1).all()
    np.testing.assert_array_equal(share.draws(9, 3), share.draws(9, 3))
