"""From a series to a distribution over its future paths."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.basis import Basis, Footing
from forecasting.cleaning import Cleaned, clean
from forecasting.clock import felt_positions, wall_positions
from forecasting.fitted import Fitted
from forecasting.models import cold, ensemble, fine, holidays
from forecasting.models.cloud import Cloud
from forecasting.models.transform import Transform
from forecasting.series import Series

Floats = NDArray[np.float64]

_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_LONGEST_SILENCE_S: Final = 7 * _DAY_S
_DOUBLED_AFTER_DAYS: Final = 3.0
"""The variance of what a silent source would have said doubles in so long: nobody has seen whether it changed."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """How to forecast; equal series give equal forecasts.

    Attributes:
        horizon_s: how far ahead.
        history_s: how much of the newest history is used.
        holidays: local dates, past and to come, that have the shape of a Sunday; empty for none.
    """

    horizon_s: int = 7 * _DAY_S
    history_s: int = 16 * 7 * _DAY_S
    holidays: frozenset[date] = frozenset()

    def fit(self, series: Series, now_s: float | None = None) -> Fitted:
        """Learn from a series and return the distribution over what follows it.

        Args:
            series: any amount of history, with gaps as NaN. Steps that do not divide a day (or an hour, below that)
                are read in the next longer one that does; of steps below an hour the forecast is made in hours and
                drawn finer.
            now_s: the present, epoch seconds, if it may be later than the series' end: the forecast then starts at
                the bin that is open now, and is the less certain the longer the source has been silent.
        """
        usable = _usable(series)
        if usable.step_s < _HOUR_S:
            longer = replace(self, horizon_s=self.horizon_s + _HOUR_S)  # the open hour is partly known
            return _finer(usable, longer.fit(usable.resample(_HOUR_S), now_s), self._bins(usable))
        recent = usable.between(series.end_s - self.history_s, series.end_s)
        known = np.flatnonzero(recent.known)
        start_s = _present(recent, now_s)
        if not len(known):
            return _ignorant(recent, start_s, self._bins(recent))
        lived = recent.between(
            recent.start_s + known[0] * recent.step_s, recent.start_s + (known[-1] + 1) * recent.step_s
        )
        age = min(start_s - lived.end_s, _LONGEST_SILENCE_S) // recent.step_s
        fitted, usual = _fit(lived, start_s, age, self._bins(recent))
        return self._with_holidays(fitted, usual, usable) if self.holidays else fitted

    def _with_holidays(self, fitted: Fitted, usual: Floats, series: Series) -> Fitted:
        """Return the forecast with its holidays, given the repaired values (n,) of the recent past."""
        day = _DAY_S // series.step_s
        if len(usual) < 7 * day:
            return fitted
        places = wall_positions(series.zone, series.start_s, series.step_s, len(series))
        values = _on_wall_clock(fitted.transform.forward(series.values), places)
        ahead = wall_positions(series.zone, fitted.start_s, series.step_s, fitted.bins)
        ended_s = int(fitted.start_s - fitted.basis.age_s)
        last = wall_positions(series.zone, ended_s - series.step_s, series.step_s, 1)
        custom = holidays.learnt(values, int(places[0]), holidays.day_numbers(self.holidays), day)
        change = holidays.like_sundays(usual, int(last[0]) + 1, ahead, custom, day)
        return replace(fitted, cloud=fitted.cloud.moved(change))

    def _bins(self, series: Series) -> int:
        return -(-self.horizon_s // series.step_s)


def _usable(series: Series) -> Series:
    """Return the series in steps that divide a day, or an hour."""
    whole = _HOUR_S if series.step_s <= _HOUR_S else _DAY_S
    step = series.step_s
    while whole % step:
        step += 1
    return series.resample(step)


def _present(series: Series, now_s: float | None) -> int:
    """Return the start of the first bin to forecast."""
    late = 0 if now_s is None else max(0, int((now_s - series.end_s) // series.step_s))
    return series.end_s + late * series.step_s


def _ignorant(series: Series, start_s: int, bins: int) -> Fitted:
    cloud = Cloud(np.full(bins, -np.inf), np.zeros((1, bins)), np.ones(1), np.zeros(1))
    return Fitted(start_s, series.step_s, Basis(Footing.NOTHING), cloud, Transform(1e-9))


def _finer(series: Series, hourly: Fitted, bins: int) -> Fitted:
    """Return the forecast of a series in fine bins from that of its hours.

    As long as there is no whole hour, or the source is silent, there are no fine bins to go by, and it stays hourly.
    """
    from_s = hourly.start_s - (len(series) * series.step_s // _HOUR_S) * _HOUR_S
    past = series.between(max(from_s, series.start_s + -series.start_s % _HOUR_S), series.end_s)
    lead = (series.end_s - hourly.start_s) // series.step_s
    if hourly.basis.footing is Footing.NOTHING or lead < 0 or len(past) - lead < _HOUR_S // series.step_s:
        return hourly
    per_hour = _HOUR_S // series.step_s
    transform = Transform.fitted(past.values)  # one arrival is much more of a rate here than in an hour
    coarse = hourly.cloud.mapped(lambda scaled: transform.forward(hourly.transform.inverse(scaled)))
    cloud = fine.refined(coarse, transform.forward(past.values), lead, bins, per_hour)
    known = float(past.values[-1])
    return Fitted(series.end_s, series.step_s, hourly.basis, cloud, transform, known)


def _fit(lived: Series, start_s: int, age: int, bins: int) -> tuple[Fitted, Floats]:
    """Fit a series whose first and last value are known; return its repaired values, (n,) on the wall clock, too."""
    day = _DAY_S // lived.step_s
    transform = Transform.fitted(lived.values)
    places = wall_positions(lived.zone, lived.start_s, lived.step_s, len(lived))
    scaled = _on_wall_clock(transform.forward(lived.values), places)
    felt = felt_positions(lived.zone, lived.end_s + age * lived.step_s, lived.step_s, bins)
    ahead = np.maximum(felt - places[-1] - 1, 0.0)
    cleaned = clean(scaled, day, 7 * day)
    leads = int(np.ceil(ahead.max())) + 1
    model = ensemble if ensemble.enough(len(scaled), 7 * day, leads) else cold
    cloud = model.forecast(cleaned.values, cleaned.above, day, 7 * day, leads)
    cloud = cloud.widened(np.sqrt(1 + age / day / _DOUBLED_AFTER_DAYS))
    last = float(lived.values[-1]) if age == 0 else np.nan
    basis = _basis(lived, cleaned, start_s, day)
    return Fitted(start_s, lived.step_s, basis, cloud.taken(ahead), transform, last), cleaned.values


def _on_wall_clock(scaled: Floats, places: NDArray[np.int64]) -> Floats:
    """Return the values where local clocks put them, with gaps where they skip and means where they repeat."""
    own = places - places[0]
    if own[-1] == len(own) - 1 and (np.diff(own) == 1).all():
        return scaled
    known = ~np.isnan(scaled)
    count = np.bincount(own[known], minlength=own[-1] + 1)
    total = np.bincount(own[known], weights=scaled[known], minlength=own[-1] + 1)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _basis(lived: Series, cleaned: Cleaned, start_s: int, day: int) -> Basis:
    n, step = len(cleaned.values), lived.step_s
    footing = Footing.WEEKS if ensemble.enough(n, 7 * day, 7 * day) else Footing.DAYS if n > day else Footing.HOURS
    return Basis(
        footing=footing,
        history_s=len(lived) * step,
        age_s=start_s - lived.end_s,
        gaps_s=float((~lived.known).sum()) * step,
        dropouts_s=float(cleaned.dropouts.sum()) * step,
        spikes_s=float(cleaned.spikes.sum()) * step,
        shifts=tuple((lived.end_s - (n - index) * step, float(np.exp(size))) for index, size in cleaned.shifts),
    )
