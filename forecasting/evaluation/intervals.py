"""How sure it is that one model is better than another: the ratio of their losses, with an interval."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.evaluation.backtest import PEAK_LEVELS, WEEK_S, Answers, Plan
from forecasting.evaluation.scores import Run, actual_peaks, pinball, span

Floats = NDArray[np.float64]

_DRAWS: Final = 2000
_SEED: Final = 20130723
_LEVELS: Final = (0.025, 0.975)


def over_others(runs: Iterable[Run], own: str) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Return for every other model and window (ratio, low, high) of `own`'s peak-WQL over its; below 1 is better.

    The interval holds 95 % of what the ratio is when weeks of origins are drawn anew (circular block bootstrap, Politis
    & Romano 1992): weeks, because neighbours err together. Of several series each is drawn from by itself, and the
    ratio is that of the means over series.

    Args:
        runs: plans of one or several series, all with the same windows, with what was answered.
        own: name of a model.
    """
    known = list(runs)
    plan, said = known[0]
    drawn = [_drawn(plan) for plan, _ in known]
    losses = {name: [_losses(plan, said[name]) for plan, said in known] for name in said}
    found = {name: _ratio(losses[own], losses[name], drawn) for name in losses if name != own}
    return {
        name: {span(w): (float(mid[i]), float(low[i]), float(high[i])) for i, w in enumerate(plan.windows_s)}
        for name, (mid, (low, high)) in found.items()
    }


def _losses(plan: Plan, said: Answers) -> Floats:
    """Return (origins, windows): the pinball loss of each peak over the mean peak, 0 where none is known."""
    peaks = actual_peaks(plan)
    losses = [pinball(peaks[:, i], said.peaks[:, i], PEAK_LEVELS).mean(axis=1) for i in range(peaks.shape[1])]
    return np.asarray(np.nan_to_num(np.stack(losses, axis=1) / np.nanmean(peaks, axis=0)))


def _drawn(plan: Plan) -> NDArray[np.intp]:
    """Return (draws, origins), places of origins: runs of about a week, wrapped round."""
    count = len(plan.origins)
    apart = max(1.0, float(np.median(np.diff(plan.origins)))) if count > 1 else 1.0
    block = int(np.clip(round(WEEK_S / (apart * plan.series.step_s)), 1, max(1, count // 2)))
    begins = np.random.default_rng(_SEED).integers(0, count, (_DRAWS, -(-count // block)))
    places = (begins[:, :, None] + np.arange(block)) % count
    return np.asarray(places.reshape(_DRAWS, -1)[:, :count], dtype=np.intp)


def _ratio(own: list[Floats], other: list[Floats], drawn: list[NDArray[np.intp]]) -> tuple[Floats, Floats]:
    """Return (windows,) ratios and (2, windows) the ends of their intervals."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sum([one.mean(axis=0) for one in own], axis=0) / np.sum([one.mean(axis=0) for one in other], axis=0)
        ours, theirs = (
            np.sum([one[places].mean(axis=1) for one, places in zip(losses, drawn, strict=True)], axis=0)
            for losses in (own, other)
        )
        return ratio, np.asarray(np.quantile(ours / theirs, _LEVELS, axis=0))


def as_json(found: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the same with names instead of places."""
    return {
        name: {window: dict(zip(("ratio", "low", "high"), said, strict=True)) for window, said in windows.items()}
        for name, windows in found.items()
    }
