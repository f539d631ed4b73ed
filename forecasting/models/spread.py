"""Past errors in the size errors have now: those of disturbed weeks shrink in calm ones, and the other way round."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALF_LIFE_DAYS: Final = 3.0
_DAYS_OF_USUAL: Final = 1.0
"""The usual size counts like so many days of errors."""
_MOST: Final = 3.0
_FADES_DAYS: Final = 3.0
"""Beyond the first day: how large errors are now says little of those of next week."""


def adjusted(errors: Floats, age_days: Floats, day: int) -> Floats:
    """Return error paths (rows, leads) in today's size: filtered historical simulation.

    Each path is multiplied by the size of errors now over their size at its moment, both being the root of an
    exponentially weighted mean square of errors over a day that were known then (Barone-Adesi, Giannopoulos & Vosper,
    Journal of Futures Markets 19, 1999).

    Args:
        errors: rows by age, NaN where still to come.
        age_days: (rows,) before now.
        day: bins a day.
    """
    width = min(day, errors.shape[1])
    squares = (errors[:, :width] ** 2).mean(axis=1)
    known = ~np.isnan(squares)
    if not known.any() or not squares[known].any():
        return errors
    ended = age_days[known] - width / day
    size = _mean_squares(squares[known], ended, np.append(age_days, 0.0))
    ratio = np.clip(size[-1] / size[:-1], 1 / _MOST**2, _MOST**2)
    beyond = np.maximum(np.arange(errors.shape[1]) / day - 1.0, 0.0)
    return np.asarray(errors * ratio[:, None] ** (0.5 * np.exp(-beyond / _FADES_DAYS)))


def _mean_squares(squares: Floats, ended: Floats, age_days: Floats) -> Floats:
    """Return (ages,), the mean of the squares whose day had ended by then, the newer the more, with some of all."""
    since = ended - age_days[:, None]
    counts = np.where(since >= 0, 0.5 ** (since / _HALF_LIFE_DAYS), 0.0)
    per_day = max(1.0, len(ended) / max(float(np.ptp(ended)), 1.0))
    usual = _DAYS_OF_USUAL * per_day
    return np.asarray((counts @ squares + usual * squares.mean()) / (counts.sum(axis=1) + usual))
