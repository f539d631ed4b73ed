"""What a backtest asks of every model, and the form of the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ask:
    """Questions about the future of a series.

    Attributes:
        horizon: bins to forecast.
        levels: quantiles of each bin.
        windows: lengths in bins of the windows, from the first bin to forecast, whose highest bin is asked for.
        peak_levels: quantiles of the highest bin.
    """

    horizon: int
    levels: tuple[float, ...]
    windows: tuple[int, ...]
    peak_levels: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Quantiles in the series' unit.

    Attributes:
        bins: (levels, horizon).
        peaks: (windows, peak levels).
    """

    bins: Floats
    peaks: Floats


class Model(Protocol):
    """A forecaster in a backtest; it is asked with growing histories of one series and may remember them."""

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows `history`, of which at least two weeks are given."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """A model that mixes what others say; a backtest that asks those as well asks them once.

    Attributes:
        of: models by name.
    """

    of: Mapping[str, Model]

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `Model`."""
        return mixed([model.answer(history, ask) for model in self.of.values()])


def mixed(answers: Sequence[Answer]) -> Answer:
    """Return the mean of answers' quantiles on the logarithmic scale."""
    return Answer(_geometric_mean([a.bins for a in answers]), _geometric_mean([a.peaks for a in answers]))


def _geometric_mean(values: Sequence[Floats]) -> Floats:
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.mean(np.log(np.maximum(values, 0.0)), axis=0)))


def from_paths(paths: Floats, ask: Ask) -> Answer:
    """Return the answer of equally likely sample paths (n, horizon)."""
    peaks = [np.quantile(paths[:, :window].max(axis=1), ask.peak_levels) for window in ask.windows]
    return Answer(np.quantile(paths, ask.levels, axis=0), np.stack(peaks))
