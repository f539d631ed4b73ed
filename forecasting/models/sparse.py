"""Forecasts of requests that come now and then: counts by chance around a rate that is known by how many came.

A day with one request is no deviation from anything, so there is nothing to regress. What is drawn is whole requests:
a rate (Gamma, by the requests seen), how it swings within the day and the week as far as that shows, how crowded
requests come, and chance (negative binomial: Greenwood & Yule, JRSS 83, 1920).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.sample_paths import SamplePaths
from forecasting.models.transform import Transform
from forecasting.sifting import arrival_of

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_MOST: Final = 1.0
"""Requests a bin on average, from which on the other models see something."""
_WHOLE: Final = 0.05
_MOSTLY: Final = 0.75
_BY_CHANCE: Final = 0.5
"""Bins that differ from their neighbours by less than this share of what chance makes them are no counts."""
_HALF_LIFE_DAYS: Final = 21.0
_WORTH_OF_EVEN: Final = 1.5
"""That requests come evenly over the day (and over the week) counts like so many of them in each of its parts."""
_PRIOR: Final = 0.5
"""Jeffreys' of a rate."""
_MOST_CROWDED: Final = 0.02
_SIGMAS: Final = 3.0
_PATHS: Final = 1000
_VALUES: Final = 1_000_000
"""At most, in all paths together."""
_LEAST_PATHS: Final = 160
_SEED: Final = 20130723


def unit(values: Floats) -> float:
    """Return the value of one request, if few whole ones make up values (n,), NaN where missing; else 0.

    It is the step between counts, or, if a failure left steps that are none, the count seen most often.
    """
    known = values[~np.isnan(values)]
    busy, often = np.unique(known[known > 0], return_counts=True)
    if not len(busy):
        return 0.0
    for one in (arrival_of(known), float(busy[often.argmax()])):
        if one > 0 and float(known.mean()) < _MOST * one and _by_chance(known, one):
            counts = busy / one
            whole = (counts > 1 - _WHOLE) & (np.abs(counts - np.round(counts)) < _WHOLE)
            return one if float(often[whole].sum()) >= _MOSTLY * float(often.sum()) else 0.0
    return 0.0


def _by_chance(known: Floats, one: float) -> bool:
    """Return whether neighbours among (n,) differ as counts of `one`: by squares of twice the mean."""
    return float(np.mean(np.diff(known) ** 2)) >= _BY_CHANCE * 2 * one * float(known.mean())


def forecast(values: Floats, places: Places, ahead: Places, day: int, transform: Transform) -> SamplePaths:
    """Return the paths that follow few whole requests.

    Args:
        values: (n,), NaN where missing.
        places: (n,), on the wall clock.
        ahead: (leads,), likewise.
        day: bins a day.
        transform: to the even scale.
    """
    one = unit(values)
    known = ~np.isnan(values)
    counts, at = values[known] / one, places[known]
    weights = 0.5 ** ((places[-1] - at) / (_HALF_LIFE_DAYS * day))
    came, bins = float(weights @ counts), float(weights.sum())
    swing, swung = _swing(counts, weights, at, ahead, day), _swing(counts, weights, at, at, day)
    random = np.random.default_rng(_SEED)
    paths = int(np.clip(_VALUES // len(ahead), _LEAST_PATHS, _PATHS))
    rates = random.gamma(came + _PRIOR, 1 / bins, paths)
    alone = _aloneness(counts, came / bins * swung)
    crowds = random.gamma(alone, 1 / alone, (paths, len(ahead))) if np.isfinite(alone) else 1.0
    came_then = random.poisson(rates[:, None] * swing * crowds).astype(np.float64)
    drawn = transform.forward(np.asarray(one * came_then))
    centre = np.full(len(ahead), transform.forward(np.zeros(1))[0])
    never_h = np.asarray(-24.0 * (1 + np.arange(paths)), dtype=np.float64)
    return SamplePaths(centre, drawn - centre, np.ones(paths), never_h, alike=0.0)


def _swing(counts: Floats, weights: Floats, at: Places, ahead: Places, day: int) -> Floats:
    """Return (leads,), the rate to come over the mean rate: by the hour of the day times the day of the week."""
    hours = max(1, day // 24)
    both = [(at % day // hours, ahead % day // hours), (at // day % 7, ahead // day % 7)]
    return np.asarray(np.prod([_factor(counts, weights, *parts) for parts in both], axis=0))


def _factor(counts: Floats, weights: Floats, part: Places, part_ahead: Places) -> Floats:
    """Return how much more than on the mean comes in a part of the season, (leads,)."""
    size = int(max(part.max(), part_ahead.max())) + 1
    came = np.bincount(part, weights=weights * counts, minlength=size)
    expected = np.bincount(part, weights=weights, minlength=size) * (float(weights @ counts) / weights.sum())
    return np.asarray(((came + _WORTH_OF_EVEN) / (expected + _WORTH_OF_EVEN))[part_ahead])


def _aloneness(counts: Floats, expected: Floats) -> float:
    """Return the shape of the Gamma by which requests crowd, by moments; infinite when they come by chance alone.

    What a part of the season explains is no crowd: (n,) counts are held against what was expected of each bin.
    """
    more = float(((counts - expected) ** 2).sum() - expected.sum())
    by_chance = _SIGMAS * float(np.sqrt((expected + 2 * expected**2).sum()))
    return max(float((expected**2).sum()) / more, _MOST_CROWDED) if more > by_chance else np.inf
