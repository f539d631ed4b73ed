"""Bins of equal length from the times at which they begin."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.series import LONGEST_STEP_S, SHORTEST_STEP_S, SeriesError
from records.fault import Say
from records.table import Column

_DAY_S: Final = 86400
_CLOCK_CHANGE_S: Final = 3600
_MOST_BINS: Final = 20_000_000
"""Minutes of 38 years."""
_SCARCE: Final = 1000
"""At most so many bins for each row, in files of more bins than a few."""
_FEW: Final = 1_000_000


def laid_out(
    ordered: NDArray[np.int64], values: NDArray[np.float64], times: Column, say: Say
) -> tuple[int, int, NDArray[np.float64]]:
    """Return (start, step, values) of the regular grid that times are on, NaN where there is none.

    Days that clocks make an hour longer or shorter are taken for days; that is told.

    Args:
        ordered: epoch seconds, (n,), ascending, each once.
        values: (n,), beside them.
        times: the cells they are from, in the same order.
        say: is told what is assumed.

    Raises:
        SeriesError: the step is out of range or not the same everywhere; with the line of a time that is off it.
    """
    step = _step(ordered)
    places = (ordered - ordered[0]) // step
    off = (ordered - ordered[0]) % step
    if step == _DAY_S and off.any() and np.minimum(off, step - off).max() <= _CLOCK_CHANGE_S:
        say("days begin an hour earlier or later when clocks change: each is taken for 24 hours")
        places, off = (ordered - ordered[0] + step // 2) // step, np.zeros_like(off)
    if off.any():
        index = int((off != 0).argmax())
        raise times.fault(
            index, f"is a time off the step of {step} s", "bins must be equally long, each at its beginning"
        )
    count = int(places[-1]) + 1
    if count > min(_MOST_BINS, max(_FEW, _SCARCE * len(ordered))):
        index = int(np.diff(ordered).argmax()) + 1
        years = float(np.diff(ordered).max()) / (365.25 * _DAY_S)
        raise times.fault(
            index, f"is {years:.1f} years after the one before it", "correct or remove the rows around it"
        )
    grid = np.full(count, np.nan)
    grid[places] = values
    return int(ordered[0]), step, grid


def _step(ordered: NDArray[np.int64]) -> int:
    """Return the commonest distance, or the shortest if all are multiples of it and it is no exception."""
    if len(ordered) < 2:  # noqa: PLR2004  # a step lies between two
        raise SeriesError(f"{len(ordered)} rows are too few to know the step", help="at least two bins")
    distances, counts = np.unique(np.diff(ordered), return_counts=True)
    step = int(distances[counts.argmax()])
    shortest = int(distances[0])
    if not (distances % shortest).any() and counts[0] > max(1, len(ordered) // 20):
        step = shortest
    if not SHORTEST_STEP_S <= step <= LONGEST_STEP_S:
        raise SeriesError(f"the step is {step} s", help="1 minute to 1 day; add up shorter bins before")
    return step
