"""How far a lead will be from the same time last week: one ridge regression a lead on changes from week to week."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import per_lead
from forecasting.models.origins import MemberForecast, Origins
from forecasting.models.per_lead import Features
from forecasting.models.profile import trailing_mean

Floats = NDArray[np.float64]

_HALF_LIFE_DAYS: Final = 28.0
_PENALTY: Final = 0.02
"""In units of the mean squared change."""
_WEEKS_BACK: Final = 3
_MEANS_HOURS: Final = (6, 12, 24, 72, 168)


def fit(scaled: Floats, origins: Origins, day: int, week: int, leads: int) -> MemberForecast:
    """Return what follows values (n,) without gaps, of which the first moment has three weeks and a day before it."""
    last_week = scaled[_before(origins.at, leads, week, 1)]
    seen = _features(scaled, last_week, origins.at, day, leads)
    followed = origins.followed(scaled, leads) - last_week
    weights = ~np.isnan(followed) * origins.weights(_HALF_LIFE_DAYS)[:, None]
    centre, errors = per_lead.fit(seen, followed, weights, origins.fold, _PENALTY)
    return MemberForecast(last_week[-1] + centre, errors)


def _before(at: NDArray[np.intp], leads: int, season: int, seasons: int) -> NDArray[np.intp]:
    """Return (rows, leads): where the same time of the season is, so many seasons before the first that is to come."""
    return at[:, None] + np.arange(leads) % season + 1 - season * seasons


def _features(scaled: Floats, last_week: Floats, at: NDArray[np.intp], day: int, leads: int) -> Features:
    """Return the changes against last week now, and those around each lead's time of the week and of the day."""
    week = 7 * day
    change = np.concatenate((np.zeros(week), scaled[week:] - scaled[:-week]))
    now = [change[at - k] for k in (0, 1, 2, 3, max(day - 1, 0), day)]
    means = [trailing_mean(change, max(1, hours * day // 24))[at] for hours in _MEANS_HOURS]
    level = trailing_mean(scaled, week)
    common = np.column_stack([np.ones(len(at)), *now, *means, level[at] - level[at - day]])
    weeks = [last_week - scaled[_before(at, leads, week, k)] for k in range(2, _WEEKS_BACK + 1)]
    days = [change[_before(at, leads, day, k)] for k in (1, 2)]
    return Features(common, (*weeks, *days))
