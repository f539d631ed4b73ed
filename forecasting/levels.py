"""How much traffic there was against its own usual shape: a line in which outages and launches stand out."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.quantiles import nan_median, rolling_median

Floats = NDArray[np.float64]

_DAY_S: Final = 86400
_WEEK_DAYS: Final = 7
_LEAST_DAYS: Final = 2
_WEEKS_FOR_WEEKDAYS: Final = 2
_TWO_WEEKS: Final = 2
_MONTH: Final = 4
_BUSY: Final = 0.8
"""The level of a season is what four of five of its bins keep to: an outage of hours does not move it."""
_FAILED: Final = 0.05
"""A season whose level is below this share of the middle one says nothing of the shape."""
_QUIET: Final = 0.03
"""Bins that are usually below this share of the busiest tell nothing of an outage."""
_AROUND_DAYS: Final = 21
_LEVEL_S: Final = 3600


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Traffic against its shape.

    Attributes:
        shape: (n,), the usual shape at each bin; NaN where that is next to nothing.
        now: (n,), values over the shape; NaN where one of them is not known.
        usual: (n,), the middle of the days of three weeks before and after, without days that failed.
        highest_before, highest_after: (n,), the highest level that held for about three hours, before and after each
            bin. The last bin counts by itself, as it may be the first after an outage.
    """

    shape: Floats
    now: Floats
    usual: Floats
    highest_before: Floats
    highest_after: Floats

    @classmethod
    def of(cls, values: Floats, shape: Floats, step_s: int) -> Self:
        """Return the levels of values (n,) against a shape (n,)."""
        now = values / shape
        width = max(1, _LEVEL_S // step_s)
        held = np.nan_to_num(rolling_median(now, width, width))
        known = np.flatnonzero(~np.isnan(now))
        held[known[-1]] = now[known[-1]]
        before = np.concatenate(([0.0], np.maximum.accumulate(held)[:-1]))
        after = np.concatenate((np.maximum.accumulate(held[::-1])[::-1][1:], [0.0]))
        return cls(shape, now, _usual(now, _DAY_S // step_s), before, after)


def levels_of(values: Floats, step_s: int) -> Levels | None:
    """Return the levels of values (n,), NaN where missing; None of less than two days, or of hardly any traffic."""
    day = _DAY_S // step_s
    weekly = len(values) >= _WEEKS_FOR_WEEKDAYS * _WEEK_DAYS * day
    if len(values) < _LEAST_DAYS * day:
        return None
    shape = _of_weeks(values, day) if weekly else _shape(_against_level(values, day, day), len(values))
    busiest = float(np.nanmax(shape, initial=0.0))
    if busiest <= 0:
        return None
    shape = np.where(shape >= _QUIET * busiest, shape, np.nan)
    return Levels.of(values, shape, step_s) if (~np.isnan(values / shape)).any() else None


def _seasons(values: Floats, season: int) -> Floats:
    """Return (seasons, season), so that the newest is whole."""
    return np.concatenate((np.full(-len(values) % season, np.nan), values)).reshape(-1, season)


def _of_weeks(values: Floats, day: int) -> Floats:
    """Return (n,), the shape of the week.

    While few weeks are known the shape of the day has votes in their median, so many that a failure or two are none.
    """
    weeks = _against_level(values, _WEEK_DAYS * day, day)
    daily = np.tile(nan_median(_against_level(values, day, day)), _WEEK_DAYS)
    known = (~np.isnan(weeks)).sum(axis=0)
    wanted = np.where(known <= _TWO_WEEKS, _TWO_WEEKS + 1, np.where(known <= _MONTH, _MONTH + 1, 0))
    votes = np.stack([np.where(known + given < wanted, daily, np.nan) for given in range(2)])
    return _shape(np.vstack((weeks, votes)), len(values))


def _against_level(values: Floats, season: int, day: int) -> Floats:
    """Return (seasons, season), what bins were over the middle level of their days; without seasons that failed."""
    seasons = _seasons(values, season)
    level = nan_median(_levels(seasons.reshape(-1, day)).reshape(len(seasons), -1).T)
    positive = level[level > 0]
    said = level > _FAILED * np.median(positive) if len(positive) else np.zeros(len(level), dtype=np.bool_)
    return np.asarray(seasons[said] / level[said, None])


def _levels(days: Floats) -> Floats:
    """Return (days,), what four of five bins of each keep to; NaN where none is known."""
    ordered = np.sort(days, axis=1)
    known = (~np.isnan(days)).sum(axis=1)
    return np.asarray(ordered[np.arange(len(days)), np.maximum(np.ceil(known * _BUSY).astype(np.intp) - 1, 0)])


def _shape(seasons: Floats, n: int) -> Floats:
    """Return the middle of seasons (k, season), repeated up to a length, the newest whole; 0 where none is known."""
    middle = np.nan_to_num(nan_median(seasons))
    return np.asarray(np.tile(middle, -(-n // len(middle)))[-n:])


def _usual(now: Floats, day: int) -> Floats:
    """Return (n,), the middle of the days around each bin."""
    days = nan_median(_seasons(now, day).T)
    known = days[~np.isnan(days)]
    said = np.where(days > _FAILED * np.quantile(known, _BUSY), days, np.nan) if len(known) else days
    around = rolling_median(said, _AROUND_DAYS, _AROUND_DAYS)
    return np.asarray(np.repeat(around, day)[len(days) * day - len(now) :])
