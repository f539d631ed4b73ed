"""The chance that is left in a forecast's shape does not raise the peaks of its paths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.models import peak_bias

DAY, ROWS, LEADS = 24, 300, 48


def world(seed: int, chance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (rows, leads) forecasts, of which `chance` is how far they are off, errors and what came."""
    random = np.random.default_rng(seed)
    truth = 0.3 * np.sin(2 * np.pi * np.arange(LEADS) / DAY)
    said = truth + chance * random.standard_normal((ROWS, LEADS))
    came = truth + 0.02 * random.standard_normal((ROWS, LEADS))
    return said, came - said, came


@pytest.mark.parametrize("chance", [0.02, 0.05])
def test_peaks_of_paths_are_no_higher_than_those_that_come(chance: float) -> None:
    said, errors, came = world(1, chance)
    plain, calm = [], []
    for row in range(0, ROWS, 10):
        centre, kept = peak_bias.calmed(said[row], errors, came, np.ones(ROWS), DAY)
        plain.append((said[row] + errors).max(axis=1).mean())
        calm.append((centre + kept).max(axis=1).mean())
    real = came.max(axis=1).mean()
    assert np.mean(calm) - real < 0.6 * (np.mean(plain) - real)


@given(st.integers(0, 1000), st.floats(0.0, 0.1))
def test_errors_never_grow(seed: int, chance: float) -> None:
    _, errors, came = world(seed, chance)
    _, kept = peak_bias.calmed(came[0] - errors[0], errors, came, np.ones(ROWS), DAY)
    near = slice(0, DAY)
    assert (kept[:, near] ** 2).sum() <= (errors[:, near] ** 2).sum() * (1 + 1e-9)


def test_a_forecast_that_ripples_as_traffic_does_is_left_alone() -> None:
    random = np.random.default_rng(2)
    said = random.standard_normal((ROWS, LEADS))
    errors = random.standard_normal((ROWS, LEADS))
    centre, kept = peak_bias.calmed(said[0], errors, said + errors, np.ones(ROWS), DAY)
    np.testing.assert_allclose(centre, said[0], atol=0.1)
    np.testing.assert_allclose(kept, errors, atol=0.1)


def test_what_is_still_to_come_stays_unknown_and_teaches_nothing() -> None:
    _, errors, came = world(3, 0.05)
    errors[-5:, 10:] = came[-5:, 10:] = np.nan
    centre, kept = peak_bias.calmed(came[0], errors, came, np.ones(ROWS), DAY)
    assert not np.isnan(centre).any()
    assert (np.isnan(kept) == np.isnan(errors)).all()


def test_one_lead_and_a_perfect_past_are_survived() -> None:
    centre, errors = peak_bias.calmed(np.ones(1), np.zeros((3, 1)), np.ones((3, 1)), np.ones(3), DAY)
    assert centre.tolist() == [1.0]
    assert not errors.any()
