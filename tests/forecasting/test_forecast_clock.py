"""Local time: changes of the clocks, and places on the wall-clock grid."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forecasting.clock import changes, check_zone, felt_positions, offsets_s, wall_positions

SPRING_S = 1332637200  # 2012-03-25 01:00 UTC, Berlin's clocks go from 2:00 to 3:00
AUTUMN_S = 1351386000  # 2012-10-28 01:00 UTC, from 3:00 to 2:00
DAY_S = 86400


def test_changes_are_found_to_the_quarter_of_an_hour() -> None:
    moments, offsets = changes("Europe/Berlin", SPRING_S // DAY_S - 80, AUTUMN_S // DAY_S + 10)
    assert moments == (SPRING_S, AUTUMN_S)
    assert offsets == (3600, 7200, 3600)


def test_half_hour_changes_and_zones_without_any() -> None:
    moments, offsets = changes("Australia/Lord_Howe", 15340, 15640)
    assert [b - a for a, b in pairwise(offsets)] == [-1800, 1800]
    assert len(moments) == 2
    assert changes("Asia/Kolkata", 15340, 15640) == ((), (19800,))


def test_wall_grid_leaves_a_place_out_in_spring_and_uses_one_twice_in_autumn() -> None:
    spring = wall_positions("Europe/Berlin", SPRING_S - 3 * 3600, 3600, 6)
    assert np.diff(spring).tolist() == [1, 1, 2, 1, 1]
    autumn = wall_positions("Europe/Berlin", AUTUMN_S - 3 * 3600, 3600, 6)
    assert np.diff(autumn).tolist() == [1, 1, 0, 1, 1]


def test_equal_places_of_a_day_are_equal_local_hours() -> None:
    places = wall_positions("Europe/Berlin", SPRING_S - 7 * DAY_S, 3600, 14 * 24)
    assert places[0] % 24 == 2  # 01:00 UTC in winter
    assert places[-1] % 24 == 2  # 00:00 UTC in summer


def test_long_steps_are_not_moved() -> None:
    places = wall_positions("Europe/Berlin", SPRING_S - 7 * DAY_S, 4 * 3600, 60)
    assert (np.diff(places) == 1).all()


def test_utc_has_no_offset_and_names_are_checked() -> None:
    assert offsets_s("UTC", np.array([0, SPRING_S])).tolist() == [0, 0]
    assert check_zone("Europe/Berlin")
    assert not check_zone("Europe/Nowhere")
    assert not check_zone("../etc/passwd")


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.integers(1325376000, 1356998400).map(lambda s: s // 3600 * 3600),
    st.sampled_from([900, 1800, 3600]),
)
def test_a_change_is_felt_by_and_by_and_time_never_goes_back(zone: str, start_s: int, step_s: int) -> None:
    count = 3 * DAY_S // step_s
    felt, wall = felt_positions(zone, start_s, step_s, count), wall_positions(zone, start_s, step_s, count)
    assert (np.diff(felt) > 0).all()
    assert np.abs(felt - wall).max() <= 3600 / step_s
    moments, _ = changes(zone, start_s // DAY_S - 2, start_s // DAY_S + 4)
    starts = start_s + step_s * np.arange(count)
    near = np.zeros(count, dtype=bool)
    for moment in moments:
        near |= (starts >= moment) & (starts < moment + DAY_S // 2)
    assert (felt == wall)[~near].all()
    assert (felt != wall)[near].all()


def test_at_the_change_itself_nothing_is_felt_yet() -> None:
    before_s = SPRING_S - 3600
    assert np.diff(felt_positions("Europe/Berlin", before_s, 3600, 2)).tolist() == [1.0]
    halfway = felt_positions("Europe/Berlin", SPRING_S + 6 * 3600, 3600, 1)
    assert halfway - wall_positions("Europe/Berlin", SPRING_S + 6 * 3600, 3600, 1) == -0.5


def test_a_day_that_never_was_moves_the_date_and_nobody_s_sleep() -> None:
    """Samoa went from 29 to 31 December 2011."""
    start_s = int(datetime(2011, 12, 30, tzinfo=UTC).timestamp())
    places = wall_positions("Pacific/Apia", start_s, 3600, 48)
    assert (places[-1] - places[0]) == 47 + 24
    np.testing.assert_array_equal(felt_positions("Pacific/Apia", start_s, 3600, 48), places)
