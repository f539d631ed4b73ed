"""Calendars of holidays from files: iCalendar as calendars are published, or a date a line."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from forecasting.series import SeriesError
from records.fault import reading
from records.stamps import FIRST_YEAR, LAST_YEAR
from records.text import content, text_of

_HELP: Final = "an iCalendar file (.ics), or lines such as 2026-12-25"
_YEARS_REPEATED: Final = 100
_LONGEST: Final = timedelta(days=60)
_LINE: Final = re.compile(r"(?P<name>[A-Z-]+)(?:;[^:]*)?:(?P<value>.*)")


def read_holidays(path: Path) -> frozenset[date]:
    """Return the days of a calendar.

    Args:
        path: with the ending .ics an iCalendar file (RFC 5545): all days of its events, which may last several days
            (the end is not one of them) and repeat yearly. Else text with a date (ISO 8601) at the beginning of each
            line; what follows it, empty lines and lines that begin with # are for people.

    Raises:
        SeriesError: the file cannot be read, with file and line.
    """
    with reading(path, SeriesError):
        lines = text_of(content(path)).lstrip("\ufeff").splitlines()
        days = frozenset(_of_events(path, lines) if path.suffix == ".ics" else _of_lines(path, lines))
        if not days:
            raise SeriesError("no day in it", help=_HELP)
    return days


def _of_lines(path: Path, lines: list[str]) -> Iterator[date]:
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            yield _date(path, number, words[0])


def _of_events(path: Path, lines: list[str]) -> Iterator[date]:
    event: dict[str, tuple[int, str]] | None = None
    for number, line in enumerate(lines, start=1):
        if line.startswith("BEGIN:VEVENT"):
            event = {}
        elif line.startswith("END:VEVENT") and event is not None:
            yield from _days(path, number, event)
            event = None
        elif event is not None and (found := _LINE.fullmatch(line.rstrip())):
            event[found["name"]] = (number, found["value"])


def _days(path: Path, end: int, event: dict[str, tuple[int, str]]) -> Iterator[date]:
    """Yield the days of one event, and of its yearly repetitions."""
    if "DTSTART" not in event:
        raise SeriesError("an event without DTSTART", file=str(path), line=end, help=_HELP)
    first = _day(path, *event["DTSTART"])
    after = _day(path, *event["DTEND"]) if "DTEND" in event else first
    length = min(max(after - first, timedelta(days=1)), _LONGEST)
    yearly = "FREQ=YEARLY" in event.get("RRULE", (0, ""))[1]
    for year in range(first.year, first.year + (_YEARS_REPEATED if yearly else 1)):
        begin = _in_year(first, year)
        yield from (begin + timedelta(days=day) for day in range(length.days if begin else 0) if begin)


def _in_year(day: date, year: int) -> date | None:
    """Return the same day of another year; there is not always a 29th of February."""
    try:
        return day.replace(year=year)
    except ValueError:
        return None


def _day(path: Path, number: int, stamp: str) -> date:
    return _date(path, number, f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}")


def _date(path: Path, number: int, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise SeriesError(f'"{text}" is not a date', file=str(path), line=number, help=_HELP) from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        said = f'"{text}" is out of range: the year is {day.year}, not {FIRST_YEAR} to {LAST_YEAR}'
        raise SeriesError(said, file=str(path), line=number, help=_HELP)
    return day
