"""A forecast that does not keep its word is widened until it does, no further and no longer than its record asks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting import Forecaster, Series
from forecasting.models.transform import Transform
from forecasting.track_record import REMEMBERED_S, WIDEST, WINDOW_S, Outcome, Said, TrackRecord
from tests.forecasting.conftest import HOUR_S, MONDAY_S, weekly_traffic

MIDDLE, HIGH = 100.0, 130.0
_LOGARITHM = Transform(1e-9)
stretches = st.lists(st.floats(-2.0, 6.0), min_size=1, max_size=120)


def lived(stretched: list[float], record: TrackRecord | None = None, first: int = 0) -> TrackRecord:
    """Return the record after windows whose peaks came so many times as far from the middle as the p99."""
    record = record or TrackRecord()
    for i, stretch in enumerate(stretched, start=first):
        from_s = float(MONDAY_S + i * WINDOW_S)
        said = Said(from_s, from_s + WINDOW_S, HOUR_S, MIDDLE, HIGH, 90.0, _LOGARITHM)
        peak = MIDDLE * (HIGH / MIDDLE) ** stretch
        came = Series(int(from_s), HOUR_S, np.full(6, peak))
        record = replace(record, waiting=said).judged(came)
    return record


@given(stretches)
def test_it_is_never_narrowed_nor_widened_beyond_the_bound(stretched: list[float]) -> None:
    record = lived(stretched)
    assert 1.0 <= record.width <= WIDEST
    assert record.is_failing or (record.width == 1.0 and not record.gives_way)
    assert record.misses == sum(s > 1 for s in record.stretches)


@given(stretches)
def test_as_wide_as_it_is_it_would_have_kept_its_word(stretched: list[float]) -> None:
    record = lived(stretched)
    missed = sum(stretch > record.width * (1 + 1e-9) for stretch in record.stretches)
    assert record.gives_way or not record.is_failing or missed <= len(record.outcomes) / 100


@given(stretches, st.floats(1.0, 2.0))
def test_who_missed_by_more_is_not_trusted_more(stretched: list[float], further: float) -> None:
    less, more = lived(stretched), lived([s * further if s > 1 else s for s in stretched])
    assert more.width >= less.width * (1 - 1e-9)
    assert more.gives_way or not less.gives_way


@given(stretches)
def test_it_comes_back_when_it_has_held_for_four_weeks(stretched: list[float]) -> None:
    weeks = REMEMBERED_S // WINDOW_S
    record = lived([0.5] * weeks, lived(stretched), len(stretched))
    assert len(record.outcomes) == weeks
    assert (record.is_failing, record.width, record.gives_way) == (False, 1.0, False)


def test_a_forecast_that_keeps_its_word_is_seldom_widened() -> None:
    """Over a year each, in which it is looked at 1,460 times."""
    random = np.random.default_rng(1)
    failing = np.array([_failing(np.where(random.random(1460) > 0.99, 1.5, 0.5).tolist()) for _ in range(12)])
    assert failing.any(axis=1).mean() < 0.5
    assert failing.mean() < 0.03


def _failing(stretched: list[float]) -> list[bool]:
    record, found = TrackRecord(), []
    for i, stretch in enumerate(stretched):
        record = lived([stretch], record, i)
        found.append(record.is_failing)
    return found


@pytest.mark.parametrize("narrow", [1.5, 2.0, 2.5])
def test_one_whose_errors_are_too_narrow_is_found_out_within_weeks_and_holds_then(narrow: float) -> None:
    """Normal errors, said to be so many times smaller than they are."""
    sizes = np.random.default_rng(3).standard_normal(1460) * narrow / 2.3263
    record, held, widened = TrackRecord(), [], []
    for i, stretch in enumerate(sizes.tolist()):
        held.append(stretch <= record.width)
        widened.append(record.width > 1)
        record = lived([stretch], record, i)
    assert np.argmax(widened) < 120
    assert np.mean(sizes <= 1) < 0.95
    assert np.mean(held[112:]) > 0.975


def test_threefold_is_the_widest_and_then_it_gives_way() -> None:
    record = lived([0.5] * 20 + [9.0] * 4)
    assert record.width == WIDEST
    assert record.gives_way
    assert "no less is planned for than the load now" in str(record)


def test_what_it_says_of_itself() -> None:
    record = lived([0.0] * 40)
    assert record.held == 1.0
    assert record.bias == pytest.approx(0.0)
    assert record.skill == pytest.approx(1.0)
    assert "p99 held in 40 of 40" in str(record)
    assert str(TrackRecord()) == ""
    assert np.isnan(TrackRecord().held)
    worse = lived([2.0] * 3 + [0.0] * 25)
    assert worse.is_failing
    assert "p99 held in 25 of 28" in str(worse)
    assert f"widened {worse.width:.2g} times" in str(worse)


def test_it_is_kept_over_the_forecasts_of_a_fortnight_and_looks_at_nothing_later() -> None:
    series = Series(MONDAY_S, HOUR_S, weekly_traffic(4))
    forecaster, record = Forecaster(horizon_s=7 * HOUR_S), TrackRecord()
    for hours in range(10 * 24, 24 * 24):
        history = series.until(MONDAY_S + hours * HOUR_S)
        if record.waiting is None or history.end_s >= record.waiting.until_s:
            record = record.judged(history).saying(forecaster.fit(history), history)
            assert record.waiting is not None
            assert record.waiting.from_s == history.end_s
    assert len(record.outcomes) == 14 * 4 - 1
    for one in record.outcomes:
        first = int((one.said.from_s - MONDAY_S) // HOUR_S)
        assert one.peak == series.values[first : first + 6].max()
        assert one.said.naive == series.values[first - 168 : first - 162].max()
    assert record.held > 0.9
    assert abs(record.bias) < 0.1
    assert not record.is_failing


def test_windows_that_nobody_measured_are_not_judged() -> None:
    said = Said(MONDAY_S, MONDAY_S + WINDOW_S, HOUR_S, MIDDLE, HIGH, np.nan, _LOGARITHM)
    waiting = TrackRecord(said)
    assert waiting.judged(Series(MONDAY_S, HOUR_S, np.full(5, 500.0))) is waiting  # not over
    holes = np.array([500.0, np.nan, np.nan, 500.0, 500.0, 500.0])
    judged = waiting.judged(Series(MONDAY_S, HOUR_S, holes))
    assert (judged.waiting, judged.outcomes) == (None, ())


def test_a_miss_is_one_in_the_series_own_unit() -> None:
    said = Said(0, WINDOW_S, HOUR_S, 2.0, 2.0, np.nan, Transform(1.0))
    assert Outcome.of(said, 2.0).stretch == 1.0
    assert Outcome.of(said, 2.5).stretch == np.inf
    assert Outcome.of(replace(said, high=3.0), 2.0).stretch == 0.0
    assert Outcome.of(replace(said, high=3.0), 4.0).stretch > 1
