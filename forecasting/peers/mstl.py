"""MSTL (Bandara, Hyndman & Bergmeir 2021) with an AutoETS trend, from statsforecast, on the logarithm."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsforecast.models import MSTL, AutoETS

from forecasting.asked import Answer, Ask, from_paths
from forecasting.peers.naive import bridged
from forecasting.series import Series

Floats = NDArray[np.float64]

_DAY_S: Final = 86400
_WEEKS: Final = 12
_LEVEL: Final = 80
_PATHS: Final = 500
_LEAST_SHARE: Final = 1e-3
"""Of the mean; keeps the logarithm of zero traffic finite."""


class Mstl:
    """Daily and weekly season; paths whose spread at each lead is that of the trend model's own intervals."""

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        day = _DAY_S // history.step_s
        values = bridged(history.values[-_WEEKS * 7 * day :])
        scaled = np.log(np.maximum(values, max(values.mean() * _LEAST_SHARE, 1e-12)))
        model = MSTL([day, 7 * day], trend_forecaster=AutoETS(model="ZZN"))
        said = model.forecast(scaled, h=ask.horizon, level=[_LEVEL])
        sigma = (said[f"hi-{_LEVEL}"] - said["mean"]) / norm.ppf(0.5 + _LEVEL / 200)
        return from_paths(np.exp(said["mean"] + _wander(np.asarray(sigma))), ask)


def _wander(sigma: Floats) -> Floats:
    """Return error paths (n, leads) with independent increments, as an exponential smoother's are, of this spread."""
    grown = np.diff(sigma**2, prepend=0.0)
    steps = np.random.default_rng(0).standard_normal((_PATHS, len(sigma)))
    return np.cumsum(steps * np.sqrt(np.maximum(grown, 0.0)), axis=1)


def build() -> Mstl:
    """Return it."""
    return Mstl()
