"""From a series to a distribution over its future paths."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.cleaning import MOST_SHIFT, Cleaned, clean
from forecasting.clock import felt_positions, wall_positions
from forecasting.fitted import Fitted
from forecasting.heard import Heard
from forecasting.models import cold_start, ensemble, holidays, sparse, subhourly
from forecasting.models.sample_paths import SamplePaths
from forecasting.models.transform import Transform
from forecasting.provenance import EVER_SEEN, EVER_SEEN_OF_FEW_DAYS, Footing, Provenance
from forecasting.series import Series

Floats = NDArray[np.float64]

_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_WEEK_S: Final = 7 * _DAY_S
_LATELY_S: Final = 14 * _DAY_S
_NEARLY_ALL: Final = 0.999
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
        heard = Heard.of(usable.between(series.end_s - self.history_s, series.end_s))
        if usable.step_s < _HOUR_S and not heard.unit:
            longer = replace(self, horizon_s=self.horizon_s + _HOUR_S)  # the open hour is partly known
            hourly = longer._of_heard(heard.in_hours(), usable.resample(_HOUR_S), now_s)  # noqa: SLF001  # its own
            return _finer(heard.series, hourly, self._bins(usable))
        return self._of_heard(heard, usable, now_s)

    def _of_heard(self, heard: Heard, whole: Series, now_s: float | None) -> Fitted:
        """Return the forecast of a series in hours or longer, or of few whole requests in any step."""
        start_s = _present(heard.series, now_s)
        bins = self._bins(heard.series)
        lived = heard.lived()
        if lived is None:
            return _ignorant(heard.series, start_s, bins)
        age = min(start_s - lived.series.end_s, _LONGEST_SILENCE_S) // lived.series.step_s
        if heard.unit:
            return _counted(lived, start_s, age, bins)
        fitted, usual = _fit(lived, start_s, age, bins)
        return self._with_holidays(fitted, usual, whole) if self.holidays else fitted

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


def _counted(lived: Heard, start_s: int, age: int, bins: int) -> Fitted:
    """Return the forecast of few whole requests."""
    series = lived.series
    transform = Transform.fitted(series.values)
    places = wall_positions(series.zone, series.start_s, series.step_s, len(series))
    ahead = wall_positions(series.zone, start_s, series.step_s, bins)
    cloud = sparse.forecast(series.values, places, ahead, _DAY_S // series.step_s, transform)
    none = np.zeros(len(series), dtype=np.bool_)
    cleaned = Cleaned(series.values, np.zeros(len(series)), series.values, none, none, none)
    basis = _bounded(_basis(lived, cleaned, start_s, _DAY_S // series.step_s), series, cleaned, series.values)
    last = float(series.values[-1]) if age == 0 else np.nan
    return Fitted(start_s, series.step_s, basis, cloud, transform, last, lived.unit).checked()


def _ignorant(series: Series, start_s: int, bins: int) -> Fitted:
    cloud = SamplePaths(np.full(bins, -np.inf), np.zeros((1, bins)), np.ones(1), np.zeros(1))
    return Fitted(start_s, series.step_s, Provenance(Footing.NOTHING), cloud, Transform(1e-9))


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
    scaled = transform.forward(past.values) + _risen_since(past, hourly.basis)
    cloud = subhourly.refined(coarse, scaled, lead, bins, per_hour)
    more = _unevenness(past.values, per_hour)
    basis = replace(hourly.basis, ceiling=more * hourly.basis.ceiling, lately=more * hourly.basis.lately)
    return Fitted(series.end_s, series.step_s, basis, cloud, transform, float(past.values[-1])).checked()


def _risen_since(past: Series, basis: Provenance) -> Floats:
    """Return (n,), by how much the level has changed since each bin, in logarithms, as far as it was followed."""
    at_s = past.start_s + past.step_s * np.arange(len(past))
    risen = sum((np.log(factor) * (at_s < since_s) for since_s, factor in basis.shifts), np.zeros(len(past)))
    return np.clip(risen, -MOST_SHIFT, MOST_SHIFT)


def _unevenness(values: Floats, per_hour: int) -> float:
    """Return how much higher than the hours nearly all bins within them are, and the highest bin is, 1 or more."""
    hours = values[len(values) % per_hour :].reshape(-1, per_hour)
    whole = hours[~np.isnan(hours).any(axis=1)]
    means, highest = whole.mean(axis=1), whole.max(axis=1)
    busy = means > 0
    if not busy.any():
        return 1.0
    nearly_all = float(np.quantile(highest[busy] / means[busy], _NEARLY_ALL))
    return max(1.0, min(nearly_all, float(highest.max() / means.max())))


def _fit(lived: Heard, start_s: int, age: int, bins: int) -> tuple[Fitted, Floats]:
    """Fit a series whose first value is known; return its repaired values, (n,) on the wall clock, too."""
    series = lived.series
    day = _DAY_S // series.step_s
    transform = Transform.fitted(series.values)
    places = wall_positions(series.zone, series.start_s, series.step_s, len(series))
    scaled = _on_wall_clock(transform.forward(series.values), places)
    felt = felt_positions(series.zone, series.end_s + age * series.step_s, series.step_s, bins)
    ahead = np.maximum(felt - places[-1] - 1, 0.0)
    cleaned = clean(scaled, day, 7 * day)
    leads = int(np.ceil(ahead.max())) + 1
    model = ensemble if ensemble.enough(len(scaled), 7 * day, leads) else cold_start
    cloud = model.forecast(cleaned.values, cleaned.above, day, 7 * day, leads)
    unheard = age + lived.held_bins
    cloud = cloud.widened(np.sqrt(1 + unheard / day / _DOUBLED_AFTER_DAYS))
    last = float(series.values[-1]) if age == 0 else np.nan
    basis = _bounded(_basis(lived, cleaned, start_s, day), series, cleaned, transform.inverse(cleaned.values))
    fitted = Fitted(start_s, series.step_s, basis, cloud.taken(ahead), transform, last)
    return fitted.checked(), cleaned.values


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


def _basis(lived: Heard, cleaned: Cleaned, start_s: int, day: int) -> Provenance:
    n, step = len(cleaned.values), lived.series.step_s
    footing = Footing.WEEKS if ensemble.enough(n, 7 * day, 7 * day) else Footing.DAYS if n > day else Footing.HOURS
    return Provenance(
        footing=footing,
        history_s=len(lived.series) * step,
        age_s=start_s - lived.series.end_s,
        gaps_s=float(lived.gaps) * step,
        dropouts_s=float(cleaned.dropouts.sum() + lived.outage_bins) * step,
        spikes_s=float(cleaned.spikes.sum() + lived.surge_bins) * step,
        shifts=tuple((lived.series.end_s - (n - i) * step, float(np.exp(size))) for i, size in cleaned.shifts),
        absurd_s=float(lived.absurd_bins) * step,
        quiet_s=float(lived.quiet_bins) * step,
        held_s=float(lived.held_bins) * step,
    )


def _bounded(basis: Provenance, series: Series, cleaned: Cleaned, repaired: Floats) -> Provenance:
    """Return the basis with what the forecast is held below, given the repaired values (n,) in the series' unit."""
    measured = series.values[: len(cleaned.spikes)]
    plain = measured[~np.isnan(measured) & ~cleaned.spikes[: len(measured)]]
    seen = float(np.max(plain, initial=0.0))
    ever = max(seen, min(float(np.nanmax(repaired)), EVER_SEEN_OF_FEW_DAYS / EVER_SEEN * seen))
    lately = float(np.nanmax(repaired[-_LATELY_S // series.step_s :]))
    times = EVER_SEEN if basis.history_s >= _WEEK_S else EVER_SEEN_OF_FEW_DAYS
    return replace(basis, ceiling=times * ever, lately=lately)
