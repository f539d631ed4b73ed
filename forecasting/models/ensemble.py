"""The forecast of a series with weeks of history: two ways of seeing it, their mean, and the mean's own past errors."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import changes, deviations
from forecasting.models.cloud import Cloud
from forecasting.models.moments import Moments

Floats = NDArray[np.float64]

_LEAST_WEEKS: Final = 5
_WEEKS_BEFORE: Final = 3
"""Before the first moment, for the longest look back of any member."""
_USUAL_SHARE: Final = 0.6
"""Of the first member; half of the share is this, half is what its past errors earn it."""
_ERROR_HALF_LIFE_DAYS: Final = 28.0
_ERROR_HOURS: Final = 3.0
"""Errors are taken from moments within so many hours of the time of day, the nearer the more."""


def enough(count: int, week: int, leads: int) -> bool:
    """Return whether `count` bins are enough to learn so many leads."""
    return count >= _LEAST_WEEKS * week + max(0, leads - week)


def forecast(scaled: Floats, day: int, week: int, leads: int) -> Cloud:
    """Return the paths that follow values (n,) without gaps, for which there is `enough`.

    The errors are those of the mean of both members on weeks that they had not seen: whole paths, so that what goes
    together (a high morning and a high evening) stays together in the peak.
    """
    moments = Moments.until_now(len(scaled), _WEEKS_BEFORE * week + day, day, week)
    one = deviations.learn(scaled, moments, day, week, leads)
    other = changes.learn(scaled, moments, day, week, leads)
    share = _share(one.errors, other.errors, moments.weights(_ERROR_HALF_LIFE_DAYS), day)
    weights = moments.weights(_ERROR_HALF_LIFE_DAYS) * np.maximum(1 - moments.hours_apart / (_ERROR_HOURS + 1), 0.0)
    near = weights > 0
    errors = share * one.errors[near] + (1 - share) * other.errors[near]
    return Cloud(share * one.centre + (1 - share) * other.centre, errors, weights[near])


def _share(one: Floats, other: Floats, weights: Floats, day: int) -> Floats:
    """Return (leads,), the first member's share: what would have missed least, within the first day and beyond it.

    The best weights of two forecasts follow from the variances and the covariance of their errors (Bates & Granger,
    OR Quarterly 20, 1969); being estimates they are drawn to the usual share.
    """
    share = np.empty(one.shape[1])
    for block in (slice(0, day), slice(day, None)):
        both = weights[:, None] * ~np.isnan(one[:, block] + other[:, block])
        first, second = np.nan_to_num(one[:, block]), np.nan_to_num(other[:, block])
        own, cross = (both * first * (first - second)).sum(), (both * (first - second) ** 2).sum()
        earned = np.clip(1 - own / cross, 0.0, 1.0) if cross > 0 else _USUAL_SHARE
        share[block] = (_USUAL_SHARE + earned) / 2
    return share
