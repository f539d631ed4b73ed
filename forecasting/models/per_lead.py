"""One ridge regression a lead, on features that all leads share and some of each lead's own."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_PENALTY_OF_CONSTANT: Final = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of all leads: `common` (rows, c), the constant first, and `own` (rows, leads) each, one value a lead."""

    common: Floats
    own: tuple[Floats, ...]

    def __getitem__(self, rows: NDArray[np.bool_] | slice) -> "Features":
        """Return the same of some rows."""
        return Features(self.common[rows], tuple(feature[rows] for feature in self.own))

    def predict(self, coefficients: Floats) -> Floats:
        """Return (rows, leads) for coefficients (leads, p), those of `common` first."""
        size = self.common.shape[1]
        said = self.common @ coefficients[:, :size].T
        for place, feature in enumerate(self.own, start=size):
            said += feature * coefficients[:, place]
        return np.asarray(said)


def fit(
    seen: Features, followed: Floats, weights: Floats, fold: NDArray[np.intp], penalty: float
) -> tuple[Floats, Floats]:
    """Return what the last row's features say, (leads,), and the errors of all rows on folds left out, (rows, leads).

    Args:
        seen: features of all rows.
        followed: (rows, leads), NaN where still to come.
        weights: (rows, leads), 0 where `followed` is NaN.
        fold: (rows,), numbers from 0.
        penalty: in units of the mean square of the features.
    """
    folds = [fold == number for number in range(int(fold.max()) + 1)]
    sums = [_summed(seen[out], np.nan_to_num(followed[out]), weights[out]) for out in folds]
    total = np.sum(sums, axis=0)
    ridge = _ridge(total, weights, penalty)
    errors = np.empty_like(followed)
    for out, part in zip(folds, sums, strict=True):
        errors[out] = followed[out] - seen[out].predict(_solved(total - part, ridge))
    return seen[-1:].predict(_solved(total, ridge))[0], errors


def _summed(seen: Features, followed: Floats, weights: Floats) -> Floats:
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


def _ridge(sums: Floats, weights: Floats, penalty: float) -> Floats:
    """Return (leads, p, p), the penalty; the constant, which comes first, is hardly held back."""
    size = sums.shape[-1] - 1
    squares = np.einsum("lii->i", sums)[1:size].mean() / max(weights.sum(), 1e-300)
    diagonal = np.diag(np.append(_PENALTY_OF_CONSTANT, np.ones(size - 1)))
    return np.asarray((penalty * squares + 1e-9) * (weights.sum(axis=0)[:, None, None] + 1e-3) * diagonal)


def _solved(sums: Floats, ridge: Floats) -> Floats:
    """Return (leads, p), the coefficients."""
    return np.asarray(np.linalg.solve(sums[:, :-1, :-1] + ridge, sums[:, :-1, -1:])[..., 0])
