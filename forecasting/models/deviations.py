"""How deviations from the usual week go on: direct ridge regression of every lead on what the series does now."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.origins import FOLDS, MemberForecast, Origins
from forecasting.models.profile import Profile, trailing_mean, weekly_profile

Floats = NDArray[np.float64]

_HALF_LIFE_DAYS: Final = 14.0
_PENALTIES: Final = (0.01, 0.05, 0.3)
"""Tried on weeks left out; in units of the mean squared deviation."""
_PENALTY_OF_CONSTANT: Final = 0.2
_BLOCK_ENDS_DAYS: Final = (0.25, 1.0, 3.0, np.inf)
"""Leads up to each are learnt together, from all moments whose future is known so far."""


def fit(scaled: Floats, origins: Origins, day: int, week: int, leads: int) -> MemberForecast:
    """Return what follows values (n,) without gaps, of which the first moment has two weeks and a day before it."""
    profile = weekly_profile(scaled, week)
    centred = profile.centred(scaled)
    seen = _features(np.nan_to_num(centred), profile.level, day, week)[origins.at]
    followed = origins.followed(centred, leads) - profile.level[origins.at, None]
    centre, errors = np.empty(leads), np.full_like(followed, np.nan)
    first = 0
    for last in _block_ends(day, leads):
        rows = np.flatnonzero(~np.isnan(followed[:, last - 1]))
        block = slice(first, last)
        lesson = _Lesson(seen[rows], followed[rows, block], origins.weights(_HALF_LIFE_DAYS)[rows], origins.fold[rows])
        penalty, errors[rows, block] = lesson.best()
        centre[block] = seen[-1] @ lesson.coefficients(penalty)
        first = last
    return MemberForecast(profile.level[-1] + _future(profile, week, leads) + centre, errors)


def _block_ends(day: int, leads: int) -> list[int]:
    ends = {leads if np.isinf(days) else min(int(days * day), leads) for days in _BLOCK_ENDS_DAYS}
    return sorted(ends - {0})


def _future(profile: Profile, week: int, leads: int) -> Floats:
    """Return the shape at each lead; beyond a week it repeats."""
    return np.resize(profile.shape[-week:], leads)


def _features(centred: Floats, level: Floats, day: int, week: int) -> Floats:
    """Return (n, p): the last day's deviations, the means of the last seven days, the level's change, and 1."""
    daily = trailing_mean(centred, day)
    deviations = [_lagged(centred, k) - level for k in range(max(day, 3))]
    days = [_lagged(daily, k * day) - level for k in range(7)]
    changes = [level - _lagged(level, k) for k in (day, week)]
    seen = np.column_stack(deviations + days + changes)
    size = float(np.sqrt(np.mean(seen[3 * week + day :] ** 2))) or 1.0
    return np.column_stack((seen / size, np.ones(len(seen))))


def _lagged(values: Floats, bins: int) -> Floats:
    return np.concatenate((np.full(bins, values[0]), values[: len(values) - bins]))


class _Lesson:
    """Weighted ridge regression of several leads at once (Hoerl & Kennard, Technometrics 12, 1970)."""

    def __init__(self, seen: Floats, followed: Floats, weights: Floats, fold: NDArray[np.intp]) -> None:
        """Take (r, p), (r, k), (r,) and (r,)."""
        self.seen, self.followed, self.weights, self.fold = seen, followed, weights / weights.sum(), fold
        self.weighted = seen * self.weights[:, None]
        self.gram, self.moment = self.weighted.T @ seen, self.weighted.T @ followed
        self.ridge = np.eye(seen.shape[1])
        self.ridge[-1, -1] = _PENALTY_OF_CONSTANT

    def best(self) -> tuple[float, Floats]:
        """Return the penalty that misses least on weeks left out, and its errors there (r, k)."""
        tried = [self._errors(penalty) for penalty in _PENALTIES]
        missed = [float(self.weights @ (errors**2).sum(axis=1)) for errors in tried]
        best = int(np.argmin(missed))
        return _PENALTIES[best], tried[best]

    def coefficients(self, penalty: float) -> Floats:
        """Return (p, k)."""
        return np.asarray(np.linalg.solve(self.gram + penalty * self.ridge, self.moment))

    def _errors(self, penalty: float) -> Floats:
        missed = np.empty_like(self.followed)
        for fold in range(FOLDS):
            out = self.fold == fold
            weighted = self.weighted[out].T
            gram = self.gram - weighted @ self.seen[out] + penalty * self.ridge
            moment = self.moment - weighted @ self.followed[out]
            missed[out] = self.followed[out] - self.seen[out] @ np.linalg.solve(gram, moment)
        return missed
