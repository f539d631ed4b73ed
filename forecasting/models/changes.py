"""How far a lead will be from the same time last week: one ridge regression a lead on changes from week to week."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.moments import FOLDS, Learnt, Moments
from forecasting.models.profile import trailing_mean

Floats = NDArray[np.float64]

_HALF_LIFE_DAYS: Final = 28.0
_PENALTY: Final = 0.02
"""In units of the mean squared change."""
_PENALTY_OF_CONSTANT: Final = 1e-3
_WEEKS_BACK: Final = 3
_MEANS_HOURS: Final = (6, 12, 24, 72, 168)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Features of all leads: `common` (rows, c) alike for all, `own` (rows, leads) each, one value a lead."""

    common: Floats
    own: tuple[Floats, ...]

    def __getitem__(self, rows: NDArray[np.bool_] | slice) -> "_Seen":
        """Return the same of some rows."""
        return _Seen(self.common[rows], tuple(feature[rows] for feature in self.own))

    def predict(self, coefficients: Floats) -> Floats:
        """Return (rows, leads) for coefficients (leads, p), those of `common` first."""
        size = self.common.shape[1]
        said = self.common @ coefficients[:, :size].T
        for place, feature in enumerate(self.own, start=size):
            said += feature * coefficients[:, place]
        return np.asarray(said)


def learn(scaled: Floats, moments: Moments, day: int, week: int, leads: int) -> Learnt:
    """Return what follows values (n,) without gaps, of which the first moment has three weeks and a day before it."""
    last_week = scaled[_before(moments.at, leads, week, 1)]
    seen = _features(scaled, last_week, moments.at, day, leads)
    followed = moments.followed(scaled, leads) - last_week
    weights = ~np.isnan(followed) * moments.weights(_HALF_LIFE_DAYS)[:, None]
    folds = [moments.fold == fold for fold in range(FOLDS)]
    sums = [_summed(seen[out], np.nan_to_num(followed[out]), weights[out]) for out in folds]
    total = np.sum(sums, axis=0)
    ridge = _ridge(total, weights)
    errors = np.empty_like(followed)
    for out, part in zip(folds, sums, strict=True):
        errors[out] = followed[out] - seen[out].predict(_solved(total - part, ridge))
    return Learnt(last_week[-1] + seen[-1:].predict(_solved(total, ridge))[0], errors)


def _before(at: NDArray[np.intp], leads: int, season: int, seasons: int) -> NDArray[np.intp]:
    """Return (rows, leads): where the same time of the season is, so many seasons before the first that is to come."""
    return at[:, None] + np.arange(leads) % season + 1 - season * seasons


def _features(scaled: Floats, last_week: Floats, at: NDArray[np.intp], day: int, leads: int) -> _Seen:
    """Return the changes against last week now, and those around each lead's time of the week and of the day."""
    week = 7 * day
    change = np.concatenate((np.zeros(week), scaled[week:] - scaled[:-week]))
    now = [change[at - k] for k in (0, 1, 2, 3, max(day - 1, 0), day)]
    means = [trailing_mean(change, max(1, hours * day // 24))[at] for hours in _MEANS_HOURS]
    level = trailing_mean(scaled, week)
    common = np.column_stack([np.ones(len(at)), *now, *means, level[at] - level[at - day]])
    weeks = [last_week - scaled[_before(at, leads, week, k)] for k in range(2, _WEEKS_BACK + 1)]
    days = [change[_before(at, leads, day, k)] for k in (1, 2)]
    return _Seen(common, (*weeks, *days))


def _summed(seen: _Seen, followed: Floats, weights: Floats) -> Floats:
    """Return (leads, p + 1, p + 1), sums of squares and products of the features and, last, of what followed."""
    rows, size = seen.common.shape
    own = (*seen.own, followed)
    sums = np.empty((followed.shape[1], size + len(own), size + len(own)))
    squares = (seen.common[:, :, None] * seen.common[:, None, :]).reshape(rows, size * size)
    sums[:, :size, :size] = (weights.T @ squares).reshape(-1, size, size)
    for i, feature in enumerate(own, start=size):
        weighted = weights * feature
        sums[:, i, :size] = sums[:, :size, i] = weighted.T @ seen.common
        for j, other in enumerate(own[: i - size + 1], start=size):
            sums[:, i, j] = sums[:, j, i] = np.einsum("rl,rl->l", weighted, other)
    return sums


def _ridge(sums: Floats, weights: Floats) -> Floats:
    """Return (leads, p, p), the penalty; the constant, which comes first, is hardly held back."""
    size = sums.shape[-1] - 1
    squares = np.einsum("lii->i", sums)[1:size].mean() / max(weights.sum(), 1e-300)
    diagonal = np.diag(np.append(_PENALTY_OF_CONSTANT, np.ones(size - 1)))
    return np.asarray((_PENALTY * squares + 1e-9) * (weights.sum(axis=0)[:, None, None] + 1e-3) * diagonal)


def _solved(sums: Floats, ridge: Floats) -> Floats:
    """Return (leads, p), the coefficients."""
    return np.asarray(np.linalg.solve(sums[:, :-1, :-1] + ridge, sums[:, :-1, -1:])[..., 0])
