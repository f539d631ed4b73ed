"""Calendars from files: iCalendar as published, dates a line, and what is said of neither."""

from datetime import date
from pathlib import Path

import pytest

from forecasting.calendars import read_holidays
from forecasting.series import SeriesError

ICS = """BEGIN:VCALENDAR\r
VERSION:2.0\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20121225\r
DTEND;VALUE=DATE:20121227\r
SUMMARY:Weihnachten\r
END:VEVENT\r
BEGIN:VEVENT\r
DTSTART;VALUE=DATE:20120229\r
RRULE:FREQ=YEARLY\r
SUMMARY:a day that is not there each year\r
END:VEVENT\r
END:VCALENDAR\r
"""


def file(tmp_path: Path, text: str, name: str = "days.txt") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_days_of_an_icalendar_file(tmp_path: Path) -> None:
    days = read_holidays(file(tmp_path, ICS, "de.ics"))
    assert {date(2012, 12, 25), date(2012, 12, 26), date(2012, 2, 29), date(2016, 2, 29)} <= days
    assert date(2012, 12, 27) not in days
    assert date(2013, 12, 25) not in days
    assert {day.year for day in days if day.month == 2 and day.year < 2025} == {2012, 2016, 2020, 2024}


def test_dates_a_line_with_words_for_people(tmp_path: Path) -> None:
    text = "# Germany\n2012-12-25 Christmas\n\n2012-12-26, the day after\n2013-01-01# new\n"
    assert read_holidays(file(tmp_path, text)) == {date(2012, 12, 25), date(2012, 12, 26), date(2013, 1, 1)}


@pytest.mark.parametrize(
    ("text", "name", "said", "line"),
    [
        ("2012-12-25\nChristmas\n", "a.txt", '"Christmas" is not a date', 2),
        ("# nothing\n", "a.txt", "no day in it", 0),
        ("BEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n", "a.ics", "an event without DTSTART", 3),
        ("BEGIN:VEVENT\nDTSTART:soon\nEND:VEVENT\n", "a.ics", "is not a date", 2),
    ],
)
def test_what_is_no_calendar_is_refused_with_its_line(
    tmp_path: Path, text: str, name: str, said: str, line: int
) -> None:
    with pytest.raises(SeriesError) as refused:
        read_holidays(file(tmp_path, text, name))
    assert said in refused.value.message
    assert refused.value.line == line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="not readable"):
        read_holidays(tmp_path / "none.ics")
