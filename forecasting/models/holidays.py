"""Holidays from a calendar: they take on the shape of a Sunday, by as much as the series' past holidays did.

Their level stays as it is until holidays were seen to have a Sunday's: a feast day is quieter or livelier than a
Sunday, a season of holidays shifts whole weeks, and the forecast follows the level that there is.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_WEEKS: Final = 4
"""Before a holiday; their mean is what would have been usual."""
_SUNDAY: Final = 3
"""1970-01-01 was a Thursday: the day number of every Sunday leaves this when divided by 7."""
_SHAPE_UNTRIED: Final = 0.5
_WORTH_OF_UNTRIED: Final = 2.0
"""The shape's share for a series whose holidays are not known counts like so many holidays seen."""
_LEVEL_NOISE: Final = 0.5
"""Against which a Sunday's distance in level counts, on the logarithmic scale. Large, as the forecast follows the level
anyway: it is for traffic of offices, not for whole weeks that Christmas shifts."""
_HOURS_TOLD: Final = 0.8
"""Of a day, at least, to learn from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Custom:
    """How a series keeps its holidays.

    Attributes:
        days: of all holidays, since 1970.
        shape, level: how far a holiday goes from its weekday to a Sunday, 0 to 1.
    """

    days: Places
    shape: float
    level: float


def day_numbers(days: Collection[date]) -> Places:
    """Return days since 1970, sorted."""
    return np.array(sorted((day - date(1970, 1, 1)).days for day in days), dtype=np.int64)


def like_sundays(usual: Floats, ended: int, ahead: Places, custom: Custom, day: int) -> Floats:
    """Return what to add to the forecast at places `ahead` (leads,) so that holidays go towards a Sunday.

    A holiday that has begun is left alone: what is special in it shows in the deviations already.

    Args:
        usual: (n,) values without gaps, at least a week of them.
        ended: the place after the last of them on the wall clock.
        ahead: places on the wall clock.
        custom: which days, and how far they go.
        day: bins a day.
    """
    week = 7 * day
    weeks = min(_WEEKS, len(usual) // week)
    profile = usual[len(usual) - weeks * week :].reshape(weeks, week).mean(axis=0)
    days = np.roll(profile, ended % week).reshape(7, day)
    level = days[_SUNDAY].mean() - days.mean(axis=1)
    shape = days[_SUNDAY] - days - level[:, None]
    change = custom.shape * shape + custom.level * level[:, None]
    begun = (ahead[0] - 1) // day
    coming = np.isin(ahead // day, custom.days[custom.days != begun])
    return np.where(coming, change[ahead // day % 7, ahead % day], 0.0)


def learnt(values: Floats, first: int, holidays: Places, day: int) -> Custom:
    """Return how a series kept its holidays.

    Each says the slope of its shape, as far as that is one between none and all; they are averaged with what is to be
    expected of an unknown series. Levels are regressed on those of Sundays, held back by what any day is off.

    Args:
        values: (n,), the whole history, NaN where missing.
        first: place of the first on the wall clock.
        holidays: days since 1970, past and to come.
        day: bins a day.
    """
    skipped = -first % day
    whole = values[skipped : skipped + (len(values) - skipped) // day * day].reshape(-1, day)
    past = holidays - (first + skipped) // day
    seen = list(_seen(whole, past[(past >= 7 * _WEEKS) & (past < len(whole))], (first + skipped) // day))
    slopes = [_slope(way - way.mean(), gone - gone.mean()) for way, gone in seen if np.ptp(way) > 0]
    shape = (_WORTH_OF_UNTRIED * _SHAPE_UNTRIED + sum(slopes)) / (_WORTH_OF_UNTRIED + len(slopes))
    means = np.array([(way.mean(), gone.mean()) for way, gone in seen]).reshape(-1, 2)
    level = float(means[:, 0] @ means[:, 1]) / (float(means[:, 0] @ means[:, 0]) + _LEVEL_NOISE**2)
    return Custom(holidays, shape, float(np.clip(level, 0.0, 1.0)))


def _seen(days: Floats, past: Places, first: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield what a Sunday was above the weekday before each past holiday, and what the holiday was above it.

    Those on Sundays, and those of which little is known, say nothing.
    """
    weeks = 7 * np.arange(_WEEKS)
    for at in past:
        back = (at + first - _SUNDAY) % 7
        usual, sunday = days[at - 7 - weeks].mean(axis=0), days[at - back - weeks[:-1]].mean(axis=0)
        known = ~np.isnan(usual + sunday + days[at])
        if back and known.mean() >= _HOURS_TOLD:
            yield (sunday - usual)[known], (days[at] - usual)[known]


def _slope(way: Floats, gone: Floats) -> float:
    return float(np.clip(way @ gone / (way @ way), 0.0, 1.0))
