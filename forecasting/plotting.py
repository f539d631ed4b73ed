"""Pictures of forecasts and backtests; needs matplotlib (`headroom[plot]`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from forecasting.evaluation.scores import Run, span, trade_off
from forecasting.fitted import Fitted
from forecasting.series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Line = tuple[Any, NDArray[np.float64]]
"""Origins as the library takes them, and values; both (n,)."""

_BANDS: Final = (0.1, 0.5, 0.9, 0.99)
_PAST_OF_HORIZON: Final = 1.0
_DAY_S: Final = 86400
_COLOURS: Final = ("#1f5fbf", "#8a8a8a", "#b8860b", "#2e8b57", "#8b3a62", "#555555")
_DPI: Final = 120


def plot_forecast(  # noqa: PLR0913, PLR0917  # a picture of six things
    path: Path, series: Series, fitted: Fitted, horizon: int, title: str, came: Series | None = None
) -> None:
    """Write a picture of the last of the series and of the bands to come, and of what came after all if known."""
    past = series.between(fitted.start_s - _PAST_OF_HORIZON * horizon * fitted.step_s, series.end_s)
    seen = _moments(past.start_s, past.step_s, len(past)), past.values
    ahead = _moments(fitted.start_s, fitted.step_s, horizon)
    later = None if came is None else (_moments(came.start_s, came.step_s, len(came)), came.values)
    day = min(_DAY_S // fitted.step_s, horizon)
    top = ahead[:day], np.full(day, fitted.peak(day, (0.99,)).values[0])
    plot_bands(path, seen, ahead, fitted.quantiles(horizon, _BANDS), title, later, top)


def plot_bands(  # noqa: PLR0913, PLR0917  # likewise
    path: Path,
    past: Line,
    ahead: Any,
    bands: NDArray[np.float64],
    title: str,
    came: Line | None = None,
    top: Line | None = None,
) -> None:
    """Write a picture of what was and of the bands to come.

    Args:
        path: the file; its ending says the format (.png, .svg, .pdf).
        past: moments and values.
        ahead: moments (n,).
        bands: p10, p50, p90 and p99, (4, n).
        title: over the picture.
        came: what came after all, if it is known.
        top: the p99 of the peak of a window, over the window.
    """
    figure, axes = _figure(1)
    p10, p50, p90, p99 = bands
    axes[0].plot(*past, color="#222222", lw=1.5)
    if came is not None:
        axes[0].plot(*came, color="#222222", lw=1.2, ls=(0, (1, 1)))
    axes[0].fill_between(ahead, p10, p90, color=_COLOURS[0], alpha=0.2, lw=0)
    axes[0].fill_between(ahead, p90, p99, color=_COLOURS[0], alpha=0.1, lw=0)
    axes[0].plot(ahead, p50, color=_COLOURS[0], lw=1.5)
    axes[0].plot(ahead, p99, color=_COLOURS[0], lw=1.2, ls="--")
    for line, name in ((p50, "p50"), (p99, "p99")):
        axes[0].annotate(name, (ahead[-1], line[-1]), xytext=(4, 0), textcoords="offset points", color=_COLOURS[0])
    if top is not None:
        axes[0].plot(*top, color="#b3401a", lw=1.2)
        at = (top[0][0], top[1][0])
        label = "p99 of the peak of these 24 h"
        axes[0].annotate(label, at, xytext=(0, 4), textcoords="offset points", color="#b3401a")
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("requests/s")
    axes[0].set_title(title, loc="left", fontsize=10, wrap=True)
    axes[0].tick_params(axis="x", rotation=20)
    _save(figure, path)


def plot_trade_off(path: Path, runs: Sequence[Run]) -> None:
    """Write a picture of the share of windows short against the mean over-provision, one panel a window."""
    asked, answers = runs[0][0].windows_s, runs[0][1]
    windows = asked[1:3] or asked
    figure, axes = _figure(len(windows))
    for place, window_s in zip(axes, windows, strict=True):
        for name, colour in zip(answers, _COLOURS, strict=False):
            risks, over = trade_off(runs, name, window_s)
            place.plot(100 * over, 100 * risks, color=colour, label=name, lw=2 if name == "headroom" else 1.2)
        place.set_xlabel("mean over-provision, %")
        place.set_ylabel("windows short, %")
        place.set_title(f"peak of the next {span(window_s)}", loc="left")
        place.set_xlim(left=0)
        place.legend(frameon=False)
    _save(figure, path)


def _figure(panels: int) -> tuple[Any, "list[Axes]"]:
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(9 if panels == 1 else 5.5 * panels, 4.2), layout="constrained")
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for place in axes:
        place.spines[["top", "right"]].set_visible(False)
        place.grid(alpha=0.25)
    return figure, axes


def _moments(start_s: int, step_s: int, count: int) -> Any:
    """Return the centres of bins as the library takes them."""
    return (1000 * (start_s + (np.arange(count) + 0.5) * step_s)).astype("datetime64[ms]")


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=_DPI)
