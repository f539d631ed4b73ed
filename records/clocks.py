"""From what a clock on the wall showed to moments: the hour that comes twice, and the one that never comes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from records.fault import RecordError, Say
from records.form import Form
from records.table import Column

_LONGEST_FOLD_S = 3 * 3600


def utc_of(clock_s: NDArray[np.float64], form: Form, column: Column, say: Say, *, once: bool) -> NDArray[np.float64]:
    """Return epoch seconds, (n,), of local times, (n,), in the order of the file.

    When clocks go back an hour comes twice. Which is which is told by the order of the rows, forwards or backwards; a
    time that comes only once is taken for the first, and that is told.

    Args:
        clock_s: what the clock showed, as if it showed UTC.
        form: has the zone.
        column: where the times are from.
        say: is told what is assumed.
        once: whether each moment has one row, so that the same time again is an hour later.

    Raises:
        RecordError: the zone is unknown; a time never was, because clocks went forward; or rows in no order leave
            open which of two is which.
    """
    place = zone_of(form.zone)
    folds = np.array([_offsets(at, place) for at in clock_s], dtype=np.float64).reshape(-1, 2)
    skipped = np.flatnonzero(folds[:, 0] < folds[:, 1])
    if len(skipped):
        what = f"never was in {form.zone}: clocks went forward over it"
        raise column.fault(int(skipped[0]), what, "another --zone; or without --local-times, if these are UTC")
    doubled = folds[:, 0] > folds[:, 1]
    if not doubled.any():
        return clock_s - folds[:, 0]
    for later in (_later(clock_s, doubled, once=once), _later(clock_s[::-1], doubled[::-1], once=once)[::-1]):
        found = clock_s - np.where(later, folds[:, 1], folds[:, 0])
        steps = np.diff(found)
        if (steps >= 0).all() or (steps <= 0).all():
            _say_alone(clock_s, doubled, later, column, say)
            return found
    return _in_no_order(clock_s, folds, doubled, column, say, once=once)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        RecordError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a bad form, a directory, and a name that is not there
        raise RecordError(f'no time zone is called "{name}"', help="an IANA name such as Europe/Berlin") from None


def comes_twice(clock_s: float, zone: str) -> bool:
    """Whether clocks of a zone show a time twice."""
    first, second = _offsets(clock_s, zone_of(zone))
    return first > second


def never_comes(clock_s: float, zone: str) -> bool:
    """Whether clocks of a zone go over a time."""
    first, second = _offsets(clock_s, zone_of(zone))
    return first < second


def _offsets(clock_s: float, zone: ZoneInfo) -> tuple[float, float]:
    """Return the seconds that clocks are ahead the first and the second time that they show a time."""
    at = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(clock_s))).replace(tzinfo=zone)
    first, second = at.utcoffset(), at.replace(fold=1).utcoffset()
    return (first or timedelta()).total_seconds(), (second or timedelta()).total_seconds()


def _later(clock_s: NDArray[np.float64], doubled: NDArray[np.bool_], *, once: bool) -> NDArray[np.bool_]:
    """Return which rows are the second time that their clock shows the same, (n,), if rows are in order of time."""
    later = np.zeros(len(clock_s), dtype=np.bool_)
    for index in np.flatnonzero(doubled):
        if index and doubled[index - 1]:
            back_s = clock_s[index - 1] - clock_s[index]
            turned = 0 < back_s < _LONGEST_FOLD_S or (once and back_s == 0)
            later[index] = later[index - 1] or turned
    return later


def _in_no_order(  # noqa: PLR0913  # all that is known of the rows
    clock_s: NDArray[np.float64],
    folds: NDArray[np.float64],
    doubled: NDArray[np.bool_],
    column: Column,
    say: Say,
    *,
    once: bool,
) -> NDArray[np.float64]:
    """Return epoch seconds where the order tells nothing: of times that come once, the first hour."""
    seen: set[float] = set()
    for index in np.flatnonzero(doubled):
        if once and clock_s[index] in seen:
            what = "comes twice when clocks go back, and rows are in no order that tells which is which"
            raise column.fault(int(index), what, "sort the rows by time before they are written, or write offsets")
        seen.add(float(clock_s[index]))
    _say_alone(clock_s, doubled, np.zeros(len(clock_s), dtype=np.bool_), column, say)
    return clock_s - folds[:, 0]


def _say_alone(
    clock_s: NDArray[np.float64], doubled: NDArray[np.bool_], later: NDArray[np.bool_], column: Column, say: Say
) -> None:
    """Tell of times that could be either of two hours, where the other is not there."""
    both = set(clock_s[later])
    alone = [int(index) for index in np.flatnonzero(doubled & ~later) if clock_s[index] not in both]
    if alone:
        more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
        first = f'"{column.cells[alone[0]]}" ({column.at(alone[0])})'
        say(f"{first}{more} could be either of two hours when clocks go back: taken for the first")
