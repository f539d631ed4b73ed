"""Sample paths of several forecasts that belong together, each with the distribution that it has alone.

How much sources rise as one is learnt from the moments of the past at which the errors of all are known; how high each
of them goes is its own affair, tail included, as `Fitted.peak` answers (a copula, and margins: Sklar 1959).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_NEAR_S: Final = 7200.0
"""Origins no further apart count as one: errors are kept for every other hour, and sources end a little apart."""
_ENOUGH: Final = 40
"""Origins in common from which it is learnt how two sources go together; with fewer they are taken to err apart."""
_HIGHEST: Final = 1 - 1e-6


def joint_paths(forecasts: Sequence[Fitted], horizons: Sequence[int], n: int, seed: int = 0) -> list[Floats]:
    """Return for each forecast (n, horizon) paths in its series' unit; row i of all of them goes together.

    Sources measured for different lengths of time are paired by the moments that all know. Beyond the samples, one
    draw says for all sources of a row how far it goes: what nobody has seen comes to all at once, which is the cautious
    side.

    Args:
        forecasts: of one or several sources, as of one moment.
        horizons: bins to return of each.
        n: how many paths.
        seed: of the draws.
    """
    known = [_Paths(fitted, horizon) for fitted, horizon in zip(forecasts, horizons, strict=True)]
    waiting = sorted(range(len(known)), key=lambda i: -len(known[i].peaks))
    random = np.random.default_rng(seed)
    drawn: dict[int, Floats] = {}
    while waiting:
        group, rows = _grouped([known[i] for i in waiting])
        places, beyond = _drawn(known[waiting[0]].weights[rows[0]], n, random)
        for index, own in zip(group, rows, strict=True):
            drawn[waiting[index]] = known[waiting[index]].stretched(own, places, beyond)
        waiting = [i for at, i in enumerate(waiting) if at not in group]
    return [drawn[i] for i in range(len(known))]


class _Paths:
    """The paths of one forecast up to a horizon."""

    def __init__(self, fitted: Fitted, horizon: int) -> None:
        self.fitted = fitted
        self.paths, self.weights = fitted.weighted(horizon)
        self.moments_s = fitted.moments_s(horizon)
        self.peaks = self.paths.max(axis=1)

    def nearest(self, moments_s: Floats) -> tuple[Places, NDArray[np.bool_]]:
        """Return the rows nearest to these moments, and whether they are near."""
        order = np.argsort(self.moments_s)
        sorted_s = self.moments_s[order]
        later = np.clip(np.searchsorted(sorted_s, moments_s), min(1, len(order) - 1), len(order) - 1)
        before = np.maximum(later - 1, 0)
        found = np.where(moments_s - sorted_s[before] < sorted_s[later] - moments_s, before, later)
        return order[found], np.abs(sorted_s[found] - moments_s) <= _NEAR_S

    def stretched(self, rows: Places, places: Places, beyond: Floats) -> Floats:
        """Return the paths of rows[places], each multiplied so that its peak is the quantile of its rank.

        The rank is that among the draws; the quantile that of all paths, tail included.
        """
        counts = np.bincount(places, minlength=len(rows)) / len(places)
        order = np.argsort(self.peaks[rows], kind="stable")
        begins = np.empty(len(rows))
        begins[order] = np.cumsum(counts[order]) - counts[order]
        levels = np.minimum(begins[places] + beyond * counts[places], _HIGHEST)
        said = np.asarray(self.fitted.peak(self.paths.shape[1], levels.tolist()).values, dtype=np.float64)
        peaks = self.peaks[rows][places]
        return np.asarray(self.paths[rows[places]] * (said / np.where(peaks > 0, peaks, 1.0))[:, None])


def _grouped(known: Sequence[_Paths]) -> tuple[list[int], list[Places]]:
    """Return those that share enough moments with the first (itself among them), and the rows of these moments."""
    group, rows = [0], [np.arange(len(known[0].peaks))]
    for index, paths in enumerate(known[1:], start=1):
        own, near = paths.nearest(known[0].moments_s[rows[0]])
        if int(near.sum()) >= min(_ENOUGH, len(known[0].peaks)):
            group.append(index)
            rows = [*(one[near] for one in rows), own[near]]
    return group, rows


def _drawn(weights: Floats, n: int, random: np.random.Generator) -> tuple[Places, Floats]:
    """Return (n,) places by weight, in any order, and a number between 0 and 1 for each that fills its share evenly."""
    ends = np.cumsum(weights) / weights.sum()
    falls = random.permutation((np.arange(n) + random.random(n)) / n)
    places = np.minimum(np.searchsorted(ends, falls, side="right"), len(ends) - 1)
    within = np.empty(n)
    order = np.lexsort((random.random(n), places))
    counts = np.bincount(places, minlength=len(ends))
    firsts = np.cumsum(counts) - counts
    within[order] = (np.arange(n) - firsts[places[order]] + 0.5) / counts[places[order]]
    return places, within
