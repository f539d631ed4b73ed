"""The parts of the ensemble, each on arrays of its own: smoothing, who is listened to, and the size of errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.models import smoothing, stacking, volatility
from forecasting.models.origins import Origins

PACES = (smoothing.QUICK, smoothing.STEADY)


def periodic(day: int, weeks: int) -> np.ndarray:
    """Return a week of chance numbers, repeated."""
    return np.resize(np.random.default_rng(day).standard_normal(7 * day), 7 * day * weeks)


def moments(count: int, day: int) -> Origins:
    """Return the moments of a series from its fourth week on."""
    return Origins.until_now(count, 3 * 7 * day + day, day, 7 * day)


@pytest.mark.parametrize("day", [1, 2, 4, 24])
@pytest.mark.parametrize("pace", PACES)
def test_smoothing_knows_a_week_that_repeats(day: int, pace: smoothing.Pace) -> None:
    values = periodic(day, 8)
    fitted = smoothing.fit(values, moments(len(values), day), day, 9 * day, pace)
    np.testing.assert_allclose(fitted.centre, np.resize(values[: 7 * day], 9 * day), atol=1e-9)
    assert np.nanmax(np.abs(fitted.errors)) < 1e-9


@pytest.mark.parametrize("pace", PACES)
def test_smoothing_follows_a_new_level_sooner_or_later(pace: smoothing.Pace) -> None:
    values = periodic(24, 16)
    values[12 * 168 :] += 1.0
    fitted = smoothing.fit(values, moments(len(values), 24), 24, 168, pace)
    np.testing.assert_allclose(fitted.centre - values[:168], 1.0, atol=0.35)
    first = smoothing.fit(values[: 12 * 168 + 3], moments(12 * 168 + 3, 24), 24, 24, pace)
    assert first.centre[0] - values[3] > 0.5


@pytest.mark.parametrize("day", [1, 2, 3, 4, 6, 8, 12, 24])
@pytest.mark.parametrize("pace", PACES)
def test_smoothing_is_stable_at_every_step(day: int, pace: smoothing.Pace) -> None:
    values = np.random.default_rng(1).standard_normal(7 * day * 60)
    fitted = smoothing.fit(values, moments(len(values), day), day, 7 * day, pace)
    assert np.nanmax(np.abs(fitted.errors)) < 15
    assert np.nanstd(fitted.errors[-100:]) < 3


def test_smoothing_looks_at_nothing_later() -> None:
    values = np.random.default_rng(2).standard_normal(168 * 8)
    whole = moments(len(values), 24)
    errors = smoothing.fit(values, whole, 24, 24, smoothing.QUICK).errors
    row = len(whole.at) - 40
    end = whole.at[row] + 1
    earlier = smoothing.fit(values[:end], moments(end, 24), 24, 24, smoothing.QUICK)
    np.testing.assert_allclose(values[end : end + 24] - earlier.centre, errors[row], atol=1e-12)


@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_shares_are_shares_and_miss_least(members: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    root = random.standard_normal((members, 30)) * random.lognormal(size=(members, 1))
    products, usual = root @ root.T, random.dirichlet(np.ones(members))
    found = stacking.best(products, usual)
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    pull = stacking._TRUST_IN_USUAL * np.trace(products) / members

    def missed(share: np.ndarray) -> float:
        return float(share @ products @ share + pull * ((share - usual) ** 2).sum())

    assert missed(found) <= missed(usual) + 1e-9
    for other in random.dirichlet(np.ones(members), 20):
        assert missed(found) <= 1.1 * missed(other)


def test_the_better_member_is_listened_to_where_it_is_better() -> None:
    random = np.random.default_rng(3)
    errors = random.standard_normal((2, 200, 48))
    errors[0, :, 24:] *= 5
    errors[1, :, :24] *= 5
    errors[:, -1, :] = np.nan
    share = stacking.shares(errors, np.ones(200), np.array([0.5, 0.5]), 24)
    assert share.shape == (2, 48)
    np.testing.assert_allclose(share.sum(axis=0), 1.0)
    assert (share[0, :24] > 0.6).all()
    assert (share[1, 24:] > 0.6).all()


def test_without_errors_the_usual_shares_hold() -> None:
    usual = np.array([0.7, 0.3])
    assert stacking.shares(np.zeros((2, 5, 3)), np.ones(5), usual, 24)[:, 0].tolist() == usual.tolist()


def test_errors_of_a_disturbed_time_shrink_in_a_calm_one_and_the_other_way_round() -> None:
    ages = np.arange(60, -1, -1.0)
    errors = np.random.default_rng(4).standard_normal((61, 48))
    errors[-1] = np.nan
    calm, wild = errors.copy(), errors.copy()
    calm[:30] *= 4
    wild[30:] *= 4
    assert np.nanstd(volatility.adjusted(calm, ages, 24)[10:30, :24]) < 0.55 * np.nanstd(calm[10:30, :24])
    assert np.nanstd(volatility.adjusted(wild, ages, 24)[:30, :24]) > 1.7 * np.nanstd(wild[:30, :24])
    late = volatility.adjusted(np.repeat(calm, 10, axis=1), ages, 24)
    assert np.nanstd(late[10:30, -24:]) == pytest.approx(np.nanstd(np.repeat(calm, 10, axis=1)[10:30, -24:]), rel=0.15)


@given(st.floats(1e-6, 1e6), st.integers(0, 100))
def test_sizes_are_relative(scale: float, seed: int) -> None:
    errors = np.random.default_rng(seed).standard_normal((20, 30))
    errors[-2:, 5:] = np.nan
    ages = np.arange(19, -1, -1.0)
    one, other = volatility.adjusted(errors, ages, 24), volatility.adjusted(scale * errors, ages, 24)
    np.testing.assert_allclose(other, scale * one, rtol=1e-6)
    assert (np.isnan(one) == np.isnan(errors)).all()
    assert (np.sign(one[:-2]) == np.sign(errors[:-2])).all()


def test_errors_that_never_were_stay_as_they_are() -> None:
    nothing, unknown = np.zeros((5, 24)), np.full((5, 24), np.nan)
    assert (volatility.adjusted(nothing, np.arange(5.0)[::-1], 24) == 0).all()
    assert np.isnan(volatility.adjusted(unknown, np.arange(5.0)[::-1], 24)).all()
