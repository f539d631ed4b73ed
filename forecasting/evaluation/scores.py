"""How good forecasts were: error, pinball loss, coverage, and over-provision at a fixed risk.

WQL is the pinball loss over the mean of what is forecast (Gneiting & Raftery, JASA 102, 2007, for the loss); MASE
divides by the error of the seasonal naive forecast on the history (Hyndman & Koehler, IJF 22, 2006).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from forecasting.evaluation.backtest import DAY_S, HOUR_S, LEVELS, PEAK_LEVELS, WEEK_S, Answers, Plan

Floats = NDArray[np.float64]
Run: TypeAlias = tuple[Plan, Mapping[str, Answers]]
"""One series' questions, and the answers by model."""

_MEDIAN: Final = LEVELS.index(0.5)
_Q95: Final = PEAK_LEVELS.index(0.95)
_Q99: Final = PEAK_LEVELS.index(0.99)
_JUDGED_S: Final = (6 * HOUR_S, DAY_S)
"""Windows for which coverage and over-provision are told, where they were asked for."""
_SCALE_S: Final = 12 * WEEK_S


def report(plan: Plan, answers: dict[str, Answers]) -> dict[str, Any]:
    """Return the scores of every model as `headroom backtest --json` prints them."""
    return {"origins": len(plan.origins), "models": {name: scores(plan, said) for name, said in answers.items()}}


def scores(plan: Plan, said: Answers) -> dict[str, Any]:
    """Return one model's scores."""
    peaks = actual_peaks(plan)
    judged = [w for w in plan.windows_s if w in _JUDGED_S] or list(plan.windows_s)
    pairs = {span(w): (peaks[:, i], said.peaks[:, i]) for i, w in enumerate(plan.windows_s)}
    risky = {span(w): pairs[span(w)] for w in judged}
    return {
        "mase_24h": mase(plan, said),
        "wql": {span(w): wql(plan, said, w) for w in (DAY_S, WEEK_S) if w <= plan.horizon_s},
        "peak_wql": {window: peak_wql(*pair) for window, pair in pairs.items()},
        "peak_coverage": {
            window: {"0.95": coverage(actual, q[:, _Q95]), "0.99": coverage(actual, q[:, _Q99])}
            for window, (actual, q) in risky.items()
        },
        "op5": {window: over_provision(actual, q[:, _Q99], 0.05) for window, (actual, q) in risky.items()},
        "op1": {window: over_provision(actual, q[:, _Q99], 0.01) for window, (actual, q) in risky.items()},
        "cpu_s_per_origin": said.cpu_s / len(plan.origins),
    }


def span(seconds: float) -> str:
    """Return a length of time in the largest unit up to hours, as in "15m" or "168h"."""
    return f"{seconds / HOUR_S:.0f}h" if seconds % HOUR_S == 0 else f"{seconds / 60:g}m"


def actual_peaks(plan: Plan) -> Floats:
    """Return (origins, windows), the highest known bin of each window; NaN where none is known."""
    values = np.where(np.isnan(plan.series.values), -np.inf, plan.series.values)
    peaks = np.array([[values[o : o + w].max() for w in plan.ask.windows] for o in plan.origins])
    return np.where(np.isinf(peaks), np.nan, peaks)


def pinball(actual: Floats, quantiles: Floats, levels: tuple[float, ...]) -> Floats:
    """Return the loss of quantiles (n, levels) against actual values (n,), (n, levels)."""
    over = actual[:, None] - quantiles
    return np.maximum(np.asarray(levels) * over, (np.asarray(levels) - 1) * over)


def peak_wql(actual: Floats, quantiles: Floats) -> float:
    """Return the mean pinball loss of a window's peak over the mean peak."""
    return float(np.nanmean(pinball(actual, quantiles, PEAK_LEVELS)) / np.nanmean(actual))


def wql(plan: Plan, said: Answers, window_s: int) -> float:
    """Return the mean pinball loss of the bins up to a lead over their mean."""
    width = window_s // plan.series.step_s
    actual = np.concatenate([plan.series.values[o : o + width] for o in plan.origins])
    quantiles = said.bins[:, :, :width].transpose(0, 2, 1).reshape(-1, len(LEVELS))
    return float(np.nanmean(pinball(actual, quantiles, LEVELS)) / np.nanmean(actual))


def mase(plan: Plan, said: Answers) -> float:
    """Return the mean absolute error of the median over a day, over that of the seasonal naive on the history.

    Origins before which every week was like the last are left out; NaN when there is no other.
    """
    width = DAY_S // plan.series.step_s
    errors = np.array([
        (np.nanmean(np.abs(plan.series.values[o : o + width] - bins[_MEDIAN, :width])), _naive_error(plan, o))
        for o, bins in zip(plan.origins, said.bins, strict=True)
    ])  # fmt: skip
    scaled = errors[errors[:, 1] > 0]
    return float(np.nanmean(scaled[:, 0] / scaled[:, 1])) if len(scaled) else np.nan


def _naive_error(plan: Plan, origin: int) -> float:
    step = plan.series.step_s
    history = plan.series.values[max(0, origin - _SCALE_S // step) : origin]
    season = min(WEEK_S // step, len(history) // 2)
    return float(np.nanmean(np.abs(history[season:] - history[:-season])))


def coverage(actual: Floats, quantile: Floats) -> float:
    """Return the share of windows whose peak was not above the quantile."""
    known = ~np.isnan(actual)
    return float(np.mean(actual[known] <= quantile[known]))


def over_provision(actual: Floats, quantile: Floats, risk: float) -> float:
    """Return the mean over-provision once the quantile is scaled so that at most `risk` of the windows are short."""
    known = ~np.isnan(actual) & (actual > 0)
    ratio = actual[known] / np.maximum(quantile[known], 1e-300)
    factor = np.sort(ratio)[max(0, len(ratio) - 1 - int(risk * len(ratio)))]
    return float(np.mean(np.maximum(factor / ratio - 1, 0.0)))


def trade_off(runs: Sequence[Run], name: str, window_s: int, points: int = 60) -> tuple[Floats, Floats]:
    """Return (points,) shares of windows short and the mean over-provision that goes with them.

    Args:
        runs: plans of one or several series with what was answered.
        name: of the model.
        window_s: one of the windows asked for.
        points: how many.
    """
    pairs = [(actual_peaks(plan)[:, at], said[name].peaks[:, at, _Q99]) for plan, said, at in _at(runs, window_s)]
    actual, quantile = (np.concatenate(part) for part in zip(*pairs, strict=True))
    risks = np.linspace(0.0, 0.3, points)
    return risks, np.array([over_provision(actual, quantile, risk) for risk in risks])


def _at(runs: Sequence[Run], window_s: int) -> list[tuple[Plan, Mapping[str, Answers], int]]:
    return [(plan, said, plan.windows_s.index(window_s)) for plan, said in runs]
