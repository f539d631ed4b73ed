"""The next hours in fine bins: regressions on the means of the last minutes and on what is usual now.

Means over the last 1 to 240 minutes span the filters of a level and a trend under noise. Which of them is right (with
little noise the last bins, with much the last hours) is fitted, so that no variance need be known. What follows is
learnt as a line with few knots: the chance of arrivals in single bins averages out, whatever the step.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import hourly_profile, per_lead
from forecasting.models.origins import FOLDS, MemberForecast
from forecasting.models.per_lead import Features
from forecasting.models.profile import trailing_mean

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_MEANS_MINUTES: Final = (1, 10, 20, 30, 60, 120, 240)
_LEVEL_MINUTES: Final = 30
_SLOPE_MINUTES: Final = 60
"""The usual slope is read off means over so long, since bins are noisy."""
_BACK_MINUTES: Final = (30, 60, 120)
_LEAST_DAYS: Final = 4
_ROWS_DAYS: Final = 28
_MOST_ROWS: Final = 3000
_MOST_WEEKS: Final = 5
_KNOTS_MINUTES: Final = (0, 20, 60)
"""Of the line that follows; the last is at the horizon."""
_PENALTY: Final = 1e-3
_OUTLIER: Final = 10.0
"""In medians of the largest change: what went further was a failure or a crowd and teaches nothing of usual minutes."""
_ERROR_HOURS: Final = 1.0
"""Errors are taken from moments within so many hours of the time of day."""
_LESSON_HOURS: Final = 2.0
_LESSON_ELSEWHERE: Final = 0.1
"""How mornings rise says little of how evenings fall: moments at another time of day count so much."""


def fit(values: Floats, per_hour: int, leads: int) -> MemberForecast | None:
    """Return what follows, and the errors at moments near the time of day; None if there are too few values.

    Args:
        values: (n,) on the even scale, without gaps.
        per_hour: bins in an hour.
        leads: bins to forecast, some hours of them.
    """
    day = 24 * per_hour
    if len(values) < _LEAST_DAYS * day:
        return None
    weeks = int(np.clip(len(values) // (7 * day) - 2, 0, _MOST_WEEKS))
    at = _moments(len(values), max(7 * weeks, 1) * day + 5 * per_hour, day)
    back = len(values) - 1 - at
    apart = np.minimum(back % day, -back % day) / per_hour
    known = hourly_profile.recurring(values, per_hour, leads)
    values = values - known[: len(values)]
    level = trailing_mean(values, _bins(_LEVEL_MINUTES, per_hour))
    followed = _followed(values, at, leads) - level[at, None]
    line = _line(leads, per_hour)
    knots = followed @ np.linalg.pinv(line).T
    seen = _seen(values, level, at, (per_hour, weeks), line)
    usual = np.prod([_usual_rows(changes) for changes in (followed, seen.common[:, 1:], *seen.own)], axis=0)
    weights = ~np.isnan(knots) * (usual * _nearness(apart))[:, None]
    centre, missed = per_lead.fit(seen, knots, weights, back // day % FOLDS, _PENALTY)
    learnt = np.where(weights > 0, knots, 0.0)
    centre, said = (np.clip(far, learnt.min(axis=0), learnt.max(axis=0)) for far in (centre, knots - missed))
    errors = followed - said @ line.T
    return MemberForecast(
        level[-1] + line @ centre + known[len(values) :], errors[(weights[:, -1] > 0) & (apart <= _ERROR_HOURS)]
    )


def _line(leads: int, per_hour: int) -> Floats:
    """Return (leads, knots), how much of each knot is in each lead: straight lines between neighbours."""
    at = (np.arange(leads) + 0.5) * 60 / per_hour
    horizon = leads * 60 / per_hour
    knots = [*(minutes for minutes in _KNOTS_MINUTES if minutes < horizon), horizon]
    return np.stack([np.interp(at, knots, one) for one in np.eye(len(knots))], axis=1)


def _bins(minutes: int, per_hour: int) -> int:
    return max(1, minutes * per_hour // 60)


def _moments(count: int, first: int, day: int) -> Places:
    """Return indices of bins at which a forecast could have been made, ascending; the last is now."""
    back = min(count - 1 - first, _ROWS_DAYS * day)
    return np.asarray(count - 1 - np.arange(0, back, max(1, back // _MOST_ROWS))[::-1], dtype=np.intp)


def _followed(values: Floats, at: Places, leads: int) -> Floats:
    """Return (rows, leads), NaN where still to come."""
    ahead = np.concatenate((values, np.full(leads, np.nan)))
    return np.lib.stride_tricks.sliding_window_view(ahead[1:], leads)[at]


def _usual_rows(changes: Floats) -> Floats:
    """Return (rows,), 1 where no change (rows, k) is beyond what is usual, else 0."""
    furthest = np.nan_to_num(np.abs(changes)).max(axis=1)
    return np.asarray(furthest <= _OUTLIER * np.median(furthest), dtype=np.float64)


def _nearness(apart: Floats) -> Floats:
    return np.asarray(_LESSON_ELSEWHERE + (1 - _LESSON_ELSEWHERE) * np.exp(-((apart / _LESSON_HOURS) ** 2)))


def _seen(values: Floats, level: Floats, at: Places, shape: tuple[int, int], line: Floats) -> Features:
    """Return the features of moments `at`; `shape` is bins in an hour and weeks to look back.

    For all knots of the line: 1, the means of the last minutes and hours against the level, how it came here at this
    time on the days and in the weeks before, and how far the last hour is from theirs. For each: how it went on then.
    """
    per_hour, weeks = shape
    day = 24 * per_hour
    widths = sorted({_bins(minutes, per_hour) for minutes in _MEANS_MINUTES})
    last = [trailing_mean(values, width)[at] - level[at] for width in widths]
    hourly = trailing_mean(values, per_hour)
    off = [hourly[at] - usual for usual in _then(hourly, at, day, weeks)]
    came = [
        now - before
        for minutes in _BACK_MINUTES
        for now, before in zip(
            _then(level, at, day, weeks), _then(level, at - _bins(minutes, per_hour), day, weeks), strict=True
        )
    ]
    width = _bins(_SLOPE_MINUTES, per_hour)
    centred = np.roll(trailing_mean(values, width), -(width // 2))  # the newest, rolled wrong, are never looked at
    ahead = at[:, None] + np.arange(1, len(line) + 1)
    knots = np.linalg.pinv(line).T
    went = [
        (later - now[:, None]) @ knots
        for later, now in zip(_then(centred, ahead, day, weeks), _then(centred, at, day, weeks), strict=True)
    ]
    return Features(np.column_stack([np.ones(len(at)), *last, *off, *came]), tuple(went))


def _then(values: Floats, at: Places, day: int, weeks: int) -> list[Floats]:
    """Return values at the same time yesterday and, if weeks are known, their means over a week and over weekdays."""
    if not weeks:
        return [values[at - day]]
    daily = np.mean([values[at - day * back] for back in range(1, 8)], axis=0)
    weekly = np.mean([values[at - 7 * day * week] for week in range(1, weeks + 1)], axis=0)
    return [values[at - day], daily, weekly]
