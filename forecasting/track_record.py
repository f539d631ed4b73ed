"""How a forecast did lately, and how much wider it has to be to keep its word.

Every six hours what is said of the highest load of the next six is written down, before any widening. When they are
over it is known whether the 99 % quantile held; each miss has a chance of 1 in 100. So many misses that as many or
more would be in fewer than 1 of 100 records of that length are failing: from then on the forecast is widened so far
that no more than 1 in 100 would have been missed. It comes back when as many as are left within four weeks, or more,
would be in 1 of 10 records. Where threefold width is not enough the forecast gives way: no less is planned for than
without a forecast, the load now with a margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import comb, inf
from typing import Final, Self

import numpy as np

from forecasting.fitted import Fitted
from forecasting.models.transform import Transform
from forecasting.provenance import Footing
from forecasting.series import Series

WINDOW_S: Final = 6 * 3600
REMEMBERED_S: Final = 28 * 86400
LEVEL: Final = 0.99
WIDEST: Final = 3.0
_LEAST_WINDOWS: Final = 8
_FAILS_BELOW: Final = 0.01
_PASSES_FROM: Final = 0.1
_LEAST_KNOWN: Final = 0.8
_DAY_S: Final = 86400
_WEEK_S: Final = 7 * _DAY_S


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a window's peak before it began, in the series' unit.

    Attributes:
        from_s, until_s: the window, epoch seconds.
        step_s: width of its bins.
        middle, high: the 50 % and 99 % quantiles.
        naive: the peak of the same hours a week before, a day before where no week is known; NaN for none.
        transform: to the scale on which the forecast's errors are even.
        reactive: the load of the last bin before the window, which is all that goes without a forecast; NaN unknown.
    """

    from_s: float
    until_s: float
    step_s: int
    middle: float
    high: float
    naive: float
    transform: Transform
    reactive: float = np.nan


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of a window, and what came.

    Attributes:
        said: before it began.
        peak: that came.
        stretch: how many times as far from the middle as the 99 % quantile it came: above 1 it was missed.
    """

    said: Said
    peak: float
    stretch: float

    @classmethod
    def of(cls, said: Said, peak: float) -> Self:
        """Return it."""
        middle, high, came = said.transform.forward(np.array([said.middle, said.high, peak])).tolist()
        stretch = (came - middle) / (high - middle) if high > middle else inf if came > high else 1.0
        return cls(said, peak, stretch if came > high else min(stretch, 1.0))


@dataclass(frozen=True)
class TrackRecord:
    """What a source's forecast said lately, and what came; immutable.

    Attributes:
        waiting: what was said of the last window, until it is over; None before the first.
        outcomes: of the windows of four weeks, oldest first.
        is_failing: whether the forecast is widened for it.
    """

    waiting: Said | None = None
    outcomes: tuple[Outcome, ...] = ()
    is_failing: bool = False

    def saying(self, fitted: Fitted, history: Series) -> Self:
        """Return the record with what a forecast made from a history says of the next window, if one begins."""
        bins = -(-WINDOW_S // fitted.step_s)
        is_open = self.waiting is not None and fitted.start_s < self.waiting.until_s
        if is_open or bins > fitted.bins or fitted.basis.footing in {Footing.NOTHING, Footing.HOURS}:
            return self
        middle, high = fitted.peak(bins, (0.5, LEVEL)).values
        from_s, until_s = float(fitted.start_s), float(fitted.start_s + bins * fitted.step_s)
        naive, reactive = _naive(history, from_s, until_s, fitted.step_s), _last(history, from_s)
        said = Said(from_s, until_s, fitted.step_s, middle, high, naive, fitted.transform, reactive)
        return replace(self, waiting=said)

    def judged(self, history: Series) -> Self:
        """Return the record with what came in the closed bins, once the window is over."""
        said = self.waiting
        if said is None or history.end_s < said.until_s:
            return self
        peak = _peak(history, said.from_s, said.until_s, said.step_s)
        recent = tuple(one for one in self.outcomes if one.said.until_s > said.until_s - REMEMBERED_S)
        outcomes = recent if np.isnan(peak) else (*recent, Outcome.of(said, peak))
        return replace(self, waiting=None, outcomes=outcomes, is_failing=_fails(outcomes, self.is_failing))

    @cached_property
    def stretches(self) -> tuple[float, ...]:
        """Of all windows, the furthest first."""
        return tuple(sorted((one.stretch for one in self.outcomes), reverse=True))

    @property
    def misses(self) -> int:
        """Windows whose peak was above the 99 % quantile."""
        return sum(stretch > 1 for stretch in self.stretches)

    @property
    def held(self) -> float:
        """The share of windows whose peak was not; NaN without any."""
        return 1 - self.misses / len(self.outcomes) if self.outcomes else np.nan

    @property
    def bias(self) -> float:
        """By which part the middle was usually above what came, below 0 when it was less; NaN without any."""
        ratios = [one.said.middle / one.peak for one in self.outcomes if one.peak > 0]
        return float(np.median(ratios)) - 1 if ratios else np.nan

    @property
    def skill(self) -> float:
        """By which part of it the middle's error was less than that of the same hours a week before; NaN unknown."""
        return self._skill([(one, one.said.naive) for one in self.outcomes])

    @property
    def skill_over_reactive(self) -> float:
        """By which part of it the middle's error was less than that of the load just before; NaN unknown."""
        return self._skill([(one, one.said.reactive) for one in self.outcomes])

    @staticmethod
    def _skill(others: Sequence[tuple[Outcome, float]]) -> float:
        known = [(one, said) for one, said in others if not np.isnan(said)]
        theirs = sum(abs(one.peak - said) for one, said in known)
        return 1 - sum(abs(one.peak - one.said.middle) for one, _ in known) / theirs if theirs > 0 else np.nan

    @property
    def width(self) -> float:
        """What the forecast's errors are multiplied by, 1 to `WIDEST`."""
        return min(self._needed, WIDEST)

    @property
    def gives_way(self) -> bool:
        """Whether not even the widest would have been enough."""
        return self._needed > WIDEST

    @property
    def _needed(self) -> float:
        """The least width with which no more than 1 in 100 would have been missed."""
        return max(1.0, self.stretches[int(len(self.stretches) * (1 - LEVEL))]) if self.is_failing else 1.0

    def __str__(self) -> str:
        """Return one sentence; "" before there is a window."""
        if not self.outcomes:
            return ""
        parts = [f"p99 held in {len(self.outcomes) - self.misses} of {len(self.outcomes)} windows of 6 h"]
        parts += [f"the middle {abs(self.bias):.0%} too {'high' if self.bias > 0 else 'low'}"] * (
            abs(self.bias) >= 0.005  # noqa: PLR2004  # rounds to 1 %
        )
        skills = ((self.skill, "last week's peak"), (self.skill_over_reactive, "the load just before"))
        than = [
            f"{abs(by):.0%} {'below' if by >= 0 else 'above'} those of {whose}"
            for by, whose in skills
            if not np.isnan(by)
        ]
        parts += [f"errors {' and '.join(than)}"] * bool(than)
        parts += [f"widened {self.width:.2g} times until it holds again"] if self.is_failing else []
        parts += ["no less is planned for than the load now with the margin"] if self.gives_way else []
        return ", ".join(parts)


def _fails(outcomes: Sequence[Outcome], has_failed: bool) -> bool:  # noqa: FBT001  # one of two states
    """Return whether so many misses are failing; who has failed has to do better than who has not."""
    chance = chance_of(sum(one.stretch > 1 for one in outcomes), len(outcomes))
    return chance < _PASSES_FROM if has_failed else len(outcomes) >= _LEAST_WINDOWS and chance < _FAILS_BELOW


def chance_of(misses: int, windows: int) -> float:
    """Return how likely so many misses or more are in so many windows, if each has a chance of 1 in 100."""
    fewer = sum(comb(windows, k) * (1 - LEVEL) ** k * LEVEL ** (windows - k) for k in range(misses))
    return max(0.0, 1.0 - fewer)


def _naive(history: Series, from_s: float, until_s: float, step_s: int) -> float:
    week, day = (_peak(history, from_s - season_s, until_s - season_s, step_s) for season_s in (_WEEK_S, _DAY_S))
    return day if np.isnan(week) else week


def _last(history: Series, at_s: float) -> float:
    """Return the last bin before a moment; NaN when it is not known."""
    last = history.between(at_s - history.step_s, at_s).values
    return float(last[-1]) if len(last) else np.nan


def _peak(history: Series, from_s: float, until_s: float, step_s: int) -> float:
    """Return the highest bin of a window; NaN when too little of it is known."""
    values = history.between(from_s, until_s).resample(max(step_s, history.step_s)).values
    known = values[~np.isnan(values)]
    enough = len(known) * step_s >= _LEAST_KNOWN * (until_s - from_s)
    return float(known.max()) if enough else np.nan
