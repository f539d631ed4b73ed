"""Durations as traces write them: numbers of some unit, clocks ("1-02:03:04"), or words ("1h30m", "PT1H")."""

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.fault import Say, nobody
from records.form import Form
from records.numbers import MISSING, numbers_of
from records.table import Column

UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
"""Seconds in each unit that a user may say."""
_NAMES: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_SUFFIXES: Final = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minutes"), "min"),
    **dict.fromkeys(("h", "hours"), "h"),
    **{unit: unit for unit in ("ms", "us", "ns")},
}
_USUAL_S: Final = 14 * 86400
"""Half of the jobs of a trace are shorter, or the unit is another one."""
_CLOCK: Final = re.compile(
    r"(?P<sign>-)?(?:(?P<d>\d+)(?:-|\s*days?,?\s*)(?P<plus>\+)?)?(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d(?:\.\d+)?)"
)
_DAYS: Final = re.compile(r"(?P<sign>-)?(?P<d>\d+)(?:\s*days?|-(?P<h>\d\d?)(?::(?P<m>\d\d))?)")
_ISO: Final = re.compile(
    r"(?P<sign>-)?P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?", re.IGNORECASE
)
_WORDS: Final = re.compile(
    r"(?P<sign>-)?(?:(?P<d>\d+(?:\.\d+)?)\s*(?:d|days?)\s*)?(?:(?P<h>\d+(?:\.\d+)?)\s*(?:h|hrs?|hours?)\s*)?"
    r"(?:(?P<m>\d+(?:\.\d+)?)\s*(?:m|mins?|minutes?)\s*)?(?:(?P<s>\d+(?:\.\d+)?)\s*(?:s|secs?|seconds?))?",
    re.IGNORECASE,
)
_ENDLESS: Final = frozenset({"inf", "+inf", "infinity", "infinite", "∞", "unlimited", "forever"})
_NUMBER: Final = re.compile(r"[+-]?[\d.,' ]+(?:[eE][+-]?\d+)?")
_HELP: Final = "seconds, or such as 01:30:00, 1-02:03:04, 1h30m, PT1H30M, 0 days 01:30:00"


def durations_of(column: Column, form: Form, unit: str = "", say: Say = nobody) -> NDArray[np.float64]:
    """Return seconds, (n,): NaN for no duration, infinite for one without an end, negative as written.

    Args:
        column: numbers, or texts.
        form: of the numbers.
        unit: of the numbers, one of `UNITS`; "" for the unit in the column's name, or else the largest of seconds,
            milli-, micro- and nanoseconds with which half of them last less than two weeks.
        say: is told of a unit that is not seconds and was not said.

    Raises:
        RecordError: a cell is no duration, or the numbers can be read in two ways; with line and column.
    """
    if all(_is_number(cell) for cell in column.cells):
        values = numbers_of(column, form)
        return values * UNITS[unit or _likeliest(column, values, say)]
    return np.array([_of_text(column, index) for index in range(len(column.cells))], dtype=np.float64)


def _is_number(cell: str) -> bool:
    text = cell.strip().casefold()
    return text in MISSING or text.lstrip("+-") in _ENDLESS or _NUMBER.fullmatch(text) is not None


def _likeliest(column: Column, values: NDArray[np.float64], say: Say) -> str:
    suffix = re.split(r"[_ (\[]+", column.name.casefold().rstrip(")] "))[-1]
    if suffix in _SUFFIXES and suffix != column.name.casefold():
        return _SUFFIXES[suffix]
    known = values[np.isfinite(values) & (values > 0)]
    middle = float(np.sort(known)[(len(known) - 1) // 2]) if len(known) else 0.0
    unit = next((each for each in _NAMES if middle * UNITS[each] <= _USUAL_S), "ns")
    if unit != "s":
        days = f"{middle / 86400:,.0f} days"
        say(
            f"{column.name} is read as {_NAMES[unit]}: as seconds half of the jobs would last {days} (duration_unit: s)"
        )
    return unit


def _of_text(column: Column, index: int) -> float:
    text = " ".join(column.cells[index].split())
    plain = text.casefold()
    if plain in MISSING:
        return math.nan
    if plain.lstrip("+-") in _ENDLESS:
        return math.inf
    for pattern in (_CLOCK, _DAYS, _ISO, _WORDS):
        match = pattern.fullmatch(text)
        if match and any(match.groupdict().get(part) for part in ("d", "h", "m", "s")):
            return _seconds(match)
    if _NUMBER.fullmatch(plain):
        raise column.fault(index, "is not a duration: a number, and others are written in words or as a clock", _HELP)
    raise column.fault(index, "is not a duration", _HELP)


def _seconds(match: re.Match[str]) -> float:
    """Return the sum; in "-1 days +23:59:00" only the days are negative."""
    found = match.groupdict()
    days, hours, minutes, seconds = (float(found.get(part) or 0) for part in ("d", "h", "m", "s"))
    rest = hours * 3600 + minutes * 60 + seconds
    if found.get("sign"):
        return -86400 * days + (rest if found.get("plus") else -rest)
    return 86400 * days + rest
