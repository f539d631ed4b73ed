"""Forecasts that are missing or wrong by a stated error, in place of those that would be made."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from forecasting.fitted import Fitted
from scheduler.config.scenario import ForecastFaults
from scheduler.control.demand.traffic import HOUR_S, Task
from scheduler.control.isolation.crews import AtOnce
from scheduler.model.errors import Unreachable
from simulations.chance import chance

T = TypeVar("T")


class BadFitters:
    """A `scheduler.control.isolation.crews.Crew` that spoils what the forecaster makes, and does not ask it at times.

    The middle of a forecast is so many times what it was, and its paths move with it.
    """

    def __init__(self, faults: ForecastFaults, start_s: float, seed: int) -> None:
        """Spoil forecasts of a scenario that starts at an epoch second."""
        self._silent: Sequence[tuple[float, float]] = [
            (start_s + one.after, start_s + one.after + one.lasts) for one in faults.silent
        ]
        self._faults, self._seed, self._crew = faults, seed, AtOnce()

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Return a future that is done."""
        task = getattr(work, "__self__", None)
        if not isinstance(task, Task):
            return self._crew.submit(work, *args)
        return self._crew.submit(self._spoilt, task)  # type: ignore[arg-type]  # what a task's fit returns is T

    def tend(self) -> None:
        """Do nothing: every errand is done."""

    def _spoilt(self, task: Task) -> object:
        if any(from_s <= task.now_s < until_s for from_s, until_s in self._silent):
            raise Unreachable("the forecaster does not answer", help="it will when the scenario says so")
        fitted, crowds = task.fit()
        return _times(fitted, self._factor(task)), crowds

    def _factor(self, task: Task) -> float:
        hour = int(task.now_s // HOUR_S)
        rng = chance(self._seed, f"error of the forecast at {hour} of {task.traffic.series.start_s} {task.wanted[-1]}")
        return (1 + self._faults.bias) * math.exp(self._faults.error * float(rng.standard_normal()))


def crews_needed(faults: ForecastFaults) -> bool:
    """Whether forecasts are spoilt at all."""
    return bool(faults.silent or faults.bias or faults.error)


def _times(fitted: Fitted, factor: float) -> Fitted:
    scale = fitted.transform
    middle = fitted.quantiles(fitted.bins, (0.5,))[0]
    moved = fitted.cloud.moved(scale.forward(middle * factor) - scale.forward(middle))
    return replace(fitted, cloud=moved).checked()
