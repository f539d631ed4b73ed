"""Forecasts from little history: the level, the shape of a day as soon as there is one, and errors of experience."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.profile import trailing_mean
from forecasting.models.sample_paths import SamplePaths

Floats = NDArray[np.float64]

_PATHS: Final = 128
_DRIFT: Final = 0.10
"""Typical change of traffic's logarithm from an hour to the next, as long as the shape of the day is not known."""
_SWING: Final = 0.55
"""Typical half swing of a day (Wikipedias swing between 0.35 and 0.9)."""
_KNOWN_DRIFT: Final = 0.05
_LEVEL_MEMORY_H: Final = 3.0
_DAYS_TO_TRUST: Final = 2.0
"""Of own errors, which begin after the first day, to count as much as experience."""
_SEED: Final = 20130723
_NEVER_H: Final[Floats] = np.asarray(-24.0 * (1 + np.arange(_PATHS)), dtype=np.float64)
"""Origins of paths of experience, which are the same for all series: they never were, and go together."""


def forecast(values: Floats, above: Floats, day: int, week: int, leads: int) -> SamplePaths:
    """Return the paths that follow values (n,) without gaps, n from 1 to a few weeks, and spikes above them."""
    scaled = values + above
    if len(scaled) < day + 1:
        return SamplePaths(
            np.full(leads, scaled[-1]), _experience(leads, day, shape_known=False), np.ones(_PATHS), _NEVER_H
        )
    days = len(scaled) / day
    centre = _at(scaled, np.array([len(scaled) - 1]), day, week, leads)[0]
    guess = SamplePaths(centre, _experience(leads, day, shape_known=True), np.ones(_PATHS), _NEVER_H)
    origins = np.arange(day, len(scaled) - 1)
    if not len(origins):
        return guess
    errors = _followed(scaled, origins, leads) - _at(scaled, origins, day, week, leads)
    back_h = np.asarray((len(scaled) - 1 - origins) * (24 / day), dtype=np.float64)
    own = SamplePaths(centre, errors, 0.5 ** ((len(scaled) - origins) / (14 * day)), back_h)
    return own.joined(guess, share=1 / (1 + ((days - 1) / _DAYS_TO_TRUST) ** 2))


def _followed(scaled: Floats, origins: NDArray[np.intp], leads: int) -> Floats:
    ahead = np.concatenate((scaled, np.full(leads, np.nan)))
    return np.lib.stride_tricks.sliding_window_view(ahead[1:], leads)[origins]


def _at(scaled: Floats, origins: NDArray[np.intp], day: int, week: int, leads: int) -> Floats:
    """Return (origins, leads), what would have been forecast at each moment (indices, at least a day of history)."""
    level = trailing_mean(scaled, day)
    apart = scaled - level
    shape = _shape(apart, origins, day, week, leads)
    now = _shape(apart, origins - 1, day, week, 1)[:, 0]
    off = scaled[origins] - level[origins] - now
    fade = np.exp(-np.arange(1, leads + 1) * (24 / day) / _LEVEL_MEMORY_H)
    return np.asarray(level[origins, None] + shape + off[:, None] * fade)


def _shape(apart: Floats, origins: NDArray[np.intp], day: int, week: int, leads: int) -> Floats:
    """Return (origins, leads): the mean of the same time of the last days, half of it of the same weekday if known."""
    ahead = np.arange(1, leads + 1)
    daily = _mean_of(apart, [origins[:, None] + (ahead - 1) % day + 1 - day * k for k in range(1, 8)], day)
    weekly = _mean_of(apart, [origins[:, None] + (ahead - 1) % week + 1 - week * k for k in (1, 2, 3)], day)
    return np.where(np.isnan(weekly), daily, (daily + weekly) / 2)


def _mean_of(values: Floats, places: list[NDArray[np.intp]], day: int) -> Floats:
    """Return the mean over places that have a whole day before them; the first day's, lacking that, only if alone."""
    total, count = np.zeros(places[0].shape), np.zeros(places[0].shape)
    for at in places:
        good = at >= min(day - 1, max(int(places[0].min()), 0))
        total += np.where(good, values[np.maximum(at, 0)], 0.0)
        count += good
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _experience(leads: int, day: int, *, shape_known: bool) -> Floats:
    """Return error paths (`_PATHS`, leads) of traffic at large: a wandering level, and a day's swing not yet seen."""
    random = np.random.default_rng(_SEED)
    hours = np.arange(1, leads + 1) * (24 / day)
    steps = random.standard_normal((_PATHS, leads)) * np.sqrt(24 / day)
    wander = (_KNOWN_DRIFT if shape_known else _DRIFT) * np.cumsum(steps, axis=1) / np.sqrt(1 + hours / 24)
    if shape_known:
        return np.asarray(wander)
    phase = random.uniform(0, 2 * np.pi, (_PATHS, 1))
    swing = _SWING * random.uniform(0.4, 1.6, (_PATHS, 1))
    turn = 2 * np.pi * hours / 24
    return np.asarray(wander + swing * (np.cos(phase + turn) - np.cos(phase)))
