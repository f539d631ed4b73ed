"""Promises of traffic that differs from the recorded means: what is seen of it, and how much it varies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.series import Series
from scheduler.config.scenario import Noise
from scheduler.telemetry.replay import ReplayTraffic
from simulations.noise import NoisyTraffic

HOUR_S = 3600.0
BEGINS_S = 48 * HOUR_S
HOURS = 24 * 9
RATES = 20.0 + 10.0 * np.sin(np.arange(HOURS) / 4.0)


def recorded(step_s: int = 3600, values: np.ndarray | None = None) -> ReplayTraffic:
    return ReplayTraffic(Series(0, step_s, RATES if values is None else values))


def noisy(seed: int = 1, begins_s: float = BEGINS_S, **noise: object) -> NoisyTraffic:
    return NoisyTraffic(recorded(), Noise.model_validate(noise), begins_s, seed, "wiki")


def test_the_past_is_as_recorded_and_the_rest_as_counted() -> None:
    seen = noisy().read(BEGINS_S + 10 * HOUR_S).series.values
    assert seen[:48].tolist() == RATES[:48].tolist()
    assert (seen[48:] != RATES[48:58]).all()
    assert seen[48:] == pytest.approx(RATES[48:58], rel=0.1)
    assert (seen[48:] * 3600 == np.round(seen[48:] * 3600)).all() or seen[48:] * 3600 == pytest.approx(
        np.round(seen[48:] * 3600)
    ), "whole requests"


def test_nothing_of_the_present_minute_is_seen_and_its_rate_is_that_of_the_last() -> None:
    source = noisy()
    at_s = BEGINS_S + 5 * HOUR_S + 30.0
    early, late = source.read(at_s), source.read(at_s + 29.0)
    assert (early.latest_rps, early.latest_at_s) == (late.latest_rps, late.latest_at_s)
    assert early.latest_at_s == BEGINS_S + 5 * HOUR_S
    assert source.read(at_s + 30.0).latest_at_s == BEGINS_S + 5 * HOUR_S + 60.0
    assert early.latest_rps * 60 == pytest.approx(round(early.latest_rps * 60))
    assert len(early.series.values) == 53


def test_finer_bins_than_were_recorded_have_the_same_load_and_as_much_noise_before_as_after() -> None:
    finer = noisy(spread=0.1, lasts=600, shown=600).read(BEGINS_S + 96 * HOUR_S).series
    assert (finer.step_s, len(finer.values)) == (600, 144 * 6)
    lines = recorded().rates_at((np.arange(len(finer.values)) + 0.5) * 600)
    off = finer.values / lines - 1
    before, after = off[: 48 * 6], off[48 * 6 :]
    assert before.std() == pytest.approx(after.std(), rel=0.25)
    assert abs(before.mean()) < 0.02
    assert noisy(shown=2500).read(BEGINS_S).series.step_s == 3600, "it does not divide an hour"


def test_without_noise_the_means_are_seen() -> None:
    source = noisy(poisson=False)
    shown = source.read(BEGINS_S + 2 * HOUR_S + 1800.0)
    assert shown.latest_rps == pytest.approx(float(source.load(np.array(shown.latest_at_s - 30.0))))
    assert shown.series.values == pytest.approx(RATES[:50], rel=0.01)


@given(
    seed=st.integers(0, 100),
    minutes=st.lists(st.integers(-600, 10_000), min_size=1, max_size=8),
    spread=st.floats(0, 1),
    poisson=st.booleans(),
)
def test_whenever_it_is_asked_it_says_the_same(seed: int, minutes: list[int], spread: float, *, poisson: bool) -> None:
    """And nothing that is asked for between changes what comes."""
    often, once = (noisy(seed, spread=spread, poisson=poisson) for _ in range(2))
    for minute in sorted(minutes):
        found = often.read(BEGINS_S + minute * 60.0)
    last = once.read(BEGINS_S + max(minutes) * 60.0)
    assert np.array_equal(found.series.values, last.series.values)
    assert np.array_equal(found.latest_rps, last.latest_rps, equal_nan=True)
    assert found.latest_at_s == last.latest_at_s
    at_s = BEGINS_S + np.array(minutes) * 60.0
    assert often.load(at_s).tolist() == once.load(at_s).tolist()


def test_what_is_counted_is_what_came() -> None:
    """The counts of each hour add up to its bin, and come from the load of that hour."""
    source = noisy(spread=0.5)
    minutes = [source.read(BEGINS_S + 60.0 * minute).latest_rps * 60.0 for minute in range(1, 61)]
    (counted,) = source.read(BEGINS_S + HOUR_S).series.values[48:]
    assert sum(minutes) == pytest.approx(counted * 3600.0)
    expected = source.load(BEGINS_S + 60.0 * np.arange(60) + 30.0) * 60.0
    assert np.corrcoef(minutes, expected)[0, 1] > 0.9
    assert abs(sum(minutes) - expected.sum()) < 5 * math.sqrt(expected.sum())


@pytest.mark.parametrize(("spread", "lasts"), [(0.1, "1m"), (0.5, "1m"), (1.0, "10m")])
def test_the_load_varies_as_much_and_for_as_long_as_is_said(spread: float, lasts: str) -> None:
    source = NoisyTraffic(
        recorded(values=np.full(HOURS, 20.0)), Noise.model_validate({"spread": spread, "lasts": lasts}), 0.0, 1, "w"
    )
    minutes = np.arange(HOURS * 60) * 60.0 + 30.0
    load = source.load(minutes)
    assert load.mean() == pytest.approx(20.0, rel=0.1)
    assert load.std() / load.mean() == pytest.approx(spread, rel=0.1)
    assert load.min() >= 0.0
    changes = np.flatnonzero(np.diff(load)) + 1
    assert np.diff(changes).min() == (1 if lasts == "1m" else 10)


def test_counts_have_the_variance_of_their_kind() -> None:
    flat = recorded(60, np.full(HOURS * 60, 10.0))
    for spread in (0.0, 0.2):
        source = NoisyTraffic(flat, Noise(spread=spread), 0.0, 3, "w")
        counts = source.read(HOURS * HOUR_S).series.values * 60.0
        assert counts.mean() == pytest.approx(600.0, rel=0.01)
        assert counts.var() == pytest.approx(600.0 + (spread * 600.0) ** 2, rel=0.1)


def test_other_seeds_and_sources_have_other_traffic() -> None:
    other = NoisyTraffic(recorded(), Noise(), BEGINS_S, 1, "other")
    one, again, two, third = (
        source.read(BEGINS_S + HOUR_S).series.values[-1] for source in (noisy(1), noisy(1), noisy(2), other)
    )
    assert one == again
    assert len({one, two, third}) == 3


def test_hours_that_are_missing_stay_missing_and_after_the_end_nothing_is_known() -> None:
    values = RATES.copy()
    values[50] = np.nan
    source = NoisyTraffic(recorded(values=values), Noise(), BEGINS_S, 1, "wiki")
    assert np.isnan(source.read(BEGINS_S + 5 * HOUR_S).series.values[50])
    assert math.isnan(source.read(HOURS * HOUR_S + 60.0).latest_rps)
