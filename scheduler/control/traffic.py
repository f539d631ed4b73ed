"""What is known of each traffic source, carried from turn to turn; a forecast is fitted once per closed bin."""

from dataclasses import dataclass, replace

import numpy as np

from forecasting.basis import Footing
from forecasting.fitted import Fitted
from forecasting.flashcrowd import FlashCrowds
from forecasting.forecaster import Forecaster
from scheduler.control.ports import Traffic, TrafficSource
from scheduler.model.errors import Unreachable

HOUR_S = 3600.0
OUTLOOK_S = 48 * HOUR_S
"""How far people look ahead at every step."""
WEEK_S = 168 * HOUR_S
"""How far they look ahead for the highest load."""
SURPRISE_LEVEL = 0.9
ROUNDING = 1e-6
"""A load this little above the forecast is arithmetic, not news."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one source.

    Attributes:
        traffic: the last that it said; None before it first answered.
        fitted: the forecast fitted to the closed bins; None without one.
        corrected: `fitted`, raised to the load of the moment where that is higher.
        fitted_for: end of the closed bins and number of the open bin it was fitted for.
        surprised: whether the load of the moment is above the 90 % quantile of `fitted`.
        failure: why it does not answer now; "" when it does.
        crowds: the flash crowds of the history that `fitted` was fitted to; None when nobody asks for them.
    """

    traffic: Traffic | None = None
    fitted: Fitted | None = None
    corrected: Fitted | None = None
    fitted_for: tuple[int, int] = (0, 0)
    surprised: bool = False
    failure: str = ""
    crowds: FlashCrowds | None = None

    def rate_at(self, now_s: float) -> tuple[float, float]:
        """Return the last rate known (requests per second; 0 when none ever was) and its age in seconds."""
        if self.traffic is None:
            return 0.0, np.inf
        if not np.isnan(self.traffic.latest_rps):
            return self.traffic.latest_rps, max(0.0, now_s - self.traffic.latest_at_s)
        values = self.traffic.series.values
        places = np.flatnonzero(~np.isnan(values))
        if not len(places):
            return 0.0, np.inf
        ended_s = self.traffic.series.start_s + (places[-1] + 1) * self.traffic.series.step_s
        return float(values[places[-1]]), max(0.0, now_s - float(ended_s))

    def crowd_factor(self, quantile: float) -> float:
        """Return the load over the usual one that this share of past flash crowds kept to; 1.0 without any."""
        return self.crowds.factor(quantile) if self.crowds else 1.0

    @property
    def has_history(self) -> bool:
        """Whether there is enough history for a forecast."""
        return self.fitted is not None and self.fitted.basis.footing not in {Footing.NOTHING, Footing.HOURS}


def listened(  # noqa: PLR0913  # the last two by name
    known: Known, source: TrafficSource, now_s: float, horizon_s: float, *, forecasts: bool, crowds: bool = False
) -> Known:
    """Ask a source and return what is known then.

    Args:
        known: from the turn before.
        source: asked for everything up to now.
        now_s: epoch seconds.
        horizon_s: how far a forecast must reach at least.
        forecasts: whether forecasts are wanted at all.
        crowds: whether to look for past flash crowds.
    """
    try:
        heard = replace(known, traffic=source.read(now_s), failure="")
    except Unreachable as failure:
        heard = replace(known, failure=str(failure))
    if not forecasts or heard.traffic is None or not len(heard.traffic.series):
        return replace(heard, fitted=None, corrected=None)
    return _corrected(_fitted(heard, now_s, horizon_s, crowds=crowds), now_s)


def _fitted(known: Known, now_s: float, horizon_s: float, *, crowds: bool) -> Known:
    """Return `known` with a forecast of its closed bins, the old one as long as no bin has ended since."""
    if known.traffic is None:
        return known
    series = known.traffic.series
    wanted = (series.end_s, int(now_s // max(series.step_s, HOUR_S)))
    if known.fitted is not None and known.fitted_for == wanted:
        return known
    forecaster = Forecaster(horizon_s=int(horizon_s + 2 * HOUR_S), holidays=known.traffic.holidays)
    seen = FlashCrowds.of(series.resample(max(series.step_s, int(HOUR_S)))) if crowds else None
    return replace(known, fitted=forecaster.fit(series, now_s=now_s), fitted_for=wanted, crowds=seen)


def _corrected(known: Known, now_s: float) -> Known:
    """Raise the forecast at once when the load of the moment is above it."""
    if known.fitted is None or known.traffic is None or np.isnan(known.traffic.latest_rps):
        return replace(known, corrected=known.fitted, surprised=False)
    rate, at_s = known.traffic.latest_rps, min(known.traffic.latest_at_s, now_s)
    usual = known.fitted.peak_within(at_s, 0.0, (SURPRISE_LEVEL,)).values[0]
    return replace(known, corrected=known.fitted.corrected(rate, at_s), surprised=rate > usual * (1 + ROUNDING))
