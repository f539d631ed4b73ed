"""Times that are plain numbers: 2024030100, Unix seconds to nanoseconds, and what counts from its own beginning."""

import re
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.fault import Say
from records.form import UNIX
from records.stamps import BASIC, FIRST_YEAR, LAST_YEAR, StampError, stamp_of
from records.table import Column

_PLAIN: Final = re.compile(r"[+-]?\d+(?:\.\d*)?")
_FIRST_S: Final = 10**8
"""March 1973: smaller numbers are no Unix times that anybody recorded."""
_LAST_S: Final = 4_102_444_800
"""The year 2100."""
_SERIAL: Final = (20_000, 80_000)
"""Spreadsheets count days since 1900: 1954 to 2119."""
_LONGEST_S: Final = 3 * 366 * 86400
"""No record of jobs is longer."""
_NAMES: Final = {"unix": "seconds", "unix-ms": "milliseconds", "unix-us": "microseconds", "unix-ns": "nanoseconds"}
_SUFFIXES: Final = {"s": "unix", "sec": "unix", "seconds": "unix", "ms": "unix-ms", "us": "unix-us", "ns": "unix-ns"}
_DIGITS: Final = {8: "year, month and day", 10: "year to hour", 12: "year to minute", 14: "year to second"}


def declared(column: Column, unit: str) -> NDArray[np.float64]:
    """Return epoch seconds, (n,), of numbers of a unit of `UNIX`.

    Raises:
        RecordError: a cell is no number, or out of range.
    """
    values = _numbers(column) / UNIX[unit]
    wrong = np.flatnonzero(~(np.abs(values) <= _LAST_S))
    if len(wrong):
        what = f"is out of range: as {_NAMES[unit]} since 1970 it is after {LAST_YEAR}"
        raise column.fault(int(wrong[0]), what, "another unit: --time-format unix, unix-ms, unix-us or unix-ns")
    return values


def found_out(column: Column, *, relative: bool, say: Say) -> NDArray[np.float64] | None:
    """Return epoch seconds, (n,), of numbers whose unit shows; None where they are digits of a calendar.

    Raises:
        RecordError: they are days of a spreadsheet, of several units, or count from nobody knows where.
    """
    if _is_calendar(column):
        first = column.cells[0]
        say(f'times are read as {_DIGITS[len(first)]}: "{first}" is {_shown(first)}')
        return None
    _refuse_exponents(column)
    values = _numbers(column)
    for unit, per_second in UNIX.items():
        if ((values >= _FIRST_S * per_second) & (values <= _LAST_S * per_second)).all():
            if unit != "unix" or not relative:
                say(f"times are read as Unix {_NAMES[unit]}")
            return values / per_second
    _refuse_several_units(column, values)
    if not relative or (_are_serials(values) and (values != np.floor(values)).any()):
        raise column.fault(0, _why_not(values), _help(values))
    return _from_own_beginning(column, values, say)


def _refuse_several_units(column: Column, values: NDArray[np.float64]) -> None:
    """Refuse Unix times of several units in one column."""
    units = np.zeros(len(values), dtype=np.int64)
    for per_second in UNIX.values():
        units[(values >= _FIRST_S * per_second) & (values <= _LAST_S * per_second)] = per_second
    others = np.flatnonzero(units != units[0])
    if units.all() and len(others):
        raise column.fault(int(others[0]), "is Unix time in another unit than those before it", "one unit a column")


def _from_own_beginning(column: Column, values: NDArray[np.float64], say: Say) -> NDArray[np.float64]:
    """Return seconds from a beginning not told, in the unit of the column's name or the likeliest."""
    unit = _SUFFIXES.get(re.split(r"[_ (\[]+", column.name.casefold().rstrip(")] "))[-1], "")
    if not unit:
        span = float(np.ptp(values))
        unit = next((each for each, per_second in UNIX.items() if span / per_second <= _LONGEST_S), "unix-ns")
    say(f"times are numbers: read as {_NAMES[unit]} from the beginning of the record (time_format: {unit})")
    return values / UNIX[unit]


def _is_calendar(column: Column) -> bool:
    """Whether all cells are as many digits of a calendar."""
    length = len(column.cells[0])
    if length not in _DIGITS:
        return False
    for cell in column.cells:
        match = BASIC.fullmatch(cell) if len(cell) == length and cell.isdecimal() else None
        if match is None or not FIRST_YEAR <= int(match["y"]) <= LAST_YEAR or not _exists(match):
            return False
    return True


def _exists(match: re.Match[str]) -> bool:
    try:
        stamp_of(match, int(match["d"]), int(match["m"]))
    except (StampError, ValueError):
        return False
    return True


def _shown(cell: str) -> str:
    match = BASIC.fullmatch(cell)
    assert match is not None  # noqa: S101  # looked at before
    at = datetime.fromtimestamp(stamp_of(match, int(match["d"]), int(match["m"])).clock_s, UTC)
    return f"{at:%Y-%m-%d}" if len(cell) == 8 else f"{at:%Y-%m-%d %H:%M}"  # noqa: PLR2004  # as in `_DIGITS`


def _numbers(column: Column) -> NDArray[np.float64]:
    for index, cell in enumerate(column.cells):
        if not _PLAIN.fullmatch(cell):
            raise column.fault(
                index, "is not a time as those before it, which are plain numbers" if index else "is not a time"
            )
    return np.array([float(cell) for cell in column.cells], dtype=np.float64)


def _refuse_exponents(column: Column) -> None:
    for index, cell in enumerate(column.cells):
        if "e" in cell.casefold() and re.fullmatch(r"[+-]?\d+(?:\.\d*)?[eE][+-]?\d+", cell):
            what = "is a time written in powers of ten, which loses its last digits"
            raise column.fault(index, what, "write whole numbers, or dates")


def _are_serials(values: NDArray[np.float64]) -> bool:
    return bool(((values >= _SERIAL[0]) & (values < _SERIAL[1])).all())


def _why_not(values: NDArray[np.float64]) -> str:
    if _are_serials(values):
        return "is not a time: it looks like a spreadsheet's count of days since 1900"
    return "is not a time: a number that is neither Unix time nor year, month and day"


def _help(values: NDArray[np.float64]) -> str:
    if _are_serials(values):
        return "give the column the format yyyy-mm-dd hh:mm:ss in the spreadsheet, and save it again"
    return "say it: --time-format unix, unix-ms, unix-us or unix-ns (time_format: in YAML), or write dates"
