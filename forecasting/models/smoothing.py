"""Exponential smoothing with a season of a day and one of a week: a view that follows by habit, with nothing to fit.

    y(t) = l(t - 1) + d(t - D) + w(t - W) + u(t),    u(t) = phi u(t - 1) + e(t)
    l, d and w each move by alpha, delta and omega times e(t)

after Taylor (JORS 54, 2003), whose adjustment for autocorrelated errors u is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models.origins import MemberForecast, Origins

Floats = NDArray[np.float64]

_WEEKS_TO_BEGIN: Final = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the parts move.

    Attributes:
        level, memory: alpha and phi of an hour; those of longer steps follow.
        daily, weekly: delta and omega.
    """

    level: float
    daily: float
    weekly: float
    memory: float


QUICK: Final = Pace(level=0.1, daily=0.1, weekly=0.2, memory=0.7)
STEADY: Final = Pace(level=0.02, daily=0.05, weekly=0.2, memory=0.9)


def fit(scaled: Floats, origins: Origins, day: int, leads: int, pace: Pace) -> MemberForecast:
    """Return what follows values (n,) without gaps, of which the first moment has three weeks before it."""
    week = 7 * day
    begun = scaled[: _WEEKS_TO_BEGIN * week].reshape(_WEEKS_TO_BEGIN, week).mean(axis=0)
    hours = 24 / day
    gains = (1 - (1 - pace.level) ** hours, pace.daily if day > 1 else 0.0, pace.weekly)
    memory = pace.memory**hours
    level, daily, weekly, off = _smoothed(scaled - np.resize(begun, len(scaled)), day, week, gains, memory)
    at, ahead = origins.at[:, None], np.arange(leads)
    said = level[at] + daily[at + ahead % day + 1 - day] + weekly[at + ahead % week + 1 - week]
    said += off[at] * memory ** (ahead + 1) + begun[(at + ahead + 1) % week]
    return MemberForecast(said[-1], origins.followed(scaled, leads) - said)


def _smoothed(
    values: Floats, day: int, week: int, gains: tuple[float, float, float], memory: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return level, daily and weekly part and what is off their sum, (n,) each, known with each of `values` (n,)."""
    alpha, delta, omega = gains
    level, off = 0.0, 0.0
    levels, daily, weekly, offs = [], [0.0] * day, [0.0] * week, []
    for t, value in enumerate(values.tolist()):  # daily[t] and weekly[t] are of a season before
        before, off = off, value - level - daily[t] - weekly[t]
        error = off - memory * before
        level += alpha * error
        levels.append(level)
        daily.append(daily[t] + delta * error)
        weekly.append(weekly[t] + omega * error)
        offs.append(off)
    return np.array(levels), np.array(daily[day:]), np.array(weekly[week:]), np.array(offs)
