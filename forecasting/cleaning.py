"""Repairs a series before anything is learnt from it: gaps, dropouts, passing spikes, lasting changes of level."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.quantiles import nan_median, rolling_median, with_vote

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MAD_TO_SIGMA: Final = 1.4826
_MEAN_TO_SIGMA: Final = 1.2533
_OUTLIER_SIGMAS: Final = 6.0
_LEAST_SPIKE: Final = 0.22
"""On the logarithmic scale: up to a quarter more is nothing special, and what a spike is cut to."""
_LEAST_DROPOUT: Final = 0.5
_LEAST_SHIFT: Final = 0.45
_SHIFT_SIGMAS: Final = 10.0
_MOST_SHIFTS: Final = 4
MOST_SHIFT: Final = 3.4
"""All changes together: a factor of 30, beyond which what came before says nothing of what comes."""
_MOST_SOON: Final = 2.1
"""A change of the last day: a factor of 8. More of it may be believed tomorrow, and the load measured counts today."""
_SOONEST_UP: Final = 3
"""Bins after which a rise is taken to last."""
_SOONEST_DOWN: Final = 12
"""A morning off looks like a fall for some hours, and being late with a fall costs no request."""
_MOST: Final = 0.75
_AGREEMENT: Final = 0.35
_LEAST_KNOWN: Final = 0.25
_SEASONS_AROUND: Final = 3
_FEW_SEASONS: Final = 3
_FEW_WEEKS: Final = 5
_WEEK_DAYS: Final = 7
_TWO_SIDES: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A series without holes, on the even scale.

    Attributes:
        values: (n,), gaps, dropouts and spikes filled, all on the level of today. The newest spikes are only cut: they
            may be the beginning of something.
        above: (n,), by how much spikes stood above what fills them, up to the cut; 0 elsewhere.
        usual: (n,), what is usual at each bin, the level of its day included.
        gaps, dropouts, spikes: (n,), where.
        shifts: (index of the first bin on the new level, difference), oldest first.
    """

    values: Floats
    above: Floats
    usual: Floats
    gaps: Flags
    dropouts: Flags
    spikes: Flags
    shifts: tuple[tuple[int, float], ...] = ()


def clean(scaled: Floats, day: int, week: int) -> Cleaned:
    """Return values (n,) with NaN, of which the first and the last are known, repaired.

    Args:
        scaled: on the even scale.
        day: bins a day.
        week: bins a week.
    """
    gaps = np.isnan(scaled)
    season = week if len(scaled) >= 2 * week else day
    if len(scaled) < 2 * day:
        filled, none = _filled(scaled, np.zeros_like(scaled)), np.zeros_like(gaps)
        return Cleaned(filled, np.zeros_like(filled), filled, gaps, none, none)
    rebased, shifts = _rebased(scaled, season, day)
    usual = _usual(rebased, season, day)
    level = _level(rebased - usual, day)
    deviation = rebased - usual - level
    sigma = _sigma(deviation)
    dropouts = deviation < -max(_OUTLIER_SIGMAS * sigma, _LEAST_DROPOUT)
    spikes = deviation > max(_OUTLIER_SIGMAS * sigma, _LEAST_SPIKE)
    cut = np.where(dropouts, np.nan, np.where(spikes, usual + level + _LEAST_SPIKE, rebased))
    over = spikes & (np.arange(len(scaled)) < len(scaled) - _SOONEST_UP)
    kept = np.where(over, np.nan, cut)
    values = _filled(kept, _usual(kept, season, day) if np.isnan(kept).any() else usual)
    above = np.where(over, np.maximum(cut - values, 0.0), 0.0)
    return Cleaned(values, above, usual + level, gaps, dropouts, spikes, shifts)


def _level(apart: Floats, day: int) -> Floats:
    """Return (n,), the middle of the day around each bin; where little of it is known, what lies between such days.

    What is left within an outage is no level of its own.
    """
    level = rolling_median(apart, day // 2, day // 2)
    around = np.convolve(~np.isnan(apart), np.ones(2 * (day // 2) + 1), mode="same")
    bins, said = np.arange(len(apart)), around >= min(_LEAST_KNOWN * day, around.max())
    return np.asarray(np.interp(bins, bins[said], level[said]))


def _sigma(deviation: Floats) -> float:
    """Return the usual size of deviations; of counts that are mostly 0, whose median size is 0, from the mean size."""
    sizes = np.abs(deviation)
    middle = _MAD_TO_SIGMA * float(np.nanmedian(sizes))
    return middle if middle > 0 else _MEAN_TO_SIGMA * float(np.nanmean(sizes))


def _usual(scaled: Floats, season: int, day: int) -> Floats:
    """Return the median of the three seasons before and after each bin, (n,).

    Where few weeks are known the days before and after have a vote, and where two sides differ the bin itself. Where
    the record fails for weeks and nothing around is known, it is that of all seasons, or the middle of everything.
    """
    around = _around(scaled, season)
    if season > day and (~np.isnan(around)).sum(axis=0).min() < _FEW_SEASONS:
        around = with_vote(around, nan_median(_around(scaled, day)))
    two = (~np.isnan(around)).sum(axis=0) == _TWO_SIDES
    usual = nan_median(with_vote(around, np.where(two, scaled, np.nan)))
    if np.isnan(usual).any():
        seasons = np.concatenate((scaled, np.full(-len(scaled) % season, np.nan))).reshape(-1, season)
        usual = np.where(np.isnan(usual), np.resize(nan_median(seasons), len(scaled)), usual)
    return np.nan_to_num(usual, nan=float(np.nanmedian(scaled)))


def _around(scaled: Floats, season: int) -> Floats:
    """Return (6, n), the same bin of the three seasons before and after; NaN where there is none."""
    n = len(scaled)
    around = np.full((2 * _SEASONS_AROUND, n), np.nan)
    for row, k in enumerate((*range(-_SEASONS_AROUND, 0), *range(1, _SEASONS_AROUND + 1))):
        lag = k * season
        if lag < n and -lag < n:
            around[row, max(lag, 0) : n + min(lag, 0)] = scaled[max(-lag, 0) : n - max(lag, 0)]
    return around


def _filled(scaled: Floats, usual: Floats) -> Floats:
    """Return values with their gaps bridged along the usual shape, no higher than what is known."""
    known = ~np.isnan(scaled)
    bins = np.arange(len(scaled))
    bridged = usual + np.interp(bins, bins[known], (scaled - usual)[known])
    return np.where(known, scaled, np.minimum(bridged, scaled[known].max()))


def _rebased(scaled: Floats, season: int, day: int) -> tuple[Floats, tuple[tuple[int, float], ...]]:
    """Return the values with everything before each lasting change of level moved to the new level."""
    rebased, shifts = scaled.copy(), []
    for _ in range(_MOST_SHIFTS):
        found = _largest_shift(rebased, _apart(rebased, season, day), season, day)
        if found is None:
            break
        index, difference = found
        bound = _MOST_SOON if len(scaled) - index < day else MOST_SHIFT
        moved = np.clip(rebased[:index] - scaled[:index] + np.clip(difference, -bound, bound), -MOST_SHIFT, MOST_SHIFT)
        rebased[:index] = scaled[:index] + moved
        shifts.append((index, float(np.clip(difference, -bound, bound))))
    return rebased, tuple(sorted(shifts))


def _apart(scaled: Floats, season: int, day: int) -> Floats:
    """Return values (n,) without their usual shape.

    While few weeks are known the seasons around a bin are of both levels, and their middle follows a change: the shape
    is then that of the days without their levels.
    """
    if len(scaled) >= _FEW_WEEKS * _WEEK_DAYS * day:
        return scaled - _usual(scaled, season, day)
    return scaled - _usual(scaled - _level(scaled, day), day, day)


def _largest_shift(scaled: Floats, apart: Floats, season: int, day: int) -> tuple[int, float] | None:
    """Return the largest change between two days of known values, as far as it is one between two weeks as well.

    Where it is in what is usual, too, it stands out further than it went: it is no larger than the values (n,)
    themselves are above those of the seasons before.

    Args:
        scaled: (n,), NaN where missing.
        apart: (n,), without what is usual.
        season: bins of a season.
        day: bins a day.
    """
    known = np.flatnonzero(~np.isnan(apart))
    apart, n = apart[known], len(known)
    before = np.concatenate((np.full(1, np.nan), rolling_median(apart, day - 1, 0)[:-1]))
    jump = rolling_median(apart, 0, day - 1) - before
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(np.diff(apart))))
    least = max(_LEAST_SHIFT, _SHIFT_SIGMAS * sigma)
    jump[np.abs(jump) < least] = 0.0
    jump[n - _SOONEST_UP + 1 :] = 0.0
    jump[n - _SOONEST_DOWN + 1 :] = np.maximum(jump[n - _SOONEST_DOWN + 1 :], 0.0)
    jump[:day] = 0.0
    for index in np.argsort(-np.abs(np.nan_to_num(jump)))[:day]:
        if not jump[index]:
            return None
        sign = float(np.sign(jump[index]))
        lasting = sign * _between_weeks(apart, index, 7 * day)
        new = _beyond_most(sign * apart[:index], sign * apart[index : index + day])
        lasting = lasting if new > lasting / 2 else new  # what comes back to where it was is not new
        if lasting >= least and _agree(apart[index : index + day], jump[index]):
            size = min(abs(jump[index]), lasting, sign * _above_before(scaled, int(known[index]), season, day))
            if size >= least:
                return int(known[index]), sign * float(size)
    return None


def _above_before(scaled: Floats, index: int, season: int, day: int) -> float:
    """Return the middle of what a day is above the same time of seasons before it, of days where no season is known."""
    after = scaled[index : index + day]
    for length in (season, day):
        places = index + np.arange(len(after)) - length * np.arange(1, _SEASONS_AROUND + 1)[:, None]
        before = nan_median(np.where(places >= 0, scaled[np.maximum(places, 0)], np.nan))
        above = after - before
        if (~np.isnan(above)).any():
            return float(np.nanmedian(above))
    return np.inf


def _between_weeks(apart: Floats, index: int, week: int) -> float:
    """Return the change from the week before to the week after: what came and went within days is none."""
    return float(np.median(apart[index : index + week]) - np.median(apart[max(0, index - week) : index]))


def _beyond_most(before: Floats, after: Floats) -> float:
    """Return by how much what follows is above three quarters of all that was before."""
    return float(np.median(after) - np.quantile(before, _MOST))


def _agree(after: Floats, jump: float) -> bool:
    """Return whether a change is there in full in the first bin and in nearly all that follow."""
    off = np.abs(after - np.median(after)) > _AGREEMENT * abs(jump)
    return not off[0] and float(np.mean(off)) < _AGREEMENT / 2
