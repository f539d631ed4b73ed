"""The course of replicas: a lead time before they are needed until some time after, never fewer than are needed."""

from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.demand.courses import MOST_LEVELS, course_of

HOUR_S = 3600.0


def test_a_rise_is_ahead_by_the_lead_time_and_a_fall_late_by_the_stay() -> None:
    points = [
        (0.0, 1, 1),
        (2 * HOUR_S, 1, 1),
        (3 * HOUR_S, 3, 4),
        (5 * HOUR_S, 3, 4),
        (6 * HOUR_S, 1, 1),
        (8 * HOUR_S, 1, 1),
    ]

    levels = course_of(tuple(points), lead_s=600.0, stay_s=1200.0)

    assert [(t.replicas, t.replicas_high) for t in levels] == [
        (2, 2),
        (2, 3),
        (3, 3),
        (3, 4),
        (3, 3),
        (2, 3),
        (2, 2),
        (1, 1),
    ]
    assert 2 * HOUR_S - 600.0 <= levels[0].at_s <= 2 * HOUR_S
    assert 6 * HOUR_S + 900.0 <= levels[-1].at_s <= 6 * HOUR_S + 1800.0


def test_what_stays_as_it_is_has_no_turns() -> None:
    assert course_of(((0.0, 2, 2), (40 * HOUR_S, 2, 2)), 600.0, 1200.0) == ()
    assert course_of(((0.0, 2, 2),), 600.0, 1200.0) == ()


@given(
    numbers=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 20)), min_size=2, max_size=72),
    lead_s=st.floats(0.0, 1800.0),
    stay_s=st.floats(0.0, 1800.0),
)
def test_no_fewer_than_are_needed_and_seldom_fewer_than_usual(
    numbers: list[tuple[int, int]], lead_s: float, stay_s: float
) -> None:
    points = [(n * 1800.0, middle, middle + more) for n, (middle, more) in enumerate(numbers)]

    levels = course_of(tuple(points), lead_s, stay_s)

    assert len(levels) <= MOST_LEVELS
    assert all(level.replicas <= level.replicas_high for level in levels)
    assert [level.at_s for level in levels] == sorted({level.at_s for level in levels})
    for at_s, middle, high in points if levels else ():
        last = next((level for level in reversed(levels) if level.at_s <= at_s), None)
        if last is not None and at_s % 3600.0 == 0.0:
            assert last.replicas >= middle
            assert last.replicas_high >= high
