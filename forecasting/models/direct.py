"""Direct ridge regression of every lead on what the series does now, and its errors on weeks it has not seen."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.cloud import Cloud
from forecasting.models.profile import Profile, trailing_mean, weekly_profile

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

LEAST_WEEKS: Final = 4
_HALF_LIFE_DAYS: Final = 28.0
_PENALTIES: Final = (0.01, 0.05, 0.3)
_PENALTY_OF_CONSTANT: Final = 0.2
_FOLDS: Final = 8
_ERROR_HOURS: Final = 3
_ALL_HOURS: Final = 12.0
_LEAST_WEIGHT: Final = 1e-3
_BLOCKS: Final = ((0.25, 6.0), (1.0, 6.0), (2.0, 24.0), (4.0, 24.0), (np.inf, 24.0))
"""Leads up to so many days learn from moments within so many hours of the time of day; 12 and above: from all."""


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What past moments saw and what followed; row i is moment i, the last row is now.

    Attributes:
        features: (rows, p).
        targets: (rows, leads), NaN where still to come.
        age_days: (rows,).
        hours_apart: (rows,), distance of the time of day from now's, 0 to 12.
    """

    features: Floats
    targets: Floats
    age_days: Floats
    hours_apart: Floats

    def weights(self, hours: float) -> Floats:
        """Return (rows,): the newer and the nearer in time of day, the more."""
        age = 0.5 ** (self.age_days / _HALF_LIFE_DAYS)
        return age if hours >= _ALL_HOURS else age * np.maximum(1 - self.hours_apart / (hours + 1), 0.0)


def forecast(scaled: Floats, day: int, week: int, leads: int) -> Cloud:
    """Return the paths that follow values (n,) without gaps, n at least `LEAST_WEEKS` weeks.

    Errors are those of fits that left out the week in question (cross-validation by blocks: neighbours in time are
    too alike to be left out one by one).
    """
    profile = weekly_profile(scaled, week)
    lessons = _lessons(profile.centred(scaled), profile.level, day, week, leads)
    centre, errors = np.empty(leads), np.full_like(lessons.targets, np.nan)
    first = 0
    for days, hours in _BLOCKS:
        last = int(min(days * day, leads)) if np.isfinite(days) else leads
        if last > first:
            centre[first:last] = _block(lessons, slice(first, last), hours, week, errors)
        first = max(first, last)
    used = lessons.weights(_ERROR_HOURS)
    return Cloud(profile.level[-1] + _future(profile, week, leads) + centre, errors, used)


def _future(profile: Profile, week: int, leads: int) -> Floats:
    """Return the shape at each lead; beyond a week it repeats."""
    return np.resize(profile.shape[-week:], leads)


def _lessons(centred: Floats, level: Floats, day: int, week: int, leads: int) -> Lessons:
    start = 2 * week + day
    rows = len(centred) - start
    features = _features(centred, level, day, week)[start:]
    ahead = np.concatenate((centred, np.full(leads, np.nan)))
    targets = np.lib.stride_tricks.sliding_window_view(ahead[start + 1 :], leads)[:rows] - level[start:, None]
    back = np.arange(rows)[::-1]
    apart = np.minimum(back % day, -back % day) * (24 / day)
    return Lessons(features, targets, back / day, apart)


def _features(centred: Floats, level: Floats, day: int, week: int) -> Floats:
    """Return (n, p): the last day's deviations, the means of the last seven days, the level's change, and 1."""
    known = np.nan_to_num(centred)
    daily = trailing_mean(known, day)
    deviations = [_lagged(known, k) - level for k in range(max(day, 3))]
    days = [_lagged(daily, k * day) - level for k in range(7)]
    changes = [level - _lagged(level, k) for k in (day, week)]
    seen = np.column_stack(deviations + days + changes)
    size = np.sqrt(np.mean(seen[2 * week + day :] ** 2)) or 1.0
    return np.column_stack((seen / size, np.ones(len(seen))))


def _lagged(values: Floats, bins: int) -> Floats:
    return np.concatenate((np.full(bins, values[0]), values[: len(values) - bins]))


def _block(lessons: Lessons, leads: slice, hours: float, week: int, errors: Floats) -> Floats:
    """Return the forecast (k,) of a block of leads; fill in its errors."""
    weights = lessons.weights(hours)
    rows = np.flatnonzero((weights > _LEAST_WEIGHT) & ~np.isnan(lessons.targets[:, leads.stop - 1]))
    lesson = _Lesson(lessons.features[rows], lessons.targets[rows, leads], weights[rows] / weights[rows].sum())
    folds = (len(lessons.features) - 1 - rows) // week % _FOLDS
    tried = [lesson.errors(penalty, folds) for penalty in _PENALTIES]
    best = int(np.argmin([lesson.weights @ (e**2).sum(axis=1) for e in tried]))
    errors[rows, leads] = tried[best]
    return np.asarray(lessons.features[-1] @ lesson.coefficients(_PENALTIES[best]))


class _Lesson:
    """Weighted ridge regression of several leads at once; `weights` sum to 1."""

    def __init__(self, seen: Floats, followed: Floats, weights: Floats) -> None:
        """Take (r, p), (r, k) and (r,)."""
        self.seen, self.followed, self.weights = seen, followed, weights
        self.weighted = seen * weights[:, None]
        self.gram, self.moment = self.weighted.T @ seen, self.weighted.T @ followed
        self.ridge = np.eye(seen.shape[1])
        self.ridge[-1, -1] = _PENALTY_OF_CONSTANT

    def coefficients(self, penalty: float) -> Floats:
        """Return (p, k)."""
        return np.asarray(np.linalg.solve(self.gram + penalty * self.ridge, self.moment))

    def errors(self, penalty: float, folds: NDArray[np.intp]) -> Floats:
        """Return (r, k): what each row's fold would have been missed by without it."""
        missed = np.empty_like(self.followed)
        for fold in range(_FOLDS):
            out = folds == fold
            weighted = self.weighted[out].T
            gram = self.gram - weighted @ self.seen[out] + penalty * self.ridge
            moment = self.moment - weighted @ self.followed[out]
            missed[out] = self.followed[out] - self.seen[out] @ np.linalg.solve(gram, moment)
        return missed
