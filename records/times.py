"""A column of times to epoch seconds: which way of writing it is in, decided for the column and never for a cell."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records import ticks
from records.clocks import utc_of
from records.fault import Say, nobody
from records.form import UNIX, Form
from records.numbers import MISSING
from records.stamps import (
    BASIC,
    FIRST_YEAR,
    LAST_YEAR,
    NAMED,
    SHORT_YEAR,
    YEAR_FIRST,
    YEAR_LAST,
    Stamp,
    StampError,
    month_of,
    stamp_of,
)
from records.table import Column

FORMAT_HELP: Final = "say it: --time-format day-first or month-first (time_format: in YAML)"
_HELP: Final = "times such as 2024-03-01T17:00:00Z; others by --time-format (time_format: in YAML)"
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_BLANKS: Final = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\t", " "))
_ZONE_NAME: Final = re.compile(r".*\d\s*([A-Z]{3,5})")
_TWELVE: Final = 12


@dataclass(frozen=True, slots=True)
class Use:
    """What times are read for.

    Attributes:
        once: whether each moment has one row (traffic), or many things may happen at once (jobs).
        relative: whether plain numbers may count from a beginning of their own.
        gaps: whether a row may have no time; it is NaN then.
    """

    once: bool = True
    relative: bool = False
    gaps: bool = False


TRAFFIC: Final = Use()
ARRIVALS: Final = Use(once=False, relative=True)
JOBS: Final = Use(once=False, relative=True, gaps=True)


def seconds_of(column: Column, form: Form, use: Use = TRAFFIC, say: Say = nobody) -> NDArray[np.float64]:
    """Return epoch seconds, (n,); NaN for no time where `use` allows that.

    What is assumed (the order of day and month as a day above 12 shows it, units of numbers, UTC where there is no
    offset) is told.

    Raises:
        RecordError: a cell is no time, or the column can be read in two ways; with line, column and what to say.
    """
    there = [i for i, cell in enumerate(column.cells) if not use.gaps or cell.casefold() not in MISSING]
    found = np.full(len(column.cells), np.nan)
    if there:
        found[there] = _whole(column.only(there), form, use, say)
    return found


def _whole(column: Column, form: Form, use: Use, say: Say) -> NDArray[np.float64]:
    column = Column(column.name, [c.translate(_BLANKS).strip() for c in column.cells], column.lines, column.typed)
    if form.time_format in UNIX:
        return ticks.declared(column, form.time_format)
    if "%" not in form.time_format and column.cells and _NUMBER.fullmatch(column.cells[0]):
        found = ticks.found_out(column, relative=use.relative, say=say)
        if found is not None:
            return found
    stamps = _stamps(column, form, say)
    return _moments(stamps, column, form, use, say)


def _stamps(column: Column, form: Form, say: Say) -> list[Stamp]:
    if "%" in form.time_format:
        return _each(column, lambda text: _by_pattern(text, form.time_format))
    if any(YEAR_LAST.fullmatch(cell) for cell in column.cells[:1]):
        return _year_last(column, form, say)
    stamps = _each(column, _by_sight)
    _refuse_half_days(column, stamps)
    return stamps


def _each(column: Column, read: Callable[[str], Stamp]) -> list[Stamp]:
    stamps = []
    for index, cell in enumerate(column.cells):
        try:
            stamps.append(read(cell))
        except StampError as error:
            raise column.fault(index, str(error), _help(cell)) from None
    return stamps


def _by_sight(text: str) -> Stamp:
    """Return a time whose year, month and day cannot be mistaken for each other."""
    for pattern in (YEAR_FIRST, BASIC, *NAMED):
        match = pattern.fullmatch(text)
        if match:
            return stamp_of(match, int(match["d"]), month_of(match))
    raise StampError(_no_time(text))


def _by_pattern(text: str, pattern: str) -> Stamp:
    try:
        at = datetime.strptime(text, pattern)  # noqa: DTZ007  # a zone or none, as the pattern says
    except (ValueError, OverflowError):
        raise StampError(f'is not a time written as "{pattern}"') from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise StampError(f"is out of range: the year is {at.year}, not {FIRST_YEAR} to {LAST_YEAR}")
    offset = at.utcoffset()
    clock_s = (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return Stamp(clock_s, None if offset is None else round(offset.total_seconds()))


def _year_last(column: Column, form: Form, say: Say) -> list[Stamp]:
    """Return dates such as 13/03/2024, whose order the user, or a day above 12 for the whole file, tells."""
    parts = _matches(column)
    first, second = (np.array([pair[place] for pair in parts]) for place in (0, 1))
    day_first = form.time_format == "day-first"
    if not form.time_format:
        day_first = _settled(column, first, second, say)
    order = "day-first" if day_first else "month-first"

    def read(text: str) -> Stamp:
        match = YEAR_LAST.fullmatch(text)
        if match is None:
            raise StampError(_no_time(text))
        one, other = int(match["a"]), int(match["m"])
        day, month = (one, other) if day_first else (other, one)
        if month > _TWELVE:
            raise StampError(f"is not a time when it is read {order.replace('-', ' ')}")
        return stamp_of(match, day, month)

    stamps = _each(column, read)
    _refuse_half_days(column, stamps)
    return stamps


def _matches(column: Column) -> list[tuple[int, int]]:
    pairs = []
    for index, cell in enumerate(column.cells):
        match = YEAR_LAST.fullmatch(cell)
        if match is None:
            raise column.fault(index, _no_time(cell), _help(cell))
        pairs.append((int(match["a"]), int(match["m"])))
    return pairs


def _settled(column: Column, first: NDArray[np.int64], second: NDArray[np.int64], say: Say) -> bool:
    """Return whether the day comes first, by rows that leave no choice; refuse where there are none, or both kinds."""
    days, months = np.flatnonzero(first > _TWELVE), np.flatnonzero(second > _TWELVE)
    if len(days) and len(months):
        one, other = int(days[0]), int(months[0])
        what = f'has the day first, but "{column.cells[other]}" ({column.at(other)}) the month'
        raise column.fault(one, what, FORMAT_HELP)
    open_ = np.flatnonzero(first != second)
    if not len(days) and not len(months) and len(open_):
        index = int(open_[0])
        one, other = int(first[index]), int(second[index])
        names = [datetime(2000, month, 1, tzinfo=UTC).strftime("%B") for month in (other, one)]
        what = f"is {one} {names[0]} or {other} {names[1]}: no day above 12 in the file says which comes first"
        raise column.fault(index, what, FORMAT_HELP)
    if len(days) or len(months):
        index, order = int((days if len(days) else months)[0]), "day" if len(days) else "month"
        say(f'dates are read {order} first, as "{column.cells[index]}" ({column.at(index)}) shows')
    return bool(len(days))


def _refuse_half_days(column: Column, stamps: Sequence[Stamp]) -> None:
    """Refuse a column where some rows say AM or PM and others, with a time of day, do not."""
    if not any(stamp.halved for stamp in stamps):
        return
    for index, stamp in enumerate(stamps):
        if not stamp.halved and ":" in column.cells[index]:
            raise column.fault(index, "says neither AM nor PM, and others do")


def _moments(stamps: Sequence[Stamp], column: Column, form: Form, use: Use, say: Say) -> NDArray[np.float64]:
    clock_s = np.array([stamp.clock_s for stamp in stamps], dtype=np.float64)
    bare = np.array([stamp.offset_s is None for stamp in stamps], dtype=np.bool_)
    ahead_s = np.array([stamp.offset_s or 0 for stamp in stamps], dtype=np.float64)
    found = clock_s - ahead_s
    if not bare.any():
        return found
    _refuse_mixed(column, bare, ahead_s, form)
    rows = np.flatnonzero(bare)
    if form.local_times:
        part = column.only([int(row) for row in rows])
        found[rows] = utc_of(clock_s[rows], form, part, say, once=use.once)
    elif form.local_times is None:
        say(_taken_for_utc(len(rows), len(stamps), form.zone))
    return found


def _refuse_mixed(column: Column, bare: NDArray[np.bool_], ahead_s: NDArray[np.float64], form: Form) -> None:
    """Refuse times without an offset among such with one that is not UTC's, unless the user says what they are."""
    others = np.flatnonzero(ahead_s != 0)
    if form.local_times is None and len(others):
        other = int(others[0])
        what = f'has no offset, but "{column.cells[other]}" ({column.at(other)}) has one'
        raise column.fault(int(np.flatnonzero(bare)[0]), what, "say what the others are: --local-times or --utc-times")


def _taken_for_utc(count: int, of: int, zone: str) -> str:
    which = "times without an offset are" if count == of else f"{count} of {of} times have no offset and are"
    local = zone if zone != "UTC" else "a --zone"
    return f"{which} taken for UTC (--utc-times); if they are local ones of {local}: --local-times"


def _no_time(text: str) -> str:
    if SHORT_YEAR.fullmatch(text):
        return "is not a time: its year has two digits"
    zone = _ZONE_NAME.fullmatch(text)
    if zone and zone[1] not in {"UTC", "GMT"}:
        return f'is not a time: "{zone[1]}" is no offset'
    return "is not a time"


def _help(text: str) -> str:
    if SHORT_YEAR.fullmatch(text):
        return "say it: --time-format %d/%m/%y, for instance (time_format: in YAML)"
    if _ZONE_NAME.fullmatch(text):
        return "write offsets such as +01:00, or leave them out and say --local-times with --zone"
    if not text:
        return "correct or remove the row (is it a sum?)"
    if re.search(r"\d", text):
        return f"correct or remove the row; {_HELP}"
    return "correct or remove the row"
