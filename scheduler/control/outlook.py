"""What people are shown of a model's coming load; the planner sees none of it."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted, Peak
from scheduler.control.board import ModelOutlook, PeakWindow, RatePoint
from scheduler.control.settings import Served
from scheduler.control.traffic import HOUR_S, OUTLOOK_S, Known
from scheduler.model.demand import Basis

LEVELS = (0.1, 0.5, 0.9, 0.99)
PEAK_LEVELS = (0.5, 0.9, 0.99)
KEPT = 16
WINDOWS_S = (HOUR_S, 6 * HOUR_S, 24 * HOUR_S, OUTLOOK_S)


def outlook_of(  # noqa: PLR0913  # the facts of one row, all by name
    served: Served,
    known: Known,
    *,
    share: float,
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
        recent=_recent(known, share, now_s),
    )


def _points(fitted: Fitted, share: float) -> tuple[RatePoint, ...]:
    table = (_table(fitted) * share).T.tolist()
    return tuple(RatePoint(fitted.start_s + (i + 0.5) * fitted.step_s, *row) for i, row in enumerate(table))


def _peaks(fitted: Fitted, share: float, now_s: float) -> tuple[PeakWindow, ...]:
    found = _highest(fitted, now_s)
    return tuple(PeakWindow(peak.window_s, peak.at_s, *(value * share for value in peak.values)) for peak in found)


@lru_cache(maxsize=KEPT)
def _table(fitted: Fitted) -> NDArray[np.float64]:
    """Return quantiles, (levels, bins); kept, because all models of a source ask for the same."""
    return fitted.quantiles(min(fitted.bins, int(OUTLOOK_S // fitted.step_s) + 1), LEVELS)


@lru_cache(maxsize=KEPT)
def _highest(fitted: Fitted, now_s: float) -> tuple[Peak, ...]:
    """Return the highest load of each window; kept, because all models of a source ask for the same."""
    return tuple(fitted.peak_within(now_s, window_s, PEAK_LEVELS) for window_s in WINDOWS_S)


def _recent(known: Known, share: float, now_s: float) -> tuple[tuple[float, float], ...]:
    if known.traffic is None:
        return ()
    series = known.traffic.series.between(now_s - OUTLOOK_S - HOUR_S, now_s)
    centres = series.start_s + (np.arange(len(series)) + 0.5) * series.step_s
    closed = [(float(at), float(v) * share) for at, v in zip(centres, series.values, strict=True) if not np.isnan(v)]
    latest = known.traffic.latest_rps
    return (*closed, *(() if np.isnan(latest) else ((known.traffic.latest_at_s, latest * share),)))


def _length_s(known: Known) -> float:
    return float(len(known.traffic.series) * known.traffic.series.step_s) if known.traffic is not None else 0.0
