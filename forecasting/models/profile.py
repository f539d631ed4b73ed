"""Level and weekly shape of a series, each known at its own time: nothing in them looks ahead."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEKS_OF_SHAPE: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What a week looks like.

    Attributes:
        level: (n,), mean over the week that ends with each bin; a whole week holds each time of the week once, so the
            shape does not disturb it.
        shape: (n + week,), what to add to the level for a bin's time of the week, from weeks at least one week
            before that bin; NaN where there is none.
    """

    level: Floats
    shape: Floats

    def centred(self, scaled: Floats) -> Floats:
        """Return values (n,) without their shape."""
        return scaled - self.shape[: len(scaled)]


def trailing_mean(values: Floats, width: int) -> Floats:
    """Return for each bin the mean of the `width` bins that end with it, or of as many as there are; (n,)."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    first = np.maximum(np.arange(1, len(values) + 1) - width, 0)
    return (total[1:] - total[first]) / (np.arange(1, len(values) + 1) - first)


def weekly_profile(scaled: Floats, week: int, weeks: int = WEEKS_OF_SHAPE) -> Profile:
    """Return the profile of values (n,) without gaps, at least two weeks of them.

    The shape is half the median and half the mean of the same time in the `weeks` weeks before: the median forgets a
    holiday, the mean follows a change.
    """
    level = trailing_mean(scaled, week)
    apart = scaled - level
    apart[: week - 1] = np.nan
    lagged = np.full((weeks, len(scaled) + week), np.nan)
    for k in range(weeks):
        lagged[k, week * (k + 1) :] = apart[: max(0, len(scaled) - week * k)]
    shape = np.full(len(scaled) + week, np.nan)
    full = ~np.isnan(lagged[-1])
    shape[full] = (np.median(lagged[:, full], axis=0) + lagged[:, full].mean(axis=0)) / 2
    for u in _weeks_with_less(full, lagged, week):
        shape[u] = (np.nanmedian(lagged[:, u], axis=0) + np.nanmean(lagged[:, u], axis=0)) / 2
    return Profile(level, shape * _reliability(lagged[:, full]))


def _reliability(lagged: Floats) -> float:
    """Return the share of the shape's variance that is not the chance of the weeks it is made of, 0 to 1.

    What a mean over weeks must be shrunk by, as one way analysis of variance has it (Efron & Morris, JASA 70, 1975).
    """
    if lagged.shape[1] == 0:
        return 1.0
    chance = float(lagged.var(axis=0, ddof=1).mean()) / len(lagged)
    spread = float(lagged.mean(axis=0).var())
    return max(0.0, 1 - chance / spread) if spread > 0 else 0.0


def _weeks_with_less(full: NDArray[np.bool_], lagged: Floats, week: int) -> list[NDArray[np.intp]]:
    some = np.flatnonzero(~full & ~np.isnan(lagged[0]))
    return [some[i : i + week] for i in range(0, len(some), week)]
