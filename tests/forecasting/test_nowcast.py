"""The next hours from the last minutes: known curves, noise, outliers, and nothing from later."""

import numpy as np
import pytest

from forecasting.models import nowcast

PER_HOUR = 12
DAY = 24 * PER_HOUR


def curve(days: int, noise: float, seed: int = 0) -> np.ndarray:
    """Return a day's swing with a slow drift, and independent noise in each bin."""
    random = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    drift = np.cumsum(random.standard_normal(days * DAY)) * 0.003
    return 0.6 * np.sin(2 * np.pi * t / DAY) + drift + noise * random.standard_normal(len(t))


def error(noise: float, days: int, rule: str = "") -> float:
    """Return the root mean square error of the next quarter of an hour, by the member or by a plain rule."""
    whole, missed = curve(days, noise), []
    for end in range(len(whole) - 6 * DAY, len(whole) - 3, 101):
        known = whole[:end]
        if rule == "last":
            said = np.full(3, known[-1])
        elif rule == "mean of an hour":
            said = np.full(3, known[-PER_HOUR:].mean())
        else:
            fitted = nowcast.fit(known, PER_HOUR, 3)
            assert fitted is not None
            said = fitted.centre
        missed.append(whole[end : end + 3] - said)
    return float(np.sqrt(np.mean(np.square(missed))))


@pytest.mark.parametrize("noise", [0.003, 0.03, 0.15])
def test_it_beats_the_last_value_and_the_last_hour_however_much_noise_there_is(noise: float) -> None:
    own = error(noise, 40)
    assert own < error(noise, 40, "last")
    assert own < error(noise, 40, "mean of an hour")


def test_little_history_is_enough_and_less_is_refused() -> None:
    assert nowcast.fit(curve(3, 0.02), PER_HOUR, 3) is None
    assert error(0.02, 12) < error(0.02, 12, "mean of an hour")


def test_errors_are_as_large_as_the_noise_and_centred() -> None:
    fitted = nowcast.fit(curve(40, 0.05), PER_HOUR, 12)
    assert fitted is not None
    assert fitted.errors.shape[1] == 12
    assert not np.isnan(fitted.errors).any()
    assert fitted.errors[:, 0].std() == pytest.approx(0.055, rel=0.15)
    assert abs(fitted.errors.mean()) < 0.02


def test_a_crowd_weeks_ago_teaches_nothing() -> None:
    usual = curve(40, 0.02)
    crowded = usual.copy()
    crowded[-10 * DAY : -10 * DAY + 40] += 3.0
    one, other = nowcast.fit(usual, PER_HOUR, 6), nowcast.fit(crowded, PER_HOUR, 6)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(other.centre, one.centre, atol=0.05)
    assert np.abs(other.errors).max() < 1.0


def test_the_level_carries_through_and_what_comes_later_is_not_seen() -> None:
    values = curve(30, 0.02)
    known = nowcast.fit(values[:-50], PER_HOUR, 6)
    raised = nowcast.fit(values[:-50] + 5.0, PER_HOUR, 6)
    changed = values.copy()
    changed[-50:] += 1
    again = nowcast.fit(changed[:-50], PER_HOUR, 6)
    assert known is not None
    assert raised is not None
    assert again is not None
    np.testing.assert_allclose(raised.centre, known.centre + 5.0, atol=1e-3)
    np.testing.assert_array_equal(again.centre, known.centre)


@pytest.mark.parametrize("per_hour", [1, 2, 4, 60])
def test_every_step_has_its_answer(per_hour: int) -> None:
    values = np.sin(2 * np.pi * np.arange(40 * 24 * per_hour) / (24 * per_hour))
    fitted = nowcast.fit(values, per_hour, 2 * per_hour)
    assert fitted is not None
    ahead = np.sin(2 * np.pi * (40 * 24 * per_hour + np.arange(2 * per_hour)) / (24 * per_hour))
    np.testing.assert_allclose(fitted.centre, ahead, atol=0.03)
