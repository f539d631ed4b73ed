"""Past moments from which the forecaster learns: what was known then, and what followed, is known now."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

FOLDS: Final = 8
_FINE_DAY: Final = 12
"""Bins a day from which every other one is enough to learn from: neighbours tell nearly the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Origins:
    """Bins of a series at which a forecast could have been made; the last is now.

    Attributes:
        at: (rows,) indices of the last bin known then, ascending.
        age_days: (rows,) before now.
        hours_apart: (rows,) distance of the time of day from now's, 0 to 12.
        fold: (rows,) which part of the cross-validation each belongs to: whole weeks, since neighbours in time are
            too alike to be left out one by one (Bergmeir & Benitez, Information Sciences 191, 2012).
    """

    at: Places
    age_days: Floats
    hours_apart: Floats
    fold: Places

    @classmethod
    def until_now(cls, count: int, first: int, day: int, week: int) -> Self:
        """Return the moments of a series of `count` bins from index `first` on."""
        back = np.arange(0, count - first, 2 if day >= _FINE_DAY else 1)[::-1]
        apart = np.minimum(back % day, -back % day) * (24 / day)
        return cls(count - 1 - back, back / day, apart, back // week % FOLDS)

    def only(self, rows: NDArray[np.bool_]) -> Self:
        """Return some of the origins, the last among them."""
        return replace(
            self,
            at=self.at[rows],
            age_days=self.age_days[rows],
            hours_apart=self.hours_apart[rows],
            fold=self.fold[rows],
        )

    def weights(self, half_life_days: float) -> Floats:
        """Return (rows,): the newer, the more."""
        return np.asarray(0.5 ** (self.age_days / half_life_days))

    def followed(self, values: Floats, leads: int) -> Floats:
        """Return (rows, leads), the values after each moment; NaN where still to come."""
        ahead = np.concatenate((values, np.full(leads, np.nan)))
        return np.lib.stride_tricks.sliding_window_view(ahead[1:], leads)[self.at]


@dataclass(frozen=True, slots=True, eq=False)
class MemberForecast:
    """What a member of the ensemble says.

    Attributes:
        centre: (leads,), its forecast from now.
        errors: (rows, leads), what it missed by at each moment when that moment's week was left out of its learning;
            NaN where still to come.
    """

    centre: Floats
    errors: Floats

    def of(self, rows: NDArray[np.bool_]) -> Self:
        """Return the same with the errors of some moments only."""
        return replace(self, errors=self.errors[rows])
