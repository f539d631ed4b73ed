"""Rolling-origin backtest: every model is asked at the same moments of the past, with nothing from later."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.evaluation.questions import Answer, Ask, Mixture, Model, mixed
from forecasting.series import Series, SeriesError

Floats = NDArray[np.float64]

HOUR_S: Final = 3600
DAY_S: Final = 86400
WEEK_S: Final = 7 * DAY_S
LEVELS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PEAK_LEVELS: Final = (0.5, 0.9, 0.95, 0.99)
WINDOWS_S: Final = (HOUR_S, 6 * HOUR_S, DAY_S, WEEK_S)
_HISTORY_S: Final = 12 * WEEK_S
"""History before the first origin, unless told otherwise or there is less."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which moments of a series are asked about, and what.

    Attributes:
        series: the whole series.
        origins: (n,) indices of the first bin to forecast, ascending.
        windows_s: lengths of the windows whose peak is asked for.
        horizon_s: how far the bins are asked for.
    """

    series: Series
    origins: tuple[int, ...]
    windows_s: tuple[int, ...] = WINDOWS_S
    horizon_s: int = WEEK_S

    @property
    def ask(self) -> Ask:
        """What every model is asked."""
        step = self.series.step_s
        return Ask(self.horizon_s // step, LEVELS, tuple(max(1, w // step) for w in self.windows_s), PEAK_LEVELS)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one model said at all origins.

    Attributes:
        bins: (origins, levels, horizon).
        peaks: (origins, windows, peak levels).
        cpu_s: processor time it took for all of them.
    """

    bins: Floats
    peaks: Floats
    cpu_s: float


def plan(
    series: Series,
    *,
    every_s: int = 13 * HOUR_S,
    windows_s: tuple[int, ...] = WINDOWS_S,
    train_until_s: float | None = None,
) -> Plan:
    """Return the plan of a backtest.

    Args:
        series: the whole series.
        every_s: time from one origin to the next.
        windows_s: lengths of the windows whose peak is asked for.
        train_until_s: the first origin; after twelve weeks (or half of a shorter series) if None.

    Raises:
        SeriesError: there is nothing left to forecast.
    """
    horizon_s = max(*windows_s, DAY_S)
    step = series.step_s
    first = min(_HISTORY_S // step, len(series) // 2) if train_until_s is None else _index(series, train_until_s)
    origins = range(first, len(series) - horizon_s // step + 1, max(1, every_s // step))
    usable = tuple(o for o in origins if first > 1 and _judgeable(series.values[o : o + horizon_s // step]))
    if not usable:
        need = f"{horizon_s / DAY_S:.3g} days after the first origin"
        raise SeriesError("the series is too short for a backtest", help=f"it needs history and {need}")
    return Plan(series, usable, windows_s, horizon_s)


def run(
    plan: Plan, models: Mapping[str, Model], seen: Callable[[str, int], None] = lambda _name, _count: None
) -> dict[str, Answers]:
    """Ask every model at every origin; `seen(name, count)` is told of progress."""
    answers: dict[str, Answers] = {}
    for name, model in models.items():
        if isinstance(model, Mixture) and model.of.keys() <= answers.keys():
            answers[name] = _mixed([answers[part] for part in model.of])
        else:
            answers[name] = _ask(plan, model, partial(seen, name))
    return answers


def _mixed(parts: Sequence[Answers]) -> Answers:
    """Return what a mixture says of which all parts have been asked; it costs what they cost."""
    said = mixed([Answer(part.bins, part.peaks) for part in parts])
    return Answers(said.bins, said.peaks, sum(part.cpu_s for part in parts))


def _index(series: Series, at_s: float) -> int:
    return int(np.clip(-(-(at_s - series.start_s) // series.step_s), 0, len(series)))


def _judgeable(future: Floats) -> bool:
    """Return whether enough is known of what came: nine bins in ten."""
    return bool(np.isnan(future).mean() < 0.1)  # noqa: PLR2004  # said in the docstring


def _ask(plan: Plan, model: Model, seen: Callable[[int], None]) -> Answers:
    answers: list[Answer] = []
    began_s = _cpu_s()
    for count, origin in enumerate(plan.origins, start=1):
        series = plan.series
        answers.append(model.answer(series.until(series.start_s + origin * series.step_s), plan.ask))
        seen(count)
    cpu_s = _cpu_s() - began_s
    return Answers(np.stack([a.bins for a in answers]), np.stack([a.peaks for a in answers]), cpu_s)


def _cpu_s() -> float:
    """Return the processor time of this process and of the children that have ended: some models run programs."""
    return sum(os.times()[:4])
