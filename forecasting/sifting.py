"""Tells traffic from what only stands in its record: outages, readings beyond belief, the time before a launch.

All on the values as they were measured: a scale made for traffic must not be made from its failures.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.levels import Levels, levels_of

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_DAY_S: Final = 86400
_HOUR_S: Final = 3600
_COARSEST_S: Final = 600
"""Shorter bins are looked at in means over so long: in a minute there may be nobody, in ten there is somebody."""
_ARRIVALS_A_BIN: Final = 3.0
_BEYOND_BELIEF: Final = 100.0
"""Times what nine of ten busy bins keep to."""
_NEVER: Final = 1e9
"""Times the middle of busy bins: not believed however long."""
_BELIEVED_AFTER_S: Final = 2 * _HOUR_S
_SELDOM: Final = 0.02
_HIGH: Final = 0.9
_LEAST_KNOWN: Final = 6
_NEAR_ZERO: Final = 0.03
"""Of what nine of ten busy bins keep to: as good as nothing, before a launch."""
_LEAST_QUIET_S: Final = _DAY_S
_LEAST_LIVE_S: Final = 3 * _HOUR_S
_QUIET: Final = 0.95
_LIVELY: Final = 1 / 3
"""Of the bins after a launch: office hours are so many, and an outage may have come since."""
_WEIGHS_MORE: Final = 3.0
_LOW: Final = 0.2
"""Of the level before and after, and of what is usual: an outage. People do not leave and come back like that."""
_HALVED: Final = 0.5
"""An outage may come and go by and by."""
_HELD_S: Final = _DAY_S
"""So long an outage that has not ended is taken for one; then for the new level, until it ends."""
_RAGGED: Final = 0.6
_LEAST_EXPECTED: Final = 12.0
"""Arrivals that were to be expected: that none comes by chance has a probability of exp(-12)."""
_OFTEN_OUT_DAYS: Final = 2.0
"""Outages that come more often belong to the traffic."""
_SURGE: Final = 2.0
"""Times what is usual: what lasted and ended is a spike, however long; what goes on is a new level."""
_SURGE_GOES_ON: Final = 1.4
_SPIKE_S: Final = 6 * _HOUR_S
"""Shorter ones are cut as spikes later, and stay in the errors; not where bins are hours, as few requests come."""
_LONGEST_SURGE_S: Final = 4 * _DAY_S
_OVER_AFTER_S: Final = 3 * _HOUR_S
_OFTEN_UP_DAYS: Final = 14.0
_FEW: Final = 0.1
_ALWAYS_SELDOM: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class Sifted:
    """A record and what in it is traffic.

    Attributes:
        values: (n,), NaN where no traffic was measured, for whatever reason.
        outages: (n,), near zero between, or after, what is usual; set aside.
        surges: (n,), far above what is usual for most of a day or for days, and over; set aside.
        beyond_belief: (n,), far above everything else for two hours at most; set aside.
        begun: index of the first bin after the launch; what came before teaches nothing.
    """

    values: Floats
    outages: Flags
    surges: Flags
    beyond_belief: Flags
    begun: int = 0

    @property
    def held_bins(self) -> int:
        """How many of the newest bins are an outage that has not ended."""
        flags = self.outages[::-1]
        return len(flags) if flags.all() else int(flags.argmin())


def sift(values: Floats, step_s: int) -> Sifted:
    """Return what of values (n,), not negative and NaN where missing, in bins of `step_s` seconds is traffic."""
    none = np.zeros(len(values), dtype=np.bool_)
    beyond = _beyond_belief(values, step_s)
    believed = np.where(beyond, np.nan, values)
    if int((believed > 0).sum()) < _LEAST_KNOWN:
        return Sifted(believed, none, none, beyond)
    begun = _launch(believed, step_s)
    outages, surges = none.copy(), none.copy()
    outages[begun:], surges[begun:] = _stretches(believed[begun:], step_s)
    return Sifted(np.where(outages | surges, np.nan, believed), outages, surges, beyond, begun)


def arrival_of(values: Floats) -> float:
    """Return the value of a single arrival in a bin, of known values (n,); next to nothing for what is not counted.

    It is the step between values that lie next to each other, the smallest but for a few, unless bins differ from
    their neighbours by far less than arrivals by chance would make them.
    """
    found, counts = np.unique(values, return_counts=True)
    mean = float(values.mean()) if len(values) else 0.0
    if len(found) <= 1 or mean <= 0:
        return 0.0
    steps = np.diff(found)
    order = np.argsort(steps)
    often = np.cumsum(np.minimum(counts[1:], counts[:-1])[order])
    least = float(steps[order][np.searchsorted(often, _FEW * often[-1])])
    return min(least, float(np.mean(np.diff(values) ** 2)) / mean)


def runs(flags: Flags) -> NDArray[np.intp]:
    """Return (k, 2), first bin and bin after the last of each run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return edges.reshape(-1, 2)


def _high(values: Floats) -> float:
    """Return what nine of ten busy bins keep to."""
    busy = values[values > 0]
    return float(np.quantile(busy, _HIGH)) if len(busy) else 0.0


def _beyond_belief(values: Floats, step_s: int) -> Flags:
    busy = np.sort(values[values > 0])
    if not len(busy):
        return np.zeros(len(values), dtype=np.bool_)
    found = np.asarray(values > _NEVER * busy[(len(busy) - 1) // 2], dtype=np.bool_)
    if len(busy) < _LEAST_KNOWN:
        return found
    above = ~found & (values > _BEYOND_BELIEF * _high(values[~found]))
    if above.mean() > _SELDOM and above.sum() > 1:
        return found
    for first, after in runs(above):
        found[first:after] = (after - first) * step_s <= max(_BELIEVED_AFTER_S, step_s)
    return found


def _launch(values: Floats, step_s: int) -> int:
    """Return the index of the first bin of a traffic before which there was none to speak of, for a day or longer."""
    known = ~np.isnan(values)
    live = known & (values > _NEAR_ZERO * _high(values))
    ended = np.arange(1, len(values) + 1)
    lives, counts = np.cumsum(live), np.cumsum(known)
    before = lives / np.maximum(counts, 1)
    after = (lives[-1] - lives) / np.maximum(counts[-1] - counts, 1)
    load = np.cumsum(np.nan_to_num(values))
    possible = (
        (ended * step_s >= _LEAST_QUIET_S)
        & ((len(values) - ended) * step_s >= _LEAST_LIVE_S)
        & (before <= 1 - _QUIET)
        & (after >= _LIVELY)
        & (load[-1] - load >= _WEIGHS_MORE * load)
    )
    if not possible.any():
        return 0
    return int(ended[np.where(possible, after - before, -np.inf).argmax()])


def _stretches(values: Floats, step_s: int) -> tuple[Flags, Flags]:
    """Return where values (n,) are outages and where surges."""
    arrival = arrival_of(values[~np.isnan(values)])
    per = _bins_together(values, arrival, step_s)
    padded = np.concatenate((np.full(-len(values) % per, np.nan), values)).reshape(-1, per)
    known = ~np.isnan(padded)
    count = known.sum(axis=1)
    means = np.where(count * 2 >= per, np.nansum(padded, axis=1) / np.maximum(count, 1), np.nan)
    levels = levels_of(means, per * step_s)
    if levels is None:
        return np.zeros(len(values), dtype=np.bool_), np.zeros(len(values), dtype=np.bool_)
    outages = _outages(levels, arrival / per, per * step_s)
    surges = _surges(levels, outages, arrival / per, per * step_s)
    found = np.repeat(np.stack((outages, surges)), per, axis=1)[:, len(padded) * per - len(values) :]
    return found[0], found[1]


def _bins_together(values: Floats, arrival: float, step_s: int) -> int:
    """Return in how many bins, a day at most, some arrivals usually are: where there are none nothing stands out."""
    day = _DAY_S // step_s
    days = np.nan_to_num(values[len(values) % day :]).reshape(-1, day).sum(axis=1)
    a_day = float(np.median(days)) if len(days) else 0.0
    least = max(1, _COARSEST_S // step_s)
    widths = [least, *(width for width in range(least + 1, day + 1) if day % width == 0)]
    return next((width for width in widths if width * a_day >= _ARRIVALS_A_BIN * arrival * day), day)


def _outages(levels: Levels, arrival: float, step_s: int) -> Flags:
    expected = _sums(levels.shape * levels.usual)
    found = [
        (first, after)
        for first, after in (*_ended(levels), *_lasting(levels, step_s))
        if expected[after] - expected[first] >= _LEAST_EXPECTED * arrival
    ]
    return _with_edges(_seldom(found, levels, _OFTEN_OUT_DAYS * _DAY_S / step_s), levels)


def _surges(levels: Levels, outages: Flags, arrival: float, step_s: int) -> Flags:
    """Return stretches far above what is usual, and above what came after, that are over."""
    with np.errstate(invalid="ignore"):
        high = levels.now > _SURGE * levels.usual
        between = np.isnan(levels.now) | (levels.now > _SURGE_GOES_ON * levels.usual)
    least_s, often_days = (0, np.inf) if step_s > _HOUR_S else (_SPIKE_S, _OFTEN_UP_DAYS)
    more = _sums((levels.now - _SURGE * levels.usual) * levels.shape)
    lasted = [
        (first, after)
        for first, after in _joined(high, between)
        if least_s <= (after - first) * step_s <= _LONGEST_SURGE_S
        and (len(high) - after) * step_s >= max(_OVER_AFTER_S, step_s)
        and more[after] - more[first] >= _LEAST_EXPECTED * arrival
        and _came_down(np.where(outages, np.nan, levels.now), first, after)
    ]
    return _seldom(lasted, levels, often_days * _DAY_S / step_s)


def _sums(values: Floats) -> Floats:
    """Return (n + 1,), the sums of what is known before each bin and after the last."""
    return np.concatenate(([0.0], np.cumsum(np.nan_to_num(values))))


def _came_down(now: Floats, first: int, after: int) -> bool:
    """Return whether most of what came after a stretch of levels is below most of it: growth goes on."""
    later, within = now[after:], now[first:after]
    later, within = later[~np.isnan(later)], within[~np.isnan(within)]
    return not len(later) or not len(within) or float(np.median(within)) > _SURGE_GOES_ON * float(np.median(later))


def _seldom(found: list[tuple[int, int]], levels: Levels, bins: float) -> Flags:
    """Return where stretches are, unless there is more than one in so many bins: then they belong to the traffic."""
    flags = np.zeros(len(levels.now), dtype=np.bool_)
    if len(found) <= max(_ALWAYS_SELDOM, len(flags) / bins):
        for first, after in found:
            flags[first:after] = True
    return flags


def _ended(levels: Levels) -> list[tuple[int, int]]:
    """Return the stretches below what was usual, and below what came before as well as after."""
    return _low(levels, np.minimum(np.minimum(levels.highest_before, levels.highest_after), levels.usual))


def _lasting(levels: Levels, step_s: int) -> list[tuple[int, int]]:
    """Return the stretch below what was usual at the end, if it has not lasted long."""
    found = _low(levels, levels.usual)
    if not found:
        return []
    first, after = found[-1]
    ends = bool(np.isnan(levels.now[after:]).all())
    return [(first, len(levels.now))] if ends and (len(levels.now) - first) * step_s < max(_HELD_S, step_s + 1) else []


def _low(levels: Levels, usual: Floats) -> list[tuple[int, int]]:
    """Return the stretches far below a level (n,), from where the load was half of it on."""
    with np.errstate(invalid="ignore"):
        low, halved = levels.now < _LOW * usual, levels.now < _HALVED * usual
    return [(first, after) for first, after in _joined(halved, np.isnan(levels.now)) if low[first:after].any()]


def _joined(bins: Flags, between: Flags) -> list[tuple[int, int]]:
    """Return runs of bins, with what may lie between two of them, as (first, after)."""
    return [
        (int(first + bins[first:after].argmax()), int(after - bins[first:after][::-1].argmax()))
        for first, after in runs(bins | between)
        if bins[first:after].any()
    ]


def _with_edges(found: Flags, levels: Levels) -> Flags:
    """Return the outages with the bins in which they began and ended."""
    beside = np.zeros_like(found)
    beside[1:] |= found[:-1]
    beside[:-1] |= found[1:]
    with np.errstate(invalid="ignore"):
        return found | (beside & (levels.now < _RAGGED * levels.usual))
