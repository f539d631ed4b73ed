"""What recurs within the hour at the same time of every day: timetables, jobs that start on the hour."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST_DAYS: Final = 21
_LEAST_DAYS: Final = 4


def recurring(values: Floats, per_hour: int, leads: int) -> Floats:
    """Return (n + leads,), what to add to a smooth course for the time of day of each bin; nothing if it is chance.

    It is the mean, over the three weeks before each bin (with less before it, less of it), of what bins of the same
    time of day were off the mean of the hour around them, times the share of its variance that is not the chance of
    these days (Efron & Morris, JASA 70, 1975).

    Args:
        values: (n,) on the even scale, without gaps.
        per_hour: bins in an hour.
        leads: bins to come, less than a day of them.
    """
    day, count = 24 * per_hour, len(values)
    days = min(_MOST_DAYS, count // day - 1)
    added = np.zeros(count + leads)
    if days < _LEAST_DAYS or per_hour == 1:
        return added
    off = values - np.convolve(values, _hour_around(per_hour), "same")
    off[:per_hour] = off[-per_hour:] = 0.0  # there is no whole hour around them
    back = np.stack([off[count - day * (k + 1) : count - day * k] for k in range(1, days)])
    chance, spread = float(back.var(axis=0, ddof=1).mean()) / len(back), float(back.mean(axis=0).var())
    share = max(0.0, 1 - chance / spread) if spread > 0 else 0.0
    for k in range(1, days):
        added[k * day :] += off[: count + leads - k * day]
    return added * (share / (days - 1))


def _hour_around(per_hour: int) -> Floats:
    """Return weights of the bins of an hour, as much before a bin as after it."""
    if per_hour % 2:
        return np.full(per_hour, 1 / per_hour)
    weights = np.full(per_hour + 1, 1 / per_hour)
    weights[[0, -1]] /= 2
    return weights
