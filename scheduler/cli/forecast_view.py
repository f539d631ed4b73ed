"""How the forecast of a recorded series is shown: to people as a sentence and two tables, to programs as JSON."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isinf
from typing import TYPE_CHECKING, Any, Final

from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, render
from scheduler.cli.wording import moment, seconds, zone_name

if TYPE_CHECKING:
    from forecasting.fitted import Fitted
    from forecasting.peaks import Peak
    from forecasting.series import Series

_HOUR_S: Final = 3600
PEAKS_S: Final = (_HOUR_S, 6 * _HOUR_S, 24 * _HOUR_S, 168 * _HOUR_S)


def forecast_text(name: str, fitted: "Fitted", bins: int, levels: tuple[float, ...], screen: Screen) -> str:
    """Return what people read: what it rests on, the peaks, and every step."""
    now = datetime.fromtimestamp(fitted.start_s, tz=UTC)
    titles = tuple(Column(f"P{100 * level:g}", right=True) for level in levels)
    peaks = tuple(
        (
            seconds(p.window_s),
            *(f"{v:.4g}" for v in p.values),
            moment(datetime.fromtimestamp(p.at_s, tz=UTC), now, screen),
        )
        for p in _peaks(fitted, levels)
    )
    steps = tuple(
        (
            moment(datetime.fromtimestamp(fitted.start_s + i * fitted.step_s, tz=UTC), now, screen),
            *(f"{v:.4g}" for v in row),
        )
        for i, row in enumerate(fitted.quantiles(bins, levels).T)
    )
    zone = zone_name(now, screen)
    highest = render(Table((Column("HIGHEST OF THE NEXT"), *titles, Column(f"LIKELY AT ({zone})")), peaks), screen)
    each = render(Table((Column(f"FROM ({zone})"), *titles), steps), screen)
    return f"{screen.paint(name, 'bold')} · requests/s · {fitted.basis}\n\n{highest}\n\n{each}"


def document(
    origin: Mapping[str, str], series: "Series", fitted: "Fitted", bins: int, levels: tuple[float, ...]
) -> "dict[str, Any]":
    """Return the forecast for programs, with its origin's keys; the layout is that of the other commands."""
    quantiles = fitted.quantiles(bins, levels)
    names = [f"p{100 * level:g}" for level in levels]
    basis = fitted.basis
    return {
        "apiVersion": "headroom/v1",
        "kind": "SeriesForecast",
        "observedAt": _stamp(series.end_s),
        "cycle": 0,
        "item": {
            **origin,
            "step_s": fitted.step_s,
            "basis": {
                "footing": str(basis.footing),
                "history_s": basis.history_s,
                "age_s": basis.age_s,
                "gaps_s": basis.gaps_s,
                "dropouts_s": basis.dropouts_s,
                "spikes_s": basis.spikes_s,
                "shifts": [{"at": _stamp(at), "factor": factor} for at, factor in basis.shifts],
                "absurd_s": basis.absurd_s,
                "quiet_s": basis.quiet_s,
                "held_s": basis.held_s,
                "ceiling": None if isinf(basis.ceiling) else basis.ceiling,
                "caution": basis.caution,
                "sentence": str(basis),
            },
            "points": [
                {"at": _stamp(fitted.start_s + i * fitted.step_s)} | dict(zip(names, map(float, row), strict=True))
                for i, row in enumerate(quantiles.T)
            ],
            "peaks": [
                {"window_s": p.window_s, "at": _stamp(p.at_s), "at_p10": _stamp(p.between_s[0])}
                | {"at_p90": _stamp(p.between_s[1])}
                | dict(zip(names, p.values, strict=True))
                for p in _peaks(fitted, levels)
            ],
        },
    }


def _peaks(fitted: "Fitted", levels: tuple[float, ...]) -> "list[Peak]":
    return [fitted.peak(w // fitted.step_s, levels) for w in PEAKS_S if w >= fitted.step_s]


def _stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
