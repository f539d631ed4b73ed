"""Durations of jobs as sites write them."""

import math

import numpy as np
import pytest

from records.durations import durations_of
from records.fault import RecordError
from records.form import Form
from records.table import Column

DAY_S = 86400


def column(*cells: str, name: str = "duration") -> Column:
    return Column(name, cells, range(2, len(cells) + 2))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0 days 01:00:00", 3600),
        ("1 day, 2:03:04", DAY_S + 7384),
        ("1-02:03:04", DAY_S + 7384),
        ("2 days", 2 * DAY_S),
        ("01:30:00.5", 5400.5),
        ("100:00:00", 360_000),
        ("PT1H30M", 5400),
        ("P1DT12H", 1.5 * DAY_S),
        ("1h30m", 5400),
        ("90 min", 5400),
        ("-1 days +23:59:30", -30),
        ("-00:00:30", -30),
        ("None", math.nan),
        ("UNLIMITED", math.inf),
    ],
)
def test_texts(text: str, seconds: float) -> None:
    found = durations_of(column("00:00:01", text), Form())
    np.testing.assert_array_equal(found, [1, seconds])


@pytest.mark.parametrize("text", ["10:00", "soon", "1:2:3", "P", "1.5.2h"])
def test_what_is_no_duration_is_named_with_its_line(text: str) -> None:
    with pytest.raises(RecordError, match="is not a duration") as refused:
        durations_of(column("00:00:01", text), Form())
    assert (refused.value.line, refused.value.column) == (3, "duration")


def test_numbers_are_seconds_unless_their_name_or_their_size_says_otherwise() -> None:
    said: list[str] = []
    assert durations_of(column("3600", "inf", "-30", ""), Form(), say=said.append)[0] == 3600
    assert not said
    assert durations_of(column("3600", name="duration_ms"), Form(), say=said.append).tolist() == [3.6]
    assert not said
    assert durations_of(column("3600000", "7200000"), Form(), say=said.append).tolist() == [3600, 7200]
    assert "read as milliseconds" in said[0]
    assert durations_of(column("3600000000000"), Form(), say=said.append).tolist() == [3600]
    assert durations_of(column("3600000"), Form(), "s").tolist() == [3_600_000]
    assert durations_of(column("1e18", "60"), Form())[1] == 60, "one that is absurd tells nothing of the others"
    with pytest.raises(RecordError, match="a number, and others are written in words"):
        durations_of(column("3600", "1:00:00"), Form())
    assert durations_of(column("90"), Form(), "min").tolist() == [5400]
