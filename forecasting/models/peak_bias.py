"""What stands out of its neighbours in a forecast is partly chance, and a peak picks just that: how much to believe.

A forecast's centre is the usual shape and what chance left in it. Past errors laid around it bring that same chance in
again, so paths ripple more than traffic does and their highest bin is too high. The cure is the oldest there is:
the errors are regressed on the ripple of the forecasts they belong to (Mincer & Zarnowitz, 1969), and what is found is
taken out of both.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEARNT_DAYS: Final = 1
"""From leads up to this; there are most of them, and they tell the same as those beyond."""


def calmed(centre: Floats, errors: Floats, followed: Floats, weights: Floats, day: int) -> tuple[Floats, Floats]:
    """Return a centre and past errors without the part of the centre's ripple that past centres' ripples were wrong by.

    Args:
        centre: (leads,).
        errors: (rows, leads), NaN where still to come.
        followed: (rows, leads), what came.
        weights: (rows,).
        day: bins a day.
    """
    past = np.nan_to_num(_ripple(followed - errors))
    near = slice(0, _LEARNT_DAYS * day)
    wrong = float(weights @ (past[:, near] * np.nan_to_num(errors[:, near])).sum(axis=1))
    size = float(weights @ (past[:, near] ** 2).sum(axis=1))
    more = float(np.clip(wrong / size, -1.0, 1.0)) if size > 0 else 0.0
    return centre + more * _ripple(centre), errors - more * past


def _ripple(values: Floats) -> Floats:
    """Return what values (..., leads) are above the mean of their two neighbours; 0 at both ends."""
    ripple = np.zeros_like(values)
    ripple[..., 1:-1] = values[..., 1:-1] - (values[..., :-2] + values[..., 2:]) / 2
    return ripple
