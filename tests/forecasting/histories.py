"""Random histories of many shapes, and what goes wrong with their record."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Random = np.random.Generator

DAY_S = 86400
STEPS_S = (60, 300, 900, 3600)
DAYS = (7, 14, 21, 30, 45, 60, 84)
HOURS = (0.5, 1, 3, 8, 12, 18, 24, 36, 60)
SINCE_DAYS = (1, 1, 1, 1.25, 2, 4, 8)


@dataclass(frozen=True)
class History:
    """A history and the same with faults, both followed by nothing; at least the last day of both is the same."""

    shape: str
    step_s: int
    clean: Floats
    faulty: Floats
    faults: tuple[tuple[str, float, float], ...]


def history(seed: int, steps_s: tuple[int, ...] = STEPS_S, *, unsteady: bool = False) -> History:
    """Return a random history with one to three faults that are over for a day or longer."""
    random = np.random.default_rng(seed)
    shapes = UNSTEADY if unsteady else SHAPES
    shape, step_s = list(shapes)[random.integers(len(shapes))], int(random.choice(steps_s))
    days = int(random.choice(DAYS[: 3 if step_s < 900 else None]))  # fine steps make long arrays
    clean = shapes[shape](random, days * DAY_S // step_s, step_s)
    faulty, faults, struck = clean.copy(), [], np.zeros(len(clean), dtype=np.bool_)
    for _ in range(random.integers(1, 4)):
        kind, hours = list(FAULTS)[random.integers(len(FAULTS))], float(random.choice(HOURS))
        since_days = float(random.choice(SINCE_DAYS))
        after = len(clean) - int(since_days * DAY_S / step_s)
        first = after - max(1, int(hours * 3600 / step_s))
        if first >= DAY_S // step_s and _can_be_told(clean, struck, first, after, 7 * DAY_S // step_s):
            faulty = FAULTS[kind](random, faulty, first, after)
            faults.append((kind, hours, since_days))
            struck[first:after] = True
    return History(shape, step_s, clean, faulty, tuple(faults))


def _can_be_told(clean: Floats, struck: Flags, first: int, after: int, week: int) -> bool:
    """Return whether a fault can be told from the traffic: it is the exception, and not every week's same hours.

    A third of what there is since the launch may have failed, and in less than five weeks an hour of the week once.
    """
    begun = int(np.flatnonzero(clean)[0])
    both = struck.copy()
    both[first:after] = True
    again = len(np.unique(np.flatnonzero(both) % week)) < both.sum() and len(clean) - begun < 5 * week
    return int(both[begun:].sum()) <= (len(clean) - begun) / 3 and not again


def _day(random: Random, count: int, step_s: int) -> Floats:
    hours = np.arange(count) * step_s / 3600
    swing = random.uniform(0.2, 0.9) * np.sin(2 * np.pi * (hours - 9) / 24)
    return np.asarray(10 ** random.uniform(0, 3) * np.exp(swing + 0.05 * random.standard_normal(count)))


def _week(random: Random, count: int, step_s: int) -> Floats:
    weekend = np.arange(count) * step_s // DAY_S % 7 >= 5  # Saturday and Sunday
    return np.asarray(_day(random, count, step_s) * np.where(weekend, random.uniform(0.3, 0.9), 1.0))


def _trend(random: Random, count: int, step_s: int) -> Floats:
    return np.asarray(_week(random, count, step_s) * np.exp(random.uniform(-1, 2) * np.arange(count) / count))


def _bursts(random: Random, count: int, step_s: int) -> Floats:
    values = _day(random, count, step_s)
    for first in random.integers(0, count, 1 + count * step_s // (random.integers(3, 9) * DAY_S)):
        values[first : first + max(1, int(random.uniform(0.5, 4) * 3600 / step_s))] *= random.uniform(2, 6)
    return values


def _constant(random: Random, count: int, _step_s: int) -> Floats:
    noise = 0.01 * random.integers(2)
    return np.asarray(10 ** random.uniform(0, 3) * np.exp(noise * random.standard_normal(count)))


def _sparse(random: Random, count: int, step_s: int) -> Floats:
    return np.asarray(random.poisson(10 ** random.uniform(-1.5, 0.5) * step_s / 3600, count) / step_s)


def _launch(random: Random, count: int, step_s: int) -> Floats:
    values = _week(random, count, step_s)
    values[: int(min(count * random.uniform(0.2, 0.7), count - 3 * DAY_S / step_s))] = 0.0
    return values


def _on_and_off(random: Random, count: int, step_s: int) -> Floats:
    """Return a load that is on and off at random, for a day to four at a time; on when it ends."""
    lengths = (random.uniform(1, 4, 2 * count * step_s // DAY_S + 2) * DAY_S / step_s).astype(int)
    on = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)[:count][::-1]
    return np.asarray(_day(random, count, step_s) * on)


def _batches(random: Random, count: int, step_s: int) -> Floats:
    """Return nothing but for a batch of some hours on one day of the week, at one hour."""
    begins_s, lasts_s = int(random.integers(7 * 24)) * 3600, int(random.integers(1, 5)) * 3600
    running = (np.arange(count) * step_s - begins_s) % (7 * DAY_S) < lasts_s
    return np.asarray(10 ** random.uniform(0, 3) * np.exp(0.05 * random.standard_normal(count)) * running)


SHAPES: dict[str, Callable[[Random, int, int], Floats]] = {
    "daily": _day,
    "weekly": _week,
    "trend": _trend,
    "bursts": _bursts,
    "constant": _constant,
    "sparse": _sparse,
    "launch": _launch,
}


UNSTEADY: dict[str, Callable[[Random, int, int], Floats]] = {"on and off": _on_and_off, "batches": _batches}
"""Of which nobody can say whether they are on tomorrow."""


def _times(least: float, most: float) -> Callable[[Random, Floats, int, int], Floats]:
    """Return a fault that multiplies a stretch, whole requests in whole ones."""

    def fault(random: Random, values: Floats, first: int, after: int) -> Floats:
        changed, factor = values.copy(), 10 ** random.uniform(least, most) if most > least else 10**least
        changed[first:after] *= factor if np.unique(values).size > len(values) / 2 else np.round(factor)
        return changed

    return fault


def _set(value: float) -> Callable[[Random, Floats, int, int], Floats]:
    def fault(_random: Random, values: Floats, first: int, after: int) -> Floats:
        changed = values.copy()
        changed[first:after] = value
        return changed

    return fault


def _spike(random: Random, values: Floats, first: int, after: int) -> Floats:
    few = first + max(1, (after - first) // 20)
    return _times(0.3, 3.0)(random, values, first, min(few, after))


def _absurd(_random: Random, values: Floats, first: int, _after: int) -> Floats:
    return _set(1e15)(_random, values, first, first + 1)


def _stuck(_random: Random, values: Floats, first: int, after: int) -> Floats:
    return _set(float(values[first]))(_random, values, first, after)


def _doubled(_random: Random, values: Floats, first: int, after: int) -> Floats:
    """Return the values with a stretch that was recorded once more in the place of the next."""
    changed, length = values.copy(), min(after - first, first)
    changed[after - length : after] = values[after - 2 * length : after - length]
    return changed


def _clock(random: Random, values: Floats, first: int, after: int) -> Floats:
    changed = values.copy()
    changed[first:after] = np.roll(values, int(random.integers(1, 12) * len(values) // 500))[first:after]
    return changed


FAULTS: dict[str, Callable[[Random, Floats, int, int], Floats]] = {
    "nothing": _set(0.0),
    "10 % left": _times(-1.0, -1.0),
    "1 % left": _times(-2.0, -2.0),
    "a gap": _set(np.nan),
    "negative, so refused as missing": _set(np.nan),
    "recorded twice": _doubled,
    "a spike": _spike,
    "1e15": _absurd,
    "another level": _times(-0.9, 0.9),
    "a surge": _times(0.3, 1.5),
    "stuck": _stuck,
    "another clock": _clock,
}
