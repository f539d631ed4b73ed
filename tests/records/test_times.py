"""Columns of times: what is read, and what is refused because it could be two things."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from records.fault import RecordError
from records.form import Form
from records.table import Column
from records.times import ARRIVALS, JOBS, TRAFFIC, Use, seconds_of

MARCH_S = 1_709_251_200
"""1 March 2024, 00:00 UTC."""
UTC_SAID = Form(local_times=False)


def column(*cells: str) -> Column:
    return Column("at", cells, range(2, len(cells) + 2))


def read(*cells: str, form: Form = UTC_SAID, use: Use = TRAFFIC) -> list[float]:
    return seconds_of(column(*cells), form, use).tolist()


def refusal(*cells: str, form: Form = UTC_SAID, use: Use = TRAFFIC) -> RecordError:
    with pytest.raises(RecordError) as refused:
        seconds_of(column(*cells), form, use)
    return refused.value


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01T00:00:00Z",
        "2024-03-01T00:00:00.000Z",
        "2024-03-01 00:00:00.000000",
        "2024-03-01 00:00",
        "2024-03-01",
        "2024/03/01 00:00",
        "2024-3-1 0:00",
        "2024-03-01T01:00:00+01:00",
        "2024-02-29T19:00:00-0500",
        "2024-03-01T01:00+01:00[Europe/Berlin]",
        "2024-02-29 24:00",
        "20240301T000000Z",
        "1 Mar 2024 00:00",
        "March 1, 2024 12:00 AM",
        "Fri, 01 Mar 2024 00:00:00 GMT",
        "01/Mar/2024:00:00:00 +0000",
        "Fri Mar  1 00:00:00 2024",
        "1-Mar-2024",
        "2024-03-01\u00a000:00",
        "2024030100",
        "20240301",
        "202403010000",
        "1709251200",
        "1709251200.0",
        "1709251200000",
        "1709251200000000",
        "1709251200000000000",
    ],
)
def test_one_moment_in_the_ways_that_tools_write_it(text: str) -> None:
    assert read(text) == [MARCH_S]


def test_fractions_offsets_and_none_may_stand_in_one_column() -> None:
    cells = ("2024-03-01T00:00:00.500Z", "2024-03-01T01:00:00Z", "2024-03-01 02:00", "2024-03-01T04:00:00,25+01:00")
    assert np.subtract(read(*cells), MARCH_S).tolist() == [0.5, 3600, 7200, 3 * 3600 + 0.25]


def test_half_days_count_from_twelve() -> None:
    cells = ("2024-03-01 12:30 AM", "2024-03-01 1:00 a.m.", "2024-03-01 12:00 PM", "2024-03-01 11:59 PM")
    assert np.subtract(read(*cells), MARCH_S).tolist() == [1800, 3600, 43200, 86340]
    assert "neither AM nor PM" in refusal("2024-03-01 01:00 PM", "2024-03-01 02:00").message
    assert refusal("2024-03-01 13:00 PM").line == 2


def test_a_day_above_twelve_settles_the_order_for_all_and_that_is_told() -> None:
    said: list[str] = []
    found = seconds_of(column("01/03/2024 00:00", "13/03/2024 00:00"), UTC_SAID, say=said.append)
    assert found.tolist() == [MARCH_S, MARCH_S + 12 * 86400]
    assert said == ['dates are read day first, as "13/03/2024 00:00" (line 3) shows']
    assert read("03/01/2024", "03/13/2024") == found.tolist()
    assert read("05.05.2024", "06.06.2024")[0] == datetime(2024, 5, 5, tzinfo=UTC).timestamp(), "one and the same"


@pytest.mark.parametrize("cut", ["/", ".", "-"])
def test_dates_that_could_be_two_are_shown_as_both_and_read_when_somebody_says_it(cut: str) -> None:
    text = f"01{cut}03{cut}2024 00:00"
    error = refusal(text, f"02{cut}03{cut}2024 00:00")
    assert (error.line, error.column) == (2, "at")
    assert "is 1 March or 3 January" in error.message
    assert "--time-format day-first or month-first" in error.help
    assert read(text, form=Form("day-first", local_times=False)) == [MARCH_S]
    assert read(text, form=Form("month-first", local_times=False)) == [datetime(2024, 1, 3, tzinfo=UTC).timestamp()]


def test_what_contradicts_what_was_said_or_shown_is_refused_with_its_line() -> None:
    assert refusal("03/13/2024", form=Form("day-first")).line == 2
    both = refusal("01/03/2024", "13/03/2024", "03/14/2024")
    assert both.line == 3
    assert 'the day first, but "03/14/2024" (line 4) the month' in both.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("01/03/24", "its year has two digits"),
        ("1-Mar-24", "its year has two digits"),
        ("0001-01-01", "the year is 1, not 1970 to 2100"),
        ("2924-03-01", "the year is 2924"),
        ("2024-02-30", "there is no such day"),
        ("2024-03-01 25:00", "no clock shows that"),
        ("2024-03-01 00:00 CET", '"CET" is no offset'),
        ("2024-03-01T00:00:00+25:00", "no zone has the offset"),
        ("45352.0416666667", "a spreadsheet's count of days since 1900"),
        ("45352", "a spreadsheet's count of days since 1900"),
        ("427061", "neither Unix time nor year, month and day"),
        ("1.70925E+09", "powers of ten"),
        ("2024-03", "is not a time"),
        ("2024-W09-5", "is not a time"),
        ("yesterday", "is not a time"),
        ("", "is not a time"),
        ("01032024", "neither Unix time"),
    ],
)
def test_what_is_no_time_says_why(text: str, why: str) -> None:
    error = refusal(text)
    assert why in error.message
    assert error.line == 2
    assert error.help


def test_numbers_are_of_one_unit_and_a_declared_one_wins() -> None:
    several = refusal("1709251200", "1709254800000")
    assert (several.line, "in another unit" in several.message) == (3, True)
    assert "offsets such as +01:00" in refusal("2024-03-01 00:00 CEST").help
    assert read("0", "3600000", form=Form("unix-ms")) == [0, 3600]
    assert "out of range" in refusal("1709251200000", form=Form("unix")).message


@pytest.mark.parametrize(
    ("cells", "seconds", "unit"),
    [
        (("0", "427061", "600000"), [0, 427061, 600000], "seconds"),
        (("0", "427061000", "600000000"), [0, 427061, 600000], "milliseconds"),
        (("0", "427061000000000", "600000000000000"), [0, 427061, 600000], "nanoseconds"),
    ],
)
def test_jobs_may_count_from_their_own_beginning_and_the_unit_is_told(
    cells: tuple[str, ...], seconds: list[float], unit: str
) -> None:
    said: list[str] = []
    assert seconds_of(column(*cells), UTC_SAID, JOBS, said.append).tolist() == seconds
    assert unit in said[0]
    named = Column("submit_ms", ("0", "60000"), (2, 3))
    assert seconds_of(named, UTC_SAID, ARRIVALS).tolist() == [0, 60]


def test_patterns_are_followed_and_those_that_name_no_date_refused() -> None:
    assert read("1.3.24 0:00", form=Form("%d.%m.%y %H:%M")) == [MARCH_S]
    assert read("01.03.2024 02:00 +0200", form=Form("%d.%m.%Y %H:%M %z")) == [MARCH_S]
    assert 'written as "%d/%m/%Y"' in refusal("2024-03-01", form=Form("%d/%m/%Y")).message
    for text in ("%H:%M", "%d.%m.", "dd/mm/yyyy", "%Y-%m-%d %Q", "%Y-%m-%d %Z", "%Y-%m-%d %I:%M", "%"):
        with pytest.raises(RecordError, match=re.escape(text)):
            Form(text)


def test_utc_is_assumed_aloud_and_offsets_beside_bare_times_ask_for_a_word() -> None:
    said: list[str] = []
    seconds_of(column("2024-03-01 00:00"), Form(zone="Europe/Berlin"), say=said.append)
    assert "taken for UTC" in said[0]
    assert "Europe/Berlin: --local-times" in said[0]
    mixed = ("2024-03-01T00:00+01:00", "2024-03-01 01:00")
    error = refusal(*mixed, form=Form())
    assert error.line == 3
    assert "--local-times or --utc-times" in error.help
    assert read(*mixed) == [MARCH_S - 3600, MARCH_S + 3600]


BERLIN = Form(local_times=True, zone="Europe/Berlin")


def local(first: datetime, count: int, minutes: int) -> tuple[list[str], list[float]]:
    """Return what a clock in Berlin shows, and the moments."""
    moments = [first + timedelta(minutes=minutes * n) for n in range(count)]
    shown = [at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%d %H:%M") for at in moments]
    return shown, [at.timestamp() for at in moments]


@pytest.mark.parametrize("minutes", [60, 15, 30, 7])
@pytest.mark.parametrize("day", [datetime(2024, 10, 26, tzinfo=UTC), datetime(2024, 3, 30, tzinfo=UTC)])
@pytest.mark.parametrize("backwards", [False, True])
def test_local_times_are_told_apart_by_their_order_when_clocks_change(
    day: datetime, minutes: int, *, backwards: bool
) -> None:
    shown, moments = local(day, 48 * 60 // minutes, minutes)
    step = -1 if backwards else 1
    assert read(*shown[::step], form=BERLIN) == moments[::step]


def test_local_times_that_never_were_or_lie_about_in_no_order_are_refused() -> None:
    assert "never was in Europe/Berlin" in refusal("2024-03-31 02:30", form=BERLIN).message
    shown, _ = local(datetime(2024, 10, 26, tzinfo=UTC), 48, 60)
    shown[3], shown[30] = shown[30], shown[3]
    assert "in no order" in refusal(*shown, form=BERLIN).message
    said: list[str] = []
    seconds_of(column("2024-10-27 02:00", "2024-10-27 04:00"), BERLIN, say=said.append)
    assert "could be either of two hours" in said[0]
    with pytest.raises(RecordError, match="no time zone"):
        read("2024-10-27 02:00", form=Form(local_times=True, zone="Mars/Olympus"))


def test_many_jobs_may_come_at_one_local_moment() -> None:
    cells = ("2024-10-27 02:10", "2024-10-27 02:10", "2024-10-27 02:50", "2024-10-27 02:05", "2024-10-27 02:05")
    found = read(*cells, form=BERLIN, use=JOBS)
    assert np.diff(found).tolist() == [0, 2400, 900, 0]


def test_a_job_without_a_time_is_nothing_and_a_bin_without_one_a_fault() -> None:
    assert np.isnan(read("", "2024-03-01", use=JOBS)[0])
    assert refusal("2024-03-01", "None").line == 3
