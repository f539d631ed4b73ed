"""Prophet (Taylor & Letham 2018) with daily and weekly season, on the logarithm, paths by its own sampler."""

import logging
from typing import Final

import numpy as np
import pandas as pd
from prophet import Prophet

from forecasting.evaluation.questions import Answer, Ask, from_paths
from forecasting.peers.naive import bridged
from forecasting.series import Series

_WEEKS: Final = 12
_WEEK_S: Final = 7 * 86400
_PATHS: Final = 300


class Peer:
    """Fitted anew at every origin on twelve weeks."""

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
        recent = history.between(history.end_s - _WEEKS * _WEEK_S, history.end_s)
        values = bridged(np.asarray(recent.values))
        scaled = np.log(np.maximum(values, max(values.mean() * 1e-3, 1e-12)))
        stamps = pd.to_datetime(history.end_s + history.step_s * np.arange(-len(scaled), ask.horizon), unit="s")
        model = Prophet(yearly_seasonality=False, uncertainty_samples=_PATHS)
        model.fit(pd.DataFrame({"ds": stamps[: len(scaled)], "y": scaled}))
        np.random.seed(0)  # noqa: NPY002  # Prophet draws from the global generator
        drawn = model.predictive_samples(pd.DataFrame({"ds": stamps[len(scaled) :]}))["yhat"]
        return from_paths(np.exp(np.asarray(drawn).T), ask)


def build() -> Peer:
    """Return it."""
    return Peer()
