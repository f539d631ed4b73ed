"""What of a record is traffic, and where its own shape says that something failed."""

import numpy as np
import pytest

from forecasting.levels import levels_of
from forecasting.sifting import arrival_of, runs, sift
from tests.forecasting.conftest import HOUR_S, weekly_traffic


def test_an_ordinary_record_is_left_as_it_is() -> None:
    values = weekly_traffic(8)
    sifted = sift(values, HOUR_S)
    np.testing.assert_array_equal(sifted.values, values)
    assert sifted.begun == sifted.held_bins == 0
    assert not (sifted.outages | sifted.surges | sifted.beyond_belief).any()


@pytest.mark.parametrize("weeks", [0.5, 1.5, 8])
def test_an_outage_is_found_to_the_hour(weeks: float) -> None:
    values = weekly_traffic(weeks)
    values[-40:-27] = 0.0
    assert np.flatnonzero(sift(values, HOUR_S).outages).tolist() == list(range(len(values) - 40, len(values) - 27))


def test_weeks_without_a_record_between_weeks_with_one_are_an_outage() -> None:
    values = weekly_traffic(12)
    values[3 * 168 : 9 * 168] = 0.0
    sifted = sift(values, HOUR_S)
    assert sifted.begun == 0
    assert sifted.outages.sum() == pytest.approx(6 * 168, abs=3)


def test_what_fails_every_day_belongs_to_the_traffic() -> None:
    values = weekly_traffic(8)
    for day in range(56):
        first = day * 24 + int(np.random.default_rng(day).integers(20))
        values[first : first + 3] = 0.0
    assert not sift(values, HOUR_S).outages.any()


def test_an_outage_that_goes_on_is_one_for_a_day() -> None:
    values = weekly_traffic(8)
    values[-20:] = 0.0
    assert sift(values, HOUR_S).held_bins == 20
    values[-30:] = 0.0
    assert sift(values, HOUR_S).held_bins == 0


def test_a_fall_to_a_third_is_no_outage_and_twice_as_much_for_a_day_and_over_is_a_surge() -> None:
    values = weekly_traffic(8)
    values[-200:] /= 3
    assert not sift(values, HOUR_S).outages.any()
    values = weekly_traffic(8)
    values[-200:-176] *= 2.5
    assert sift(values, HOUR_S).surges.sum() == pytest.approx(24, abs=2)
    values[-5:] *= 2.5
    assert not sift(values, HOUR_S).surges[-5:].any()  # it may go on


def test_trials_before_a_launch_are_left_out_with_what_was_before() -> None:
    values = np.concatenate((np.zeros(1000), weekly_traffic(1)))
    values[[100, 400, 401]] = 40.0
    assert sift(values, HOUR_S).begun == 1000


def test_a_launch_is_not_made_of_the_last_of_many_bursts() -> None:
    values = np.zeros(2000)
    for first in (300, 700, 1100, 1500, 1990):
        values[first : first + 10] = 50.0
    assert sift(values, HOUR_S).begun == 0


def test_a_few_values_and_nothing_are_left_alone() -> None:
    for values in (np.zeros(100), np.full(3, np.nan), np.array([1.0, 0.0, 5e6])):
        np.testing.assert_array_equal(sift(values, HOUR_S).values, values)
    assert levels_of(np.zeros(500), HOUR_S) is None
    assert levels_of(np.ones(30), HOUR_S) is None


def test_levels_are_even_where_the_shape_is_the_usual_one() -> None:
    levels = levels_of(weekly_traffic(8), HOUR_S)
    assert levels is not None
    assert np.nanstd(np.log(levels.now)) < 0.15
    np.testing.assert_allclose(levels.usual, np.nanmedian(levels.now), rtol=0.15)
    assert (np.diff(levels.highest_before) >= 0).all()
    assert (np.diff(levels.highest_after) <= 0).all()


def test_one_arrival_is_the_step_of_counts_but_not_of_a_steady_load() -> None:
    random = np.random.default_rng(0)
    assert arrival_of(random.poisson(3.0, 800) / 60) == pytest.approx(1 / 60)
    counts = np.append(random.poisson(3.0, 800), [0.37, 2.11])
    assert arrival_of(counts) == pytest.approx(1.0)
    steady = np.full(800, 7.0)
    steady[300] = 14.0
    assert arrival_of(steady) < 0.1
    assert arrival_of(np.full(5, 7.0)) == arrival_of(np.zeros(0)) == 0


def test_runs() -> None:
    assert runs(np.array([True, False, True, True])).tolist() == [[0, 1], [2, 4]]
    assert runs(np.zeros(3, dtype=bool)).tolist() == []
