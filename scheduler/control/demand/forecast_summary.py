"""What people are shown of a model's coming load; the planner sees none of it."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.peaks import Peak
from forecasting.shares import Share
from scheduler.control.demand.traffic import HOUR_S, OUTLOOK_S, WEEK_S, SourceState
from scheduler.control.reports.board import ModelOutlook, PeakWindow, RatePoint
from scheduler.control.settings import Served
from scheduler.model.demand import Basis

LEVELS = (0.1, 0.5, 0.9, 0.99)
PEAK_LEVELS = (0.5, 0.9, 0.99)
GRID = tuple(np.round((np.arange(40) + 0.5) / 40, 5).tolist())
"""Equally likely levels of a source's load, to be multiplied by those of a share."""
KEPT = 16
WINDOWS_S = (HOUR_S, 6 * HOUR_S, 24 * HOUR_S, WEEK_S)


def outlook_of(  # noqa: PLR0913  # the facts of one row, all by name
    served: Served,
    known: SourceState,
    *,
    share: Share,
    basis: Basis,
    rps_now: float,
    lead_time_s: float,
    replicas_for: Callable[[float], int],
    now_s: float,
) -> ModelOutlook:
    """Return the outlook of a model from what is known of its source; rates are multiplied by the model's share."""
    fitted = known.corrected if known.has_history else None
    points = _points(fitted, share) if fitted is not None else ()
    return ModelOutlook(
        model=served.model.name,
        source=served.source,
        basis=basis,
        rps_now=rps_now,
        rps_per_replica=served.rule.rps_per_replica,
        lead_time_s=lead_time_s,
        history_s=known.fitted.basis.history_s if known.fitted is not None else _length_s(known),
        source_age_s=known.rate_at(now_s)[1],
        points=points,
        peaks=_peaks(fitted, share, now_s) if fitted is not None else (),
        replicas=tuple((point.at_s, replicas_for(point.p99)) for point in points),
        recent=_recent(known, share.middle, now_s),
        forecast=fitted,
        share=share,
        record=known.record,
    )


def quantiles_until(
    outlook: ModelOutlook, until_s: float, levels: tuple[float, ...]
) -> tuple[tuple[float, tuple[float, ...]], ...]:
    """Return (at_s, quantiles) of a model's load, requests per second, for each step up to a moment."""
    forecast = outlook.forecast
    if forecast is None:
        return ()
    bins = min(forecast.bins, max(1, int(np.ceil((until_s - forecast.start_s) / forecast.step_s))))
    table = _table(forecast, bins, levels, outlook.share)
    return tuple((forecast.start_s + (i + 0.5) * forecast.step_s, tuple(row)) for i, row in enumerate(table.T.tolist()))


def peaks_of(outlook: ModelOutlook, now_s: float, levels: tuple[float, ...]) -> tuple[Peak, ...]:
    """Return the highest load of each window, requests per second."""
    forecast = outlook.forecast
    return _highest(forecast, now_s, levels, outlook.share) if forecast is not None else ()


def _points(fitted: Fitted, share: Share) -> tuple[RatePoint, ...]:
    bins = min(fitted.bins, int(OUTLOOK_S // fitted.step_s) + 1)
    table = _table(fitted, bins, LEVELS, share).T.tolist()
    return tuple(RatePoint(fitted.start_s + (i + 0.5) * fitted.step_s, *row) for i, row in enumerate(table))


def _peaks(fitted: Fitted, share: Share, now_s: float) -> tuple[PeakWindow, ...]:
    found = _highest(fitted, now_s, PEAK_LEVELS, share)
    return tuple(PeakWindow(peak.window_s, peak.at_s, *peak.values) for peak in found)


def _table(fitted: Fitted, bins: int, levels: tuple[float, ...], share: Share) -> NDArray[np.float64]:
    """Return quantiles of a model's load, (levels, bins)."""
    if not share.spread:
        return _of_source(fitted, bins, levels) * share.middle
    return share.quantiles_of(_of_source(fitted, bins, GRID), levels)


def _highest(fitted: Fitted, now_s: float, levels: tuple[float, ...], share: Share) -> tuple[Peak, ...]:
    """Return the highest load of each window that the forecast reaches."""
    windows = tuple(window_s for window_s in WINDOWS_S if now_s + window_s <= fitted.end_s + fitted.step_s)
    if not share.spread:
        found = _peaks_of_source(fitted, now_s, windows, levels)
        return tuple(replace(peak, values=tuple(v * share.middle for v in peak.values)) for peak in found)
    found = _peaks_of_source(fitted, now_s, windows, GRID)
    return tuple(
        replace(peak, qs=levels, values=tuple(share.quantiles_of(np.array(peak.values), levels).tolist()))
        for peak in found
    )


@lru_cache(maxsize=KEPT)
def _of_source(fitted: Fitted, bins: int, levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Return quantiles, (levels, bins); kept, because all models of a source ask for the same."""
    return fitted.quantiles(bins, levels)


@lru_cache(maxsize=KEPT)
def _peaks_of_source(
    fitted: Fitted, now_s: float, windows: tuple[float, ...], levels: tuple[float, ...]
) -> tuple[Peak, ...]:
    """Return the highest load of each window; kept, because all models of a source ask for the same."""
    return tuple(fitted.peak_within(now_s, window_s, levels) for window_s in windows)


def _recent(known: SourceState, share: float, now_s: float) -> tuple[tuple[float, float], ...]:
    if known.traffic is None:
        return ()
    series = known.traffic.series.between(now_s - OUTLOOK_S - HOUR_S, now_s)
    centres = series.start_s + (np.arange(len(series)) + 0.5) * series.step_s
    closed = [(float(at), float(v) * share) for at, v in zip(centres, series.values, strict=True) if not np.isnan(v)]
    latest = known.traffic.latest_rps
    return (*closed, *(() if np.isnan(latest) else ((known.traffic.latest_at_s, latest * share),)))


def _length_s(known: SourceState) -> float:
    """Return how long the history is, from its first known bin on: it may be asked for longer than there is any."""
    if known.traffic is None or not known.traffic.series.known.any():
        return 0.0
    series = known.traffic.series
    return float((len(series) - int(series.known.argmax())) * series.step_s)
