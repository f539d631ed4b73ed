"""Seasonal naive: next week is like last week, and errs as the weeks before did."""

import numpy as np
from numpy.typing import NDArray

from forecasting.evaluation.questions import Answer, Ask, from_paths
from forecasting.series import Series

_WEEK_S = 7 * 86400
_WEEKS = 12
_LEAST_SHARE = 1e-3
_PATHS = 4000
"""At most: of shorter steps every other path, every third … is as good."""


class SeasonalNaive:
    """The value one week before (or the last day's, while there is less), with the past errors of that rule."""

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        values = bridged(history.values[-_WEEKS * (_WEEK_S // history.step_s) :])
        season = min(_WEEK_S // history.step_s, len(values) // 2)
        centre = np.resize(values[-season:], ask.horizon)
        errors = values[season:] - values[:-season]
        count = max(1, len(errors) - ask.horizon + 1)
        begins = np.arange(0, count, -(-count // _PATHS))
        wrapped = errors[(begins[:, None] + np.arange(ask.horizon)) % len(errors)]
        return from_paths(np.maximum(centre + wrapped, 0.0), ask)


def bridged(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values with their gaps bridged by straight lines; peers know nothing better."""
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def logarithm(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm, with zeros as a thousandth of the mean or half of the least arrival that was counted."""
    least = np.min(values, where=values > 0, initial=np.inf)
    return np.log(np.maximum(values, max(values.mean() * _LEAST_SHARE, least / 2 if np.isfinite(least) else 1e-12)))


def build() -> SeasonalNaive:
    """Return it."""
    return SeasonalNaive()
