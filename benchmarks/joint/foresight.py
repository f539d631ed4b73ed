"""The true future in place of a forecast: the most that any forecast could give."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from forecasting.fitted import Fitted
from forecasting.models.sample_paths import SamplePaths
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
        """Return a forecast of one path: the mean load of each bin."""
        inside = (np.arange(_MOMENTS) + 0.5) / _MOMENTS
        places = fitted.start_s + (np.arange(fitted.bins)[:, None] + inside) * fitted.step_s
        centre = fitted.transform.forward(self.load(places).mean(axis=1))
        cloud = SamplePaths(centre, np.zeros((1, fitted.bins)), np.ones(1), np.zeros(1), alike=0.0)
        return replace(fitted, cloud=cloud)


_MOMENTS = 12
"""The load of a bin is the mean of so many moments in it."""
