"""Quantiles of weighted samples, and medians that step over gaps."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

BODY: Final = 0.8
"""Up to this level quantiles are those of the samples, beyond it those of a tail laid through all that are above."""
_LEAST_SAMPLES: Final = 4.0
"""With fewer in the tail it is as wide as with so many."""


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
    then 0.2 (1 + x / (n s)) ** -n, which is wider than the exponential by what s may be wrong. Sixty days of errors
    have no 99 % quantile of their own; their highest holds in 60 of 61 cases.

    Args:
        samples: (m,) or (m, k).
        weights: (m,), not negative.
        qs: levels between 0 and 1.
        alike: how many samples in a row tell nearly the same, and so count as one.
    """
    levels = np.atleast_1d(np.asarray(qs, dtype=np.float64))
    plain = weighted_quantiles(samples, weights, np.append(levels, BODY))
    found, begins, high = plain[:-1], plain[-1], levels > BODY
    if high.any():
        independent = weights.sum() ** 2 / (weights**2).sum() / alike * (1 - BODY)
        rarer = ((1 - BODY) / (1 - levels[high])) ** (1 / max(independent, _LEAST_SAMPLES))
        stretched = max(independent, _LEAST_SAMPLES) * (rarer - 1)
        found[high] = begins + np.multiply.outer(stretched, _mean_excess(samples, weights, begins))
    return found


def _mean_excess(samples: Floats, weights: Floats, begins: Floats) -> Floats:
    """Return how far samples (m,) or (m, k) above `begins` are above it on average; 0 where none is."""
    above = samples > begins
    shares = weights @ above
    return np.asarray(weights @ np.where(above, samples - begins, 0.0) / np.where(shares > 0, shares, 1.0))


def _of_column(samples: Floats, weights: Floats, levels: Floats) -> Floats:
    order = np.argsort(samples)
    shares = weights[order]
    total = np.cumsum(shares)
    return np.interp(levels, (total - shares / 2) / total[-1], samples[order])


def nan_median(stacked: Floats) -> Floats:
    """Return the median over the first axis of (k, n), of what is not NaN; NaN where all is. (n,)."""
    ordered = np.sort(stacked, axis=0)
    count = (~np.isnan(ordered)).sum(axis=0)
    columns = np.arange(stacked.shape[1])
    low, high = (
        ordered[np.maximum((count - 1) // 2, 0), columns],
        ordered[np.minimum(count // 2, len(stacked) - 1), columns],
    )
    return np.where(count > 0, (low + high) / 2, np.nan)


def rolling_median(values: Floats, before: int, after: int) -> Floats:
    """Return for each of (n,) the median of the known among `before` bins before, itself and `after` bins after it."""
    padded = np.concatenate((np.full(before, np.nan), values, np.full(after, np.nan)))
    return nan_median(np.lib.stride_tricks.sliding_window_view(padded, before + after + 1).T)
