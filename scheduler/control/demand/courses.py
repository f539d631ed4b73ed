"""From the load that is expected over the next day and a half to the replicas that will be wanted, step by step."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from scheduler.model.demand import Level

GRIDS_S: Final = (300.0, 900.0, 1800.0, 3600.0)
"""How exactly changes are timed: the first of these that needs no more than `MOST_LEVELS`."""
MOST_LEVELS: Final = 48
KEPT: Final = 512
"""Courses that are remembered: they change when a forecast does, or the first grid has moved on."""
ROUNDING: Final = 1e-9
"""A count this little above a whole number is arithmetic."""


@lru_cache(maxsize=KEPT)
def course_of(points: tuple[tuple[float, int, int], ...], lead_s: float, stay_s: float) -> tuple[Level, ...]:
    """Return when another number of replicas will be wanted than before, from the first that differs from now.

    A replica is wanted from the lead time before it is needed until `stay_s` after.

    Args:
        points: (at_s, middle, high), what is needed at moments one after the other, the first of them now; straight
            lines lie between them.
        lead_s: seconds from when a replica is asked for until it serves.
        stay_s: seconds for which one stays that is not needed.
    """
    at_s, needed = np.array([at_s for at_s, *_ in points]), np.array([numbers for _, *numbers in points]).T
    for grid_s in GRIDS_S:
        levels = _levels(at_s, needed, (lead_s, stay_s, grid_s))
        if len(levels) <= MOST_LEVELS:
            break
    return levels


def _levels(
    at_s: NDArray[np.float64], needed: NDArray[np.int64], spans_s: tuple[float, float, float]
) -> tuple[Level, ...]:
    lead_s, stay_s, grid_s = spans_s
    times_s = np.arange(at_s[0], at_s[-1] + grid_s, grid_s)
    before, ahead = int(np.ceil(stay_s / grid_s)), int(np.ceil(lead_s / grid_s))
    along = np.array([np.ceil(np.interp(times_s, at_s, row) - ROUNDING) for row in needed])
    padded = np.pad(along, ((0, 0), (before, ahead)), mode="edge")
    wanted = sliding_window_view(padded, before + ahead + 1, axis=1).max(axis=2).astype(np.int64)
    changes = np.flatnonzero((np.diff(wanted, axis=1) != 0).any(axis=0)) + 1
    return tuple(Level(float(times_s[i]), int(wanted[0, i]), int(wanted[1, i])) for i in changes.tolist())
