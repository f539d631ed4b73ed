"""The forecast of a series with weeks of history: several ways of seeing it, their mean, and the mean's past errors."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import deviations, peak_bias, smoothing, stacking, volatility, week_peaks, weekly_differences
from forecasting.models.origins import Origins
from forecasting.models.sample_paths import SamplePaths

Floats = NDArray[np.float64]

_LEAST_WEEKS: Final = 5
_WEEKS_BEFORE: Final = 3
"""Before the first moment, for the longest look back of any member."""
_USUAL_SHARES: Final = (0.35, 0.25, 0.2, 0.2)
"""Of deviations, changes, quick and steady smoothing, to which what their errors earn them is drawn."""
_PACES: Final = (smoothing.QUICK, smoothing.STEADY)
_ERROR_HALF_LIFE_DAYS: Final = 28.0
_BIAS_BELIEVED: Final = 0.5
"""Of what all errors have in common: a mean over some weeks is about as much chance as bias."""
_ERROR_HOURS: Final = 3.0
"""Errors are taken from moments within so many hours of the time of day, the nearer the more."""


def enough(count: int, week: int, leads: int) -> bool:
    """Return whether `count` bins are enough to learn so many leads."""
    return count >= _LEAST_WEEKS * week + max(0, leads - week)


def forecast(scaled: Floats, above: Floats, day: int, week: int, leads: int) -> SamplePaths:
    """Return the paths that follow values (n,) without gaps or spikes, for which there is `enough`.

    What spikes stood above them, (n,), teaches nothing of what is usual and lets no other error look larger, but
    belongs to the errors.

    The errors are those of the mean of all members on weeks that they had not seen: whole paths, so that what goes
    together (a high morning and a high evening) stays together in the peak.
    """
    origins = Origins.until_now(len(scaled), _WEEKS_BEFORE * week + day, day, week)
    near = origins.hours_apart < _ERROR_HOURS + 1
    members = (
        *(member.fit(scaled, origins, day, week, leads).of(near) for member in (deviations, weekly_differences)),
        *(smoothing.fit(scaled, origins.only(near), day, leads, pace) for pace in _PACES),
    )
    origins = origins.only(near)
    newer = origins.weights(_ERROR_HALF_LIFE_DAYS)
    missed = np.stack([member.errors for member in members])
    shares = stacking.shares(missed, newer, np.array(_USUAL_SHARES), day)
    weights = newer * (1 - origins.hours_apart / (_ERROR_HOURS + 1))
    centre = (shares * np.stack([member.centre for member in members])).sum(axis=0)
    mean = np.einsum("ml,mrl->rl", shares, missed)
    centre, errors = peak_bias.calmed(centre, mean, origins.followed(scaled, leads), newer, day)
    errors = volatility.adjusted(errors, origins.age_days, day)
    errors += origins.followed(above, leads)
    errors -= (1 - _BIAS_BELIEVED) * _common(errors, weights)
    errors = week_peaks.settled(centre, errors, week_peaks.Past(scaled, mean, origins, weights), day)
    a_day = max(1.0, len(newer) * day / (origins.at[-1] - origins.at[0] + 1))
    return SamplePaths(centre, errors, weights, origins.age_days * 24, a_day)


def _common(errors: Floats, weights: Floats) -> Floats:
    """Return (leads,), the weighted mean of errors (rows, leads) over what is known; 0 where nothing is."""
    total = weights @ ~np.isnan(errors)
    return np.asarray(weights @ np.nan_to_num(errors) / np.where(total > 0, total, 1.0))
