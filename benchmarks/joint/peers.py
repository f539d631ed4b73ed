"""What peers know of the load: a Kalman filter's next step, or the same time last week."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from forecasting.fitted import Fitted
from forecasting.models.sample_paths import SamplePaths
from forecasting.peers.naive import bridged
from forecasting.series import Series
from scheduler.control.isolation.crews import AtOnce
from scheduler.control.ports import Traffic, TrafficSource

T = TypeVar("T")
Floats = NDArray[np.float64]

LEVEL, TREND, MEASURED = 1.0, 0.1, 10.0
"""Variances of a Kalman filter's level, trend and measurements; only their ratios matter."""
_DAY_S: Final = 86_400


class OneStepAhead:
    """A `TrafficSource` that shows, in place of the load of the moment, what a Kalman filter expects of the next step.

    Level and trend (Harvey, Forecasting, structural time series models and the Kalman filter, 1989), measured as the
    mean of what was shown since the step before. The next one is the last that it knows of.
    """

    def __init__(self, source: TrafficSource, step_s: float) -> None:
        """Look at a source that often."""
        self._source, self._step_s = source, step_s
        self._state: Floats = np.zeros(2)
        self._spread: Floats = np.eye(2) * MEASURED
        self._began_s = -np.inf
        self._seen: list[float] = []

    def read(self, now_s: float) -> Traffic:
        """Return what is known, its latest rate the one that is expected."""
        traffic = self._source.read(now_s)
        if not np.isnan(traffic.latest_rps):
            self._seen.append(traffic.latest_rps)
            if now_s - self._began_s >= self._step_s:
                self._step(float(np.mean(self._seen)))
                self._began_s, self._seen = now_s, []
        return replace(traffic, latest_rps=max(0.0, float(self._state.sum()))) if self._began_s > 0 else traffic

    def _step(self, measured: float) -> None:
        """Go on by a step, and correct what is known by what was measured in it."""
        if self._began_s < 0:
            self._state[0] = measured
        moves = np.array([[1.0, 1.0], [0.0, 1.0]])
        state = moves @ self._state
        spread = moves @ self._spread @ moves.T + np.diag([LEVEL, TREND])
        gain = spread[:, 0] / (spread[0, 0] + MEASURED)
        self._state = state + gain * (measured - state[0])
        self._spread = spread - np.outer(gain, spread[0])


@dataclass(frozen=True, slots=True)
class LikeLastWeek:
    """A `scheduler.control.isolation.crews.Crew` that puts last week in the place of forecasts.

    The load of a day ahead and more is that of the same time last week, by as much more or less as the last day was
    than the same day last week: one path, as planners with a seasonal decomposition have it.

    Attributes:
        source: where the past is looked up.
        margin: share added to all of it.
    """

    source: TrafficSource
    margin: float

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Return a future of what `work` returns, with last week for its forecast."""
        return AtOnce().submit(lambda: self._replaced(work(*args)))

    def tend(self) -> None:
        """Do nothing: every errand is done."""

    def _replaced(self, made: Any) -> Any:
        fitted, crowds = made
        return self.expected(fitted), crowds

    def expected(self, fitted: Fitted) -> Fitted:
        """Return a forecast of one path."""
        history = self.source.read(fitted.start_s).series
        path = seasonal(history, fitted.bins) * (1 + self.margin)
        return replace(fitted, cloud=single(fitted.transform.forward(path)))


def seasonal(history: Series, bins: int) -> Floats:
    """Return the next bins, (bins,): the season before, in the proportion of the last day to that day a season ago."""
    values = bridged(history.values)
    day = max(1, round(_DAY_S / history.step_s))
    season = day * 7 if len(values) >= day * 8 else min(day, len(values))
    lately, before = values[-day:].mean(), values[-season - day : len(values) - season]
    level = lately / before.mean() if len(before) and before.mean() > 0 else 1.0
    return np.resize(values[-season:], bins) * level


def single(centre: Floats) -> SamplePaths:
    """Return a distribution that is one path, on the even scale."""
    return SamplePaths(centre, np.zeros((1, len(centre))), np.ones(1), np.zeros(1), alike=0.0)
