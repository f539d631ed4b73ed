"""The true future in place of a forecast: the most that any forecast could give."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from benchmarks.joint.peers import single
from forecasting.fitted import Fitted
from scheduler.control.isolation.crews import AtOnce
from simulations.serving import Load

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Clairvoyant:
    """A `scheduler.control.isolation.crews.Crew` that fits forecasts and puts what will come in their place.

    Attributes:
        load: what comes, requests per second.
    """

    load: Load

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Return a future of what `work` returns, with the true future for its forecast."""
        return AtOnce().submit(lambda: self._seen(work(*args)))

    def tend(self) -> None:
        """Do nothing: every errand is done."""

    def _seen(self, made: Any) -> Any:
        """Return a forecast and the flash crowds of the past with the forecast come true."""
        fitted, crowds = made
        return self.true_future(fitted), crowds

    def true_future(self, fitted: Fitted) -> Fitted:
        """Return a forecast of one path in fine bins, each the highest load up to the middles of its neighbours.

        A window's peak goes in straight lines between the middles of bins: so none within the bin is missed.
        """
        finer = max(1, round(fitted.step_s / _STEP_S))
        step_s, bins = fitted.step_s // finer, min(fitted.bins * finer, _BINS)
        around = np.linspace(-1.0, 1.0, _MOMENTS)
        places = fitted.start_s + (np.arange(bins)[:, None] + 0.5 + around) * step_s
        centre = fitted.transform.forward(self.load(places).max(axis=1))
        return replace(fitted, step_s=step_s, cloud=single(centre), last=np.nan)


_STEP_S, _BINS = 300.0, 2016
"""Bins of the true future, and how many of them: a week."""
_MOMENTS = 11
"""Moments at which the load is looked at for each."""
