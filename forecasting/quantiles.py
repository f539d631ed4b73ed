"""Quantiles of weighted samples, and medians that step over gaps."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def weighted_quantiles(samples: Floats, weights: Floats, qs: ArrayLike) -> Floats:
    """Return quantiles of samples (m,) or of each column of samples (m, k) under weights (m,); (q,) or (q, k).

    Each sample stands in the middle of its share of the weight (Hazen's rule), with straight lines between: a
    quantile beyond the outermost samples is the outermost sample.
    """
    levels = np.atleast_1d(np.asarray(qs, dtype=np.float64))
    if samples.ndim == 1:
        return _of_column(samples, weights, levels)
    return np.stack([_of_column(column, weights, levels) for column in samples.T], axis=1)


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
