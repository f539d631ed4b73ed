"""The product's own forecaster as one model among others."""

import numpy as np

from forecasting.asked import Answer, Ask
from forecasting.forecaster import Forecaster
from forecasting.series import Series


class Headroom:
    """`Forecaster` with its defaults."""

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        fitted = Forecaster(horizon_s=ask.horizon * history.step_s).fit(history)
        peaks = [fitted.peak(window, ask.peak_levels).values for window in ask.windows]
        return Answer(fitted.quantiles(ask.horizon, ask.levels), np.array(peaks))


def build() -> Headroom:
    """Return it."""
    return Headroom()
