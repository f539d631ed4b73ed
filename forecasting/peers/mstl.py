"""MSTL (Bandara, Hyndman & Bergmeir 2021) with an AutoETS trend, from statsforecast, on the logarithm.

With steps below an hour it has the season of a day alone, on the newest weeks alone: that of a week takes 15 seconds an
origin for four weeks of five minutes, and hardly matters for the next hour.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsforecast.models import MSTL, AutoETS

from forecasting.evaluation.questions import Answer, Ask, from_paths
from forecasting.peers.naive import bridged, logarithm
from forecasting.series import Series

Floats = NDArray[np.float64]

_DAY_S: Final = 86400
_WEEKS: Final = 12
_MOST_FINE_BINS: Final = 4032
"""Two weeks of five minutes, a week at least; with four the next quarter of an hour is foretold as well, not better."""
_HOUR_S: Final = 3600
_LEVEL: Final = 80
_PATHS: Final = 500
_ENOUGH_ERRORS: Final = 20


@dataclass(slots=True)
class Mstl:
    """Daily and (from an hour on) weekly season; around its forecast the paths by which its earlier answers missed.

    Until there are enough of those, the spread at each lead is that of the trend model's own intervals, which are
    much too wide beyond a day.
    """

    _said: list[tuple[int, Floats]] = field(default_factory=list)

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        day = _DAY_S // history.step_s
        fine = history.step_s < _HOUR_S
        weeks = max(1, _MOST_FINE_BINS // (7 * day)) if fine else _WEEKS
        values = bridged(history.values[-weeks * 7 * day :])
        scaled = logarithm(values)
        model = MSTL([day] if fine else [day, 7 * day], trend_forecaster=AutoETS(model="ZZN"))
        said = model.forecast(scaled, h=ask.horizon, level=[_LEVEL])
        centre = np.asarray(said["mean"])
        errors = self._errors(history, ask.horizon)
        if len(errors) < _ENOUGH_ERRORS:
            errors = _wander((said[f"hi-{_LEVEL}"] - centre) / norm.ppf(0.5 + _LEVEL / 200))
        self._said.append((history.end_s, centre))
        return from_paths(np.exp(centre + errors), ask)

    def _errors(self, history: Series, horizon: int) -> Floats:
        """Return (m, horizon), what the answers missed by whose whole horizon has passed."""
        missed = [np.empty((0, horizon))]
        for end_s, centre in self._said:
            came = history.between(end_s, end_s + horizon * history.step_s).values
            if len(came) == horizon and not np.isnan(came).any():
                missed.append((logarithm(came) - centre)[None])
        return np.concatenate(missed)


def _wander(sigma: Floats) -> Floats:
    """Return error paths (n, leads) with independent increments, as an exponential smoother's are, of this spread."""
    grown = np.diff(sigma**2, prepend=0.0)
    steps = np.random.default_rng(0).standard_normal((_PATHS, len(sigma)))
    return np.cumsum(steps * np.sqrt(np.maximum(grown, 0.0)), axis=1)


def build() -> Mstl:
    """Return it, without any answers yet."""
    return Mstl()
