"""What a server answers is read strictly: what is no series of rates is refused with the reason, whatever it is."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.errors import Unreachable
from scheduler.telemetry.answers import points_of

QUERY = "sum(rate(x[5m]))"


def series(*values: Any, start_s: int = 1000) -> list[Any]:
    return [{"metric": {}, "values": [[start_s + 15 * i, value] for i, value in enumerate(values)]}]


def test_numbers_in_order_are_read() -> None:
    assert points_of(series("1.5", "2", 0), QUERY) == [(1000, 1.5), (1015, 2.0), (1030, 0.0)]
    assert points_of([], QUERY) == []


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-5", "1e300", "1e15", "1e999", -0.5])
def test_single_values_that_no_load_has_are_missing(value: Any) -> None:
    points = points_of(series("1.5", value, "2"), QUERY)
    assert math.isnan(points[1][1])
    assert (points[0][1], points[2][1]) == (1.5, 2.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "nothing for a result"),
        ({}, "a dict for a result"),
        ("<html>", "a str for a result"),
        ([1], "a int, not a series"),
        ([None], "nothing, not a series"),
        ([{"metric": {}, "histograms": [[1, {}]]}], "native histogram"),
        ([{"metric": {}, "value": [1, "3"]}], "no series of values"),
        ([{"metric": {}, "values": None}], "no series of values"),
        ([{"metric": {}, "values": "12"}], "no series of values"),
        (series(None), "not a time and a number"),
        (series("many"), "not a time and a number"),
        (series([1]), "not a time and a number"),
        ([{"values": [[1, "3"], [1, "4"]]}], "not in order"),
        ([{"values": [[2, "3"], [1, "4"]]}], "not in order"),
        ([{"values": [["soon", "3"]]}], "not a time and a number"),
        ([{"values": [[1e400, "3"]]}], "not a time and a number"),
        ([{"values": [[1]]}], "not a time and a number"),
        ([{"values": [7]}], "not a time and a number"),
        ([{"values": [[1, "2"]]}, {"values": [[1, "2"]]}], "2 series, not one"),
        (series("-5", "-6"), "-6, which no load is"),
        (series("1e300"), "1e\\+300, which no load is"),
    ],
)
def test_what_is_no_series_of_rates_is_refused_with_the_reason(answer: Any, said: str) -> None:
    with pytest.raises(Unreachable, match=said) as caught:
        points_of(answer, QUERY)
    assert caught.value.faults[0].help


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["values", "metric", "x"]), inner),
        max_leaves=12,
    )
)
def test_any_answer_is_read_or_refused(answer: Any) -> None:
    try:
        points = points_of(answer, QUERY)
    except Unreachable as refusal:
        assert str(refusal)  # noqa: PT017  # either is right, nothing else is
    else:
        assert all(rate >= 0 or math.isnan(rate) for _, rate in points)
