"""One time as it is written: the digits of its clock, and the offset if it says one. Knows no zone and no column."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2100
DAY_S: Final = 86400
_NOON: Final = 12
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = (
    r"(?:(?:[Tt_,]\s*|:|\s+(?:at\s+)?)(?P<H>\d{1,2})(?::(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d+))?)?)?"
    r"(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\.?)?"
    r"(?:\s*(?P<offset>Z|z|UTC|GMT|[+\-−]\d{2}(?::?\d{2})?)(?:\[[\w/+-]+\])?)?)?"
)
_MONTH: Final = rf"(?P<b>{'|'.join(_MONTHS)})[a-z]*\.?"
_WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_DAY: Final = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?"
YEAR_FIRST: Final = re.compile(rf"(?P<y>\d{{4}})(?P<cut>[-/.])(?P<m>\d{{1,2}})(?P=cut)(?P<d>\d{{1,2}}){_CLOCK}")
BASIC: Final = re.compile(
    r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:[Tt]?(?P<H>\d{2})(?:(?P<M>\d{2})(?:(?P<S>\d{2})(?:[.,](?P<f>\d+))?)?)?"
    r"(?P<offset>Z|z|[+\-−]\d{2}(?::?\d{2})?)?)?"
)
YEAR_LAST: Final = re.compile(rf"(?P<a>\d{{1,2}})(?P<cut>[-/.])(?P<m>\d{{1,2}})(?P=cut)(?P<y>\d{{4}}){_CLOCK}")
NAMED: Final = (
    re.compile(rf"{_WEEKDAY}{_DAY}[\s/-]+{_MONTH},?[\s/-]+(?P<y>\d{{4}}){_CLOCK}", re.IGNORECASE),
    re.compile(rf"{_WEEKDAY}{_MONTH}\s+{_DAY},?\s+(?P<y>\d{{4}}){_CLOCK}", re.IGNORECASE),
    re.compile(
        rf"{_WEEKDAY}{_MONTH}\s+{_DAY}\s+(?P<H>\d{{1,2}}):(?P<M>\d{{2}}):(?P<S>\d{{2}})\s+(?:(?P<offset>UTC|GMT)\s+)?(?P<y>\d{{4}})",
        re.IGNORECASE,
    ),
)
"""13 Mar 2024, March 13, 2024 and Wed Mar 13 17:45:58 2024, each with what a clock may say."""
SHORT_YEAR: Final = re.compile(r"(?:\d{1,2}[-/.]\d{1,2}[-/.]\d{2}|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2})(?!\d).*")
"""Dates that write two digits of a year."""


class StampError(ValueError):
    """A text that is no time, and why."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time.

    Attributes:
        clock_s: seconds from 1970 to what the clock shows, as if it showed UTC.
        offset_s: how far the clock is ahead of UTC; None where it does not say.
        halved: whether it counts hours to twelve and says which half of the day it means.
    """

    clock_s: float
    offset_s: int | None = None
    halved: bool = False


def stamp_of(match: re.Match[str], day: int, month: int) -> Stamp:
    """Return the time of a match of one of the patterns above, with the day and the month as somebody has told them.

    Raises:
        StampError: there is no such day or hour, or it is out of range.
    """
    found = match.groupdict()
    year = int(found["y"])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise StampError(f"is out of range: the year is {year}, not {FIRST_YEAR} to {LAST_YEAR}")
    try:
        midnight = (date(year, month, day) - date(FIRST_YEAR, 1, 1)) // timedelta(days=1) * DAY_S
    except ValueError:
        raise StampError("is not a time: there is no such day") from None
    return Stamp(midnight + _of_day_s(found), offset_of(found.get("offset") or ""), bool(found.get("half")))


def month_of(match: re.Match[str]) -> int:
    """Return the month of a match, by its name or its number."""
    name = match.groupdict().get("b")
    return _MONTHS.index(name[:3].lower()) + 1 if name else int(match["m"])


def offset_of(text: str) -> int | None:
    """Return the seconds of an offset such as "+01:00", "-0530" or "Z"; None for none.

    Raises:
        StampError: no clock is that far off.
    """
    if not text:
        return None
    if text.upper() in {"Z", "UTC", "GMT"}:
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:  # noqa: PLR2004  # Kiribati is the furthest ahead
        raise StampError(f'is not a time: no zone has the offset "{text}"')
    return (1 if text[0] == "+" else -1) * (hours * 3600 + minutes * 60)


def _of_day_s(found: dict[str, str | None]) -> float:
    """Return seconds since midnight; 24:00 is the end of a day."""
    hour, minute, second = (int(found.get(part) or 0) for part in ("H", "M", "S"))
    half = (found.get("half") or "").lower()
    if half:
        if not 1 <= hour <= _NOON:
            raise StampError(f"is not a time: hour {hour} of half a day")
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and (minute or second)):  # noqa: PLR2004  # clocks
        raise StampError("is not a time: no clock shows that")
    return hour * 3600 + minute * 60 + second + float(f"0.{found.get('f') or 0}")
