"""What is known of a traffic source, carried from turn to turn; a forecast is fitted once per closed bin."""

import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from forecasting.fitted import Fitted
from forecasting.flashcrowd import FlashCrowds
from forecasting.forecaster import Forecaster
from forecasting.provenance import Footing
from forecasting.track_record import TrackRecord
from scheduler.control.demand.plausibility import Doubt, believed, checked, highest_of, without_lone_peaks
from scheduler.control.ports import Traffic, TrafficSource

HOUR_S = 3600.0
OUTLOOK_S = 48 * HOUR_S
"""How far people look ahead at every step."""
WEEK_S = 168 * HOUR_S
"""How far they look ahead for the highest load."""
SURPRISE_LEVEL = 0.9
REFIT_S = 600.0
"""What was fitted stays at least so long when bins of the past change, as those of late samples do with each sample."""
KEPT = 256
"""Widened forecasts that are remembered."""
ROUNDING = 1e-6
"""A load this little above the forecast is arithmetic, not news."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of one source.

    Attributes:
        traffic: the last that it said; None before it first answered.
        fitted: the forecast fitted to the closed bins; None without one.
        corrected: `fitted`, widened as its record asks for, and raised to the load of the moment where that is higher.
        fitted_for: what it was fitted for, see `Task`.
        fitted_at_s: when.
        surprised: whether the load of the moment is above the 90 % quantile of `fitted`.
        failure: why it does not answer now; "" when it does.
        is_foreseen: whether forecasts of it are wanted.
        unfit: why no forecast can be made of what it says; "" when one can.
        crowds: the flash crowds of the history that `fitted` was fitted to; None when nobody asks for them.
        doubt: a load that is not believed yet.
        highest_rps: the highest load of the closed bins.
        server: that it is read from, for people; "" when it shares none.
        judged_at_s: when it last answered, or failed to.
        since_s: since when it has answered whenever it was asked, or has failed to.
        record: how its forecasts did lately.
    """

    traffic: Traffic | None = None
    fitted: Fitted | None = None
    corrected: Fitted | None = None
    fitted_for: tuple[int, ...] = ()
    fitted_at_s: float = 0.0
    surprised: bool = False
    failure: str = ""
    is_foreseen: bool = False
    unfit: str = ""
    crowds: FlashCrowds | None = None
    doubt: Doubt = field(default_factory=Doubt)
    highest_rps: float = np.inf
    server: str = ""
    judged_at_s: float = -np.inf
    since_s: float = -np.inf
    record: TrackRecord = field(default_factory=TrackRecord)

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
    def is_pending(self) -> bool:
        """Whether its first answer, or the first forecast of it, is still on its way."""
        if self.traffic is None:
            return not self.failure
        return bool(len(self.traffic.series)) and self.is_foreseen and self.fitted is None and not self.unfit

    @property
    def has_history(self) -> bool:
        """Whether there is enough history for a forecast."""
        return self.fitted is not None and self.fitted.basis.footing not in {Footing.NOTHING, Footing.HOURS}


@dataclass(frozen=True, slots=True)
class ForecastRequest:
    """What is wanted of a source.

    Attributes:
        horizon_s: how far a forecast must reach at least.
        forecasts: whether forecasts are wanted at all.
        crowds: whether to look for past flash crowds.
    """

    horizon_s: float
    forecasts: bool = True
    crowds: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A forecast to be made; takes no more than this to another thread.

    Attributes:
        traffic: what it is made from.
        request: see `ForecastRequest`.
        now_s: the present, epoch seconds.
        wanted: end of the closed bins, number of the open bin, and a digest of the bins.
    """

    traffic: Traffic
    request: ForecastRequest
    now_s: float
    wanted: tuple[int, ...]

    def fit(self) -> tuple[Fitted, FlashCrowds | None]:
        """Return the forecast of the closed bins, and the flash crowds among them if they are wished for."""
        series = without_lone_peaks(self.traffic.series)
        forecaster = Forecaster(horizon_s=int(self.request.horizon_s + 2 * HOUR_S), holidays=self.traffic.holidays)
        hourly = max(series.step_s, int(HOUR_S))
        seen = FlashCrowds.of(series.resample(hourly)) if self.request.crowds else None
        return forecaster.fit(series, now_s=self.now_s), seen


def asked(source: TrafficSource, now_s: float) -> Traffic:
    """Return what a source knows, if it is fit to be planned by.

    Raises:
        Unreachable: the source does not answer, or its answer is none.
    """
    return checked(source.read(now_s), now_s)


def heard(known: SourceState, traffic: Traffic, now_s: float) -> SourceState:
    """Return what is known when a source has answered."""
    before, series = known.traffic, traffic.series
    if before is None or (before.series.end_s, len(before.series)) != (series.end_s, len(series)):
        known = replace(known, highest_rps=highest_of(series))
    traffic, doubt = believed(traffic, before, known.doubt, known.highest_rps)
    since_s = now_s if known.failure or before is None else known.since_s
    return replace(known, traffic=traffic, failure="", doubt=doubt, judged_at_s=now_s, since_s=since_s)


def mute(known: SourceState, failure: str, now_s: float) -> SourceState:
    """Return what is known when a source has not answered, and why."""
    return replace(known, failure=failure, judged_at_s=now_s, since_s=known.since_s if known.failure else now_s)


def task_of(known: SourceState, request: ForecastRequest, now_s: float) -> Task | None:
    """Return the forecast that is to be made anew; None as long as no bin has ended or changed since the last."""
    if not request.forecasts or known.traffic is None or not len(known.traffic.series):
        return None
    series = known.traffic.series
    bins = (series.end_s, int(now_s // max(series.step_s, HOUR_S)))
    wanted = (*bins, zlib.crc32(series.values.tobytes()))
    is_same = known.fitted_for == wanted
    is_recent = known.fitted_for[:2] == bins and 0 <= now_s - known.fitted_at_s < REFIT_S
    return None if is_same or is_recent else Task(known.traffic, request, now_s, wanted)


def fitted(known: SourceState, task: Task, made: tuple[Fitted, FlashCrowds | None]) -> SourceState:
    """Return what is known when a forecast was made."""
    record = known.record.judged(task.traffic.series).saying(made[0], task.traffic.series)
    return replace(
        known,
        fitted=made[0],
        crowds=made[1],
        fitted_for=task.wanted,
        fitted_at_s=task.now_s,
        unfit="",
        record=record,
    )


def corrected(known: SourceState, request: ForecastRequest, now_s: float) -> SourceState:
    """Raise the forecast at once when the load of the moment is above it."""
    if not request.forecasts or known.traffic is None or not len(known.traffic.series):
        return replace(known, fitted=None, corrected=None, surprised=False)
    if known.fitted is None:
        return replace(known, corrected=None, surprised=False)
    guarded = _widened(known.fitted, known.record.width)
    if np.isnan(known.traffic.latest_rps):
        return replace(known, corrected=guarded, surprised=False)
    rate, at_s = known.traffic.latest_rps, min(known.traffic.latest_at_s, now_s)
    usual = guarded.peak_within(at_s, 0.0, (SURPRISE_LEVEL,)).values[0]
    return replace(known, corrected=guarded.corrected(rate, at_s), surprised=rate > usual * (1 + ROUNDING))


@lru_cache(maxsize=KEPT)
def _widened(forecast: Fitted, factor: float) -> Fitted:
    """Return a forecast as wide as its record asks for; kept, because what is asked of one and the same is kept."""
    return forecast.widened(factor)
