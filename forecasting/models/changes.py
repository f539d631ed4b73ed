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
_WEEKS_BACK: Final = 3
_MEANS_HOURS: Final = (6, 12, 24, 72, 168)


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums of a weighted regression for every lead, by fold: gram (folds, leads, p, p), moment (folds, leads, p)."""

    gram: Floats
    moment: Floats

    def coefficients(self, ridge: Floats, without: int | None = None) -> Floats:
        """Return (leads, p, 1), learnt from all folds or from all but one."""
        gram, moment = self.gram.sum(axis=0), self.moment.sum(axis=0)
        if without is not None:
            gram, moment = gram - self.gram[without], moment - self.moment[without]
        return np.asarray(np.linalg.solve(gram + ridge, moment[..., None]))


def learn(scaled: Floats, moments: Moments, day: int, week: int, leads: int) -> Learnt:
    """Return what follows values (n,) without gaps, of which the first moment has three weeks and a day before it."""
    last_week = scaled[_before(moments.at, leads, week, 1)]
    seen = _features(scaled, last_week, moments.at, day, leads)
    followed = (moments.followed(scaled, leads) - last_week).T
    weights = ~np.isnan(followed) * moments.weights(_HALF_LIFE_DAYS)
    sums = _summed(seen, np.nan_to_num(followed), weights, moments.fold)
    ridge = _ridge(sums, weights)
    errors = np.empty_like(followed)
    for fold in range(FOLDS):
        out = moments.fold == fold
        errors[:, out] = followed[:, out] - (seen[:, out] @ sums.coefficients(ridge, fold))[..., 0]
    now = (seen[:, -1:] @ sums.coefficients(ridge))[:, 0, 0]
    return Learnt(last_week[-1] + now, errors.T)


def _before(at: NDArray[np.intp], leads: int, season: int, seasons: int) -> NDArray[np.intp]:
    """Return (rows, leads): where the same time of the season is, so many seasons before the first that is to come."""
    return at[:, None] + np.arange(leads) % season + 1 - season * seasons


def _features(scaled: Floats, last_week: Floats, at: NDArray[np.intp], day: int, leads: int) -> Floats:
    """Return (leads, rows, p): changes against last week now, and around each lead's time of week and day; and 1."""
    week = 7 * day
    change = np.concatenate((np.zeros(week), scaled[week:] - scaled[:-week]))
    now = [change[at - k] for k in (0, 1, 2, 3, max(day - 1, 0), day)]
    means = [trailing_mean(change, max(1, hours * day // 24))[at] for hours in _MEANS_HOURS]
    level = trailing_mean(scaled, week)
    common = [*now, *means, level[at] - level[at - day], np.ones(len(at))]
    weeks = [last_week - scaled[_before(at, leads, week, k)] for k in range(2, _WEEKS_BACK + 1)]
    days = [change[_before(at, leads, day, k)] for k in (1, 2)]
    seen = np.empty((leads, len(at), len(common) + len(weeks) + len(days)))
    for place, feature in enumerate(weeks + days):
        seen[:, :, place] = feature.T
    for place, feature in enumerate(common, start=len(weeks) + len(days)):
        seen[:, :, place] = feature
    return seen


def _summed(seen: Floats, followed: Floats, weights: Floats, folds: NDArray[np.intp]) -> _Sums:
    leads, _, size = seen.shape
    sums = _Sums(np.zeros((FOLDS, leads, size, size)), np.zeros((FOLDS, leads, size)))
    for fold in range(FOLDS):
        inside = folds == fold
        weighted = (seen[:, inside] * weights[:, inside, None]).transpose(0, 2, 1)
        sums.gram[fold] = weighted @ seen[:, inside]
        sums.moment[fold] = (weighted @ followed[:, inside, None])[..., 0]
    return sums


def _ridge(sums: _Sums, weights: Floats) -> Floats:
    """Return (leads, p, p); the constant is not held back."""
    size = sums.gram.shape[-1]
    squares = np.einsum("flii->i", sums.gram)[:-1].mean() / max(weights.sum(), 1e-300)
    diagonal = np.diag(np.append(np.ones(size - 1), 1e-3))
    return np.asarray((_PENALTY * squares + 1e-9) * (weights.sum(axis=1)[:, None, None] + 1e-3) * diagonal)
