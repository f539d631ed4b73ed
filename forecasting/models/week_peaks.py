"""How high the days after the first will go: by the record of their peaks, those of a naive forecast among them.

Errors laid around a centre make the highest of a week too high: chance is in the centre as well, and what an error of a
quiet Sunday is in logarithms stands on a Thursday's peak. What peaks were missed by is on record, though: for each past
moment the highest that was said of the days after the first, and the highest that came. So it is for who says that a
week will be as high as the last. Both are weighed by their records, and paths are raised or lowered together until the
mean of their highest is where the record has it, or less far where a few weeks cannot tell that from chance.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import stacking
from forecasting.models.origins import Origins

Floats = NDArray[np.float64]

_USUAL_SHARES: Final = (0.5, 0.5)
"""Of the forecast's own peaks and of those of the week before."""
_MAY_BE_A_SPIKE: Final = 3
"""The newest bins, of which nobody knows yet: they are no peak of the week before."""


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """What was forecast at past moments.

    Attributes:
        scaled: (n,), the history without gaps or spikes.
        missed: (rows, leads), what forecasts missed by; NaN where still to come.
        origins: (rows,), when.
        weights: (rows,).
    """

    scaled: Floats
    missed: Floats
    origins: Origins
    weights: Floats


def settled(centre: Floats, errors: Floats, past: Past, day: int) -> Floats:
    """Return error paths (rows, leads) whose highest after the first day is on average as the record of peaks has it.

    Args:
        centre: (leads,).
        errors: (rows, leads), to be laid around it; NaN where still to come.
        past: see `Past`.
        day: bins a day.
    """
    known = ~np.isnan(errors[:, -1])
    if len(centre) <= 2 * day or not known.any():
        return errors
    counts = past.weights[known] / past.weights[known].sum()
    paths = centre[day:] + errors[known, day:]
    expected, unsure = _expected(centre, past, known, day)
    more = expected - float(counts @ paths.max(axis=1))
    more *= more**2 / max(more**2 + unsure**2, 1e-300)
    found = errors.copy()
    found[known, day:] += more * _nearness(paths, more)
    return found


def _expected(centre: Floats, past: Past, known: NDArray[np.bool_], day: int) -> tuple[float, float]:
    """Return the mean of the highest after the first day, by the records of who said something of it, and its error.

    Weeks are independent, moments within one are not.
    """
    leads = len(centre)
    came = past.origins.followed(past.scaled, leads)[:, day:]
    back = np.minimum(np.arange(day, leads) % (7 * day) + 1 - 7 * day, -_MAY_BE_A_SPIKE)
    last_week = past.origins.at[:, None] + back
    said = np.stack(((came - past.missed[:, day:]).max(axis=1), past.scaled[last_week].max(axis=1)))
    off = (came.max(axis=1) - said)[:, known]
    counts = past.weights[known] / past.weights[known].sum()
    shares = stacking.best((off * counts) @ off.T, np.array(_USUAL_SHARES))
    record = shares @ off
    weeks = max(1.0, float(np.ptp(past.origins.age_days[known])) / 7 / float((counts**2).sum() * len(counts)))
    unsure = float(np.sqrt(counts @ (record - counts @ record) ** 2 / weeks))
    return float(shares @ (np.array([centre[day:].max(), said[1, -1]]) + off @ counts)), unsure


def _nearness(paths: Floats, more: float) -> Floats:
    """Return how near bins of paths (rows, leads) are to their highest: 1 there, 0 from the middle down.

    Where the highest is less above the middle than it is to be lowered, it is lowered to the middle.
    """
    middle = np.median(paths, axis=1)[:, None]
    room = np.maximum(paths.max(axis=1)[:, None] - middle, 1e-9)
    share = np.clip((paths - middle) / room, 0.0, 1.0)
    return np.asarray(share * np.minimum(1.0, room / max(-more, 1e-9)))
