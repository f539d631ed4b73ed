"""From what is known of traffic to the load of one model: now, at its peak within the lead time, and at its lowest."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.peaks import PeaksFrom
from forecasting.shares import Share
from policies.headroom_rules import lead_time_s, planning_quantile
from scheduler.control.demand.traffic import SourceState
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import Basis

PEAK_GRID = tuple(np.round((np.arange(200) + 0.5) / 200, 4).tolist())
"""Equally likely levels of a source's peak, to be multiplied by those of a share."""
DAY_S: Final = 86_400.0
MOST_BINS: Final = 300
"""Bins of the coming day that are looked at for the lowest load."""
COURSE_S: Final = 129_600.0
"""How far ahead the load's rises and falls are looked at."""
MOST_POINTS: Final = 72
"""Points of its course; of more bins, the highest of a few together counts."""
KEPT: Final = 16
"""Forecasts whose quantiles and peaks are remembered."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests per second of one model.

    Attributes:
        now: of the moment.
        wanted: the quantile of the highest within the lead time.
        held: likewise within the lead time and the shortest useful run of a training job.
        peak_at_s: when the highest of `held`'s window is expected.
        basis: see `Basis`.
        low: the lowest that is expected within a day; infinity when nothing is foreseen.
        low_at_s: when.
        falls: (at_s, load), each bin of that day with a lower load than all before it.
    """

    now: float
    wanted: float
    held: float
    peak_at_s: float
    basis: Basis
    low: float = math.inf
    low_at_s: float = 0.0
    falls: tuple[tuple[float, float], ...] = ()


def load_of(served: Served, known: Mapping[str, SourceState], share: Share, settings: Settings, now_s: float) -> Load:
    """Return a model's load from what is known of its source, and of its own requests where they are measured."""
    source = known[served.source]
    rate, age_s = source.rate_at(now_s)
    now = _rate_of_its_own(served, known, settings, now_s)
    if now is None:
        now = rate * share.middle
    basis = _basis(source, age_s, settings)
    padded = now * (1 + settings.margin)
    if basis in {Basis.REACTIVE, Basis.COLD_START} or source.corrected is None or not source.has_history:
        return Load(now, padded, padded, now_s, basis)
    lead_s = lead_s_of(served, settings)
    quantile = quantile_of(served, settings)
    soon, _ = peak_of(source.corrected, share, now_s, lead_s, quantile)
    later, peak_at_s = peak_of(source.corrected, share, now_s, lead_s + settings.min_runtime_s, quantile)
    is_doubtful = basis is Basis.SILENT or source.record.gives_way
    wanted = max(soon, padded if is_doubtful else now)
    falls = _falls(source.corrected, share, wanted)
    low_at_s, low = falls[-1]
    return Load(now, wanted, max(later, wanted), peak_at_s, basis, low, low_at_s, falls)


def _rate_of_its_own(
    served: Served, known: Mapping[str, SourceState], settings: Settings, now_s: float
) -> float | None:
    """Return the requests per second measured of the model itself; None when nobody does, or not just now."""
    if not served.own_source:
        return None
    own = known[served.own_source]
    rate, age_s = own.rate_at(now_s)
    return None if own.failure or age_s > settings.silent_after_s else rate


def peak_of(forecast: Fitted, share: Share, now_s: float, window_s: float, quantile: float) -> tuple[float, float]:
    """Return the quantile of a model's highest load in a window, and when the source's is expected."""
    if not share.spread:
        peak = _peaks_from(forecast, now_s).within(window_s, (quantile,))
        return peak.values[0] * share.middle, peak.at_s
    peak = _peaks_from(forecast, now_s).within(window_s, PEAK_GRID)
    return float(share.quantiles_of(np.array(peak.values), (quantile,))[0]), peak.at_s


def _falls(forecast: Fitted, share: Share, wanted: float) -> tuple[tuple[float, float], ...]:
    """Return (at_s, load) of each bin within a day that is lower than all before, the lowest of them the last.

    The load is the middle, by as much higher as is wanted now.
    """
    bins = max(1, min(forecast.bins, MOST_BINS, int(DAY_S // forecast.step_s)))
    middle = _quantiles(forecast, bins, (0.5,))[0] * share.middle
    above = _above(middle, wanted)
    before = np.minimum.accumulate(np.append(np.inf, middle[:-1]))
    return tuple(
        (forecast.start_s + (bin_ + 0.5) * forecast.step_s, float(middle[bin_]) * above)
        for bin_ in np.flatnonzero(middle < before).tolist()
    )


def course_points(
    forecast: Fitted, share: Share, wanted: float, quantile: float, now_s: float
) -> Iterator[tuple[float, float, float]]:
    """Yield (at_s, middle, high) of the bins to come, or of some of them together: at their middle, the highest.

    The middle is by as much higher as is wanted now; the high load is the quantile, and never below.
    """
    bins = max(1, min(forecast.bins, int(COURSE_S // forecast.step_s)))
    middle, high = _quantiles(forecast, bins, (0.5, quantile)) * share.middle
    middle = middle * _above(middle, wanted)
    together = -(-bins // MOST_POINTS)
    for first in range(0, bins, together):
        at_s = forecast.start_s + (first + 0.5 * min(together, bins - first)) * forecast.step_s
        most = float(middle[first : first + together].max())
        if at_s > now_s:
            yield at_s, most, max(most, float(high[first : first + together].max()))


def _above(middle: NDArray[np.float64], wanted: float) -> float:
    """Return by what factor more is wanted now than the middle of this bin and the next, where that may lie."""
    usual = float(middle[:2].max())
    return max(1.0, wanted / usual) if usual > 0 else 1.0


@lru_cache(maxsize=KEPT)
def _peaks_from(forecast: Fitted, now_s: float) -> PeaksFrom:
    """Return the peaks of windows from now on; kept, because the models of a source ask for windows of one forecast."""
    return PeaksFrom(forecast, now_s)


@lru_cache(maxsize=KEPT)
def _quantiles(forecast: Fitted, bins: int, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles of the next bins, (levels, bins); kept, because all models of a source ask for the same."""
    return forecast.quantiles(bins, levels)


def quantile_of(served: Served, settings: Settings) -> float:
    """Return the quantile by which a model is planned: that of the settings, or as high as its promise takes."""
    return planning_quantile(settings.quantile, served.rule.within)


def lead_s_of(served: Served, settings: Settings) -> float:
    """Return a model's lead time, seconds: warm-up, longest grace and control period."""
    return lead_time_s(served.model.warm_up_s, settings.preemption_grace_s, settings.period_s)


def _basis(known: SourceState, age_s: float, settings: Settings) -> Basis:
    if settings.reactive:
        return Basis.REACTIVE
    if known.failure or age_s > settings.silent_after_s:
        return Basis.SILENT
    if not known.has_history or known.corrected is None:
        return Basis.COLD_START
    return Basis.CORRECTED if known.surprised else Basis.FORECAST
