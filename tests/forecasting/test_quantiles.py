"""Quantiles of paths: those of the samples below, of a tail laid through all samples above."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.quantiles import predictive_quantiles, weighted_quantiles

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


@given(st.integers(0, 1000), st.integers(1, 200), st.floats(1.0, 30.0))
def test_order_and_body_are_kept_whatever_the_samples(seed: int, count: int, alike: float) -> None:
    random = np.random.default_rng(seed)
    samples, weights = random.lognormal(size=count), random.uniform(0.1, 1, count)
    found = predictive_quantiles(samples, weights, LEVELS, alike)
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose(found[:2], weighted_quantiles(samples, weights, LEVELS)[:2], rtol=1e-9)


@given(st.floats(0.001, 1000), st.floats(-5, 5))
def test_units_do_not_matter(scale: float, shift: float) -> None:
    samples, weights = np.random.default_rng(1).standard_normal(80), np.ones(80)
    found = predictive_quantiles(samples, weights, LEVELS, 1.0)
    moved = predictive_quantiles(scale * samples + shift, weights, LEVELS, 1.0)
    np.testing.assert_allclose(moved, scale * found + shift, rtol=1e-9, atol=1e-9)


def test_columns_are_answered_each_for_itself() -> None:
    samples, weights = np.random.default_rng(2).gamma(2, size=(60, 5)), np.linspace(0.1, 1, 60)
    together = predictive_quantiles(samples, weights, LEVELS, 3.0)
    alone = [predictive_quantiles(column, weights, LEVELS, 3.0) for column in samples.T]
    np.testing.assert_allclose(together, np.stack(alone, axis=1))


def test_samples_that_are_all_the_same_have_no_tail() -> None:
    assert predictive_quantiles(np.full(20, 7.0), np.ones(20), LEVELS, 1.0).tolist() == [7.0] * 5


def test_the_more_samples_are_alike_the_wider_the_tail() -> None:
    samples, weights = np.random.default_rng(3).standard_normal(300), np.ones(300)
    wide = [predictive_quantiles(samples, weights, (0.99,), alike)[0] for alike in (1, 4, 12)]
    assert wide[0] < wide[1] < wide[2]


@pytest.mark.parametrize("count", [30, 60, 200])
@pytest.mark.parametrize("draw", ["standard_normal", "standard_exponential"])
def test_the_next_sample_keeps_to_q99_as_often_as_said(count: int, draw: str) -> None:
    random = np.random.default_rng(count)
    drawn = getattr(random, draw)((4000, count + 1))
    held, plain = [], []
    for row in drawn:
        held.append(row[-1] <= predictive_quantiles(row[:-1], np.ones(count), (0.99,), 1.0)[0])
        plain.append(row[-1] <= weighted_quantiles(row[:-1], np.ones(count), (0.99,))[0])
    assert np.mean(held) == pytest.approx(0.99, abs=0.006)
    assert np.mean(plain) < np.mean(held)


def test_a_record_that_did_not_keep_to_the_law_widens_it() -> None:
    """Six of two hundred far out are what one in a hundred must expect; one of them is not."""
    samples, weights = np.linspace(0, 1, 200), np.ones(200)
    often, once = samples.copy(), samples.copy()
    often[-6:], once[-1:] = 10.0, 10.0
    assert 7.0 < predictive_quantiles(often, weights, (0.99,), 1.0)[0] < 10.0
    assert predictive_quantiles(once, weights, (0.99,), 1.0)[0] < 2.0
