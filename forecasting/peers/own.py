"""The product's own forecaster as one model among others."""

from datetime import date

import numpy as np

from forecasting.evaluation.questions import Answer, Ask
from forecasting.forecaster import Forecaster
from forecasting.series import Series


class Headroom:
    """`Forecaster` with its defaults, and a calendar of holidays."""

    def __init__(self, holidays: frozenset[date] = frozenset()) -> None:
        """Take local dates that go towards a Sunday."""
        self.holidays = holidays

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        fitted = Forecaster(horizon_s=ask.horizon * history.step_s, holidays=self.holidays).fit(history)
        peaks = [fitted.peak(window, ask.peak_levels).values for window in ask.windows]
        return Answer(fitted.quantiles(ask.horizon, ask.levels), np.array(peaks))


def build(holidays: frozenset[date] = frozenset()) -> Headroom:
    """Return it."""
    return Headroom(holidays)
