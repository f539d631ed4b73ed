"""Holidays from a calendar: those past teach nothing of usual weeks, those to come go like a Sunday."""

from collections.abc import Collection
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_WEEKS: Final = 4
_SUNDAY_FIRST: Final = 4
"""1970-01-01 was a Thursday: so many days after a Sunday."""


def day_numbers(days: Collection[date]) -> Places:
    """Return days since 1970, sorted."""
    return np.array(sorted((day - date(1970, 1, 1)).days for day in days), dtype=np.int64)


def without(scaled: Floats, places: Places, holidays: Places, day: int) -> Floats:
    """Return values (n,) at places on the wall clock with the holidays as gaps, but for the first day and the last."""
    numbers = places // day
    past = np.isin(numbers, holidays) & (numbers > numbers[0]) & (numbers < numbers[-1])
    return np.where(past, np.nan, scaled)


def like_sundays(usual: Floats, ahead: Places, holidays: Places, day: int) -> Floats:
    """Return what to add to the forecast at places `ahead` (leads,) so that holidays go like the Sunday before.

    A holiday that has begun is left alone: what is special in it shows in the deviations already.

    Args:
        usual: (n,) values without gaps that end just before the first place, at least a week of them.
        ahead: places on the wall clock.
        holidays: days since 1970.
        day: bins a day.
    """
    week = 7 * day
    weeks = min(_WEEKS, len(usual) // week)
    profile = usual[len(usual) - weeks * week :].reshape(weeks, week).mean(axis=0)
    leads = ahead - ahead[0]
    since_sunday = (ahead // day + _SUNDAY_FIRST) % 7
    begun = (ahead[0] - 1) // day
    coming = np.isin(ahead // day, holidays[holidays != begun])
    sunday = profile[(leads - since_sunday * day) % week]
    return np.where(coming, sunday - profile[leads % week], 0.0)
