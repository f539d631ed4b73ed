"""Past errors in the size errors have now: those of disturbed weeks shrink in calm ones, and the other way round."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_HALF_LIFE_DAYS: Final = 3.0
_DAYS_OF_USUAL: Final = 1.0
"""The usual size counts like so many days of errors."""
_MOST: Final = 3.0
_BELIEVED: Final = 0.7
"""Of a change of the logarithm of the size: what came later was larger or smaller by so much of it, on every series
tried (0.5 to 0.85)."""
_FADES_DAYS: Final = 3.0
"""Beyond the first day: how large errors are now says little of those of next week."""


def adjusted(errors: Floats, age_days: Floats, day: int) -> Floats:
    """Return error paths (rows, leads) in today's size: filtered historical simulation.

    Each path is multiplied by the size of errors now over their size at its moment (Barone-Adesi, Giannopoulos &
    Vosper, Journal of Futures Markets 19, 1999), drawn to 1 because neither is known well; none becomes larger than
    the largest. Both sizes are an exponentially weighted mean of the absolute errors over a day that were known then:
    absolute, because squares would let a single hour widen a week.

    Args:
        errors: rows by age, NaN where still to come.
        age_days: (rows,) before now.
        day: bins a day.
    """
    width = min(day, errors.shape[1])
    missed = np.abs(errors[:, :width]).mean(axis=1)
    known = ~np.isnan(missed)
    if not known.any() or not missed[known].any():
        return errors
    ended = age_days[known] - width / day
    size = _sizes(missed[known], ended, np.append(age_days, 0.0))
    ratio = np.clip(size[-1] / size[:-1], 1 / _MOST, _MOST) ** _BELIEVED
    beyond = np.maximum(np.arange(errors.shape[1]) / day - 1.0, 0.0)
    largest = float(np.nanmax(np.abs(errors)))
    scaled = errors * ratio[:, None] ** np.exp(-beyond / _FADES_DAYS)
    return np.asarray(np.clip(scaled, -largest, largest))


def _sizes(missed: Floats, ended: Floats, age_days: Floats) -> Floats:
    """Return (ages,), the mean of what was missed on days that had ended by then: the newer the more, some of all."""
    since = ended - age_days[:, None]
    counts = np.where(since >= 0, 0.5 ** (since / _HALF_LIFE_DAYS), 0.0)
    per_day = max(1.0, len(ended) / max(float(np.ptp(ended)), 1.0))
    usual = _DAYS_OF_USUAL * per_day
    return np.asarray((counts @ missed + usual * missed.mean()) / (counts.sum(axis=1) + usual))
