"""Quantiles of weighted samples, and medians that step over gaps."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BODY: Final = 0.8
"""Up to this level quantiles are those of the samples, beyond it those of a tail laid through all that are above."""
_LEAST_SAMPLES: Final = 4.0
"""With fewer in the tail it is as wide as with so many."""
_FROM_RECORD: Final = 0.5
"""Of what the samples' own quantile is above the law's: one spike may be all of it."""
_ENOUGH_FOR_MEDIAN: Final = 3
_EACH_UNTIL: Final = 192
_EVERY: Final = 24
"""Bins: days and weeks of any step are whole multiples."""


def weighted_quantiles(samples: Floats, weights: Floats, qs: ArrayLike) -> Floats:
    """Return quantiles of samples (m,) or of each column of samples (m, k) under weights (m,); (q,) or (q, k).

    Each sample stands in the middle of its share of the weight (Hazen's rule), with straight lines between: a
    quantile beyond the outermost samples is the outermost sample.
    """
    levels = np.atleast_1d(np.asarray(qs, dtype=np.float64))
    if samples.ndim == 1:
        return _of_column(samples, weights, levels)
    return np.stack([_of_column(column, weights, levels) for column in samples.T], axis=1)


def predictive_quantiles(samples: Floats, weights: Floats, qs: ArrayLike, alike: float) -> Floats:
    """Return quantiles like `weighted_quantiles`, with those above 0.8 from the whole tail: what the next one keeps to.

    Above the 80 % quantile t the excess is taken to be exponential (Pickands, Annals of Statistics 3, 1975, in its
    plainest case) with the mean excess s of n independent samples. The chance that the next sample exceeds t + x is
    then a (1 + x / (n s)) ** -n, which is wider than the exponential by what s may be wrong; a, the chance to exceed
    t, is 0.2, or less when many samples are just t. Where the samples' own quantile is higher, the law is too light for
    them, and it goes half of the way: what did not keep to it in the last weeks widens it. Sixty days of errors have no
    99 % quantile of their own; their highest holds in 60 of 61 cases.

    Args:
        samples: (m,) or (m, k).
        weights: (m,), or (m, k): those of each column; not negative.
        qs: levels between 0 and 1.
        alike: how many samples in a row tell nearly the same, and so count as one; 0 for samples drawn from a law,
            whose tail is their own.
    """
    levels = np.atleast_1d(np.asarray(qs, dtype=np.float64))
    columns = samples[:, None] if samples.ndim == 1 else samples
    shares = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, columns.shape)
    shares = shares / shares.sum(axis=0)
    plain = _of_columns(columns, shares, np.append(levels, BODY))
    found, begins = plain[:-1], plain[-1]
    if alike and (levels > BODY).any():
        law = _beyond(columns, shares, begins, levels[levels > BODY], alike)
        found[levels > BODY] = law + _FROM_RECORD * np.maximum(found[levels > BODY] - law, 0.0)
    return found[:, 0] if samples.ndim == 1 else found


@dataclass(frozen=True, slots=True, eq=False)
class Nested:
    """Predictive quantiles of the highest value of paths up to a length, none below that of a shorter.

    Attributes:
        lengths: at which they are taken, (n,): each of the first, later every so many; straight lines between.
        found: (q, n).
    """

    lengths: NDArray[np.intp]
    found: Floats

    def until(self, length: float) -> Floats:
        """Return the quantiles (q,) up to a length, above 0 and not above the longest."""
        return np.array([np.interp(length, self.lengths, row) for row in self.found])


def nested(paths: Floats, weights: Floats, qs: ArrayLike, alike: float) -> Nested:
    """Return the quantiles of the highest values of paths, see `Nested`.

    Paths may end early, in NaN; each length is judged by the paths that are known so far.

    Args:
        paths: (m, k).
        weights: (m,), above 0.
        qs: levels, see `predictive_quantiles`.
        alike: see there.
    """
    highest = np.maximum.accumulate(paths, axis=1)
    lengths = _lengths(paths.shape[1])
    cut = highest[:, lengths - 1]
    known = ~np.isnan(cut)
    shares = np.where(known, weights[:, None], 0.0)
    filled = np.where(known, cut, np.nanmin(cut, axis=0))  # counts for nothing, and is out of the way there
    return Nested(lengths, np.maximum.accumulate(predictive_quantiles(filled, shares, qs, alike), axis=1))


def sorted_shares(samples: NDArray[Any], weights: Floats) -> tuple[NDArray[Any], Floats]:
    """Return samples (m,) in order, and at which share of the weight each of them stands (Hazen's rule), (m,)."""
    order = np.argsort(samples, kind="stable")
    shares = weights[order]
    total = np.cumsum(shares)
    return samples[order], (total - shares / 2) / total[-1]


def _lengths(longest: int) -> NDArray[np.intp]:
    """Return the lengths at which nested quantiles are taken."""
    later = np.arange(_EACH_UNTIL + _EVERY, longest, _EVERY)
    return np.concatenate((np.arange(1, min(longest, _EACH_UNTIL + 1)), later, [longest])).astype(np.intp)


def _beyond(samples: Floats, shares: Floats, begins: Floats, levels: Floats, alike: float) -> Floats:
    """Return the quantiles (q, k) of the tails above `begins` (k,)."""
    above = np.where(samples > begins, shares, 0.0)
    exceeding = above.sum(axis=0)
    excess = (above * (samples - begins)).sum(axis=0) / np.where(exceeding > 0, exceeding, 1.0)
    chance = np.minimum(exceeding, 1 - BODY)
    independent = np.maximum(chance / (shares**2).sum(axis=0) / alike, _LEAST_SAMPLES)
    rarer = np.maximum(chance / (1 - levels[:, None]), 1.0) ** (1 / independent)
    return np.asarray(begins + excess * independent * (rarer - 1))


def _of_columns(samples: Floats, shares: Floats, levels: Floats) -> Floats:
    """Return weighted quantiles of each column, (q, k)."""
    order = np.argsort(samples, axis=0)
    sorted_shares = np.take_along_axis(shares, order, axis=0)
    places = np.cumsum(sorted_shares, axis=0) - sorted_shares / 2
    values = np.take_along_axis(samples, order, axis=0)
    return np.stack([np.interp(levels, *pair) for pair in zip(places.T, values.T, strict=True)], axis=1)


def _of_column(samples: Floats, weights: Floats, levels: Floats) -> Floats:
    values, places = sorted_shares(samples, weights)
    return np.asarray(np.interp(levels, places, values))


def nan_median(stacked: Floats) -> Floats:
    """Return the median over the first axis of (k, n), of what is not NaN; NaN where all is. (n,)."""
    if not len(stacked):
        return np.full(stacked.shape[1], np.nan)
    ordered = np.sort(stacked, axis=0)
    count = (~np.isnan(ordered)).sum(axis=0)
    columns = np.arange(stacked.shape[1])
    low, high = (
        ordered[np.maximum((count - 1) // 2, 0), columns],
        ordered[np.minimum(count // 2, len(stacked) - 1), columns],
    )
    return np.where(count > 0, (low + high) / 2, np.nan)


def with_vote(stacked: Floats, vote: Floats) -> Floats:
    """Return (k + 1, n) with a vote (n,) that counts where fewer than three of (k, n) are known.

    The median of two is their mean: if one of them is a failure, it is half of one.
    """
    few = (~np.isnan(stacked)).sum(axis=0) < _ENOUGH_FOR_MEDIAN
    return np.vstack((stacked, np.where(few, vote, np.nan)))


def rolling_median(values: Floats, before: int, after: int) -> Floats:
    """Return for each of (n,) the median of the known among `before` bins before, itself and `after` bins after it."""
    padded = np.concatenate((np.full(before, np.nan), values, np.full(after, np.nan)))
    return nan_median(np.lib.stride_tricks.sliding_window_view(padded, before + after + 1).T)
