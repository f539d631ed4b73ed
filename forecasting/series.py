"""A regular time series: the only form in which traffic enters the forecaster."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.clock import check_zone
from records.fault import RecordError

SHORTEST_STEP_S: Final = 60
LONGEST_STEP_S: Final = 86400


class SeriesError(RecordError):
    """A series that cannot be used, and what to do about it."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values at a regular step.

    Attributes:
        start_s: start of the first bin, epoch seconds.
        step_s: length of a bin in seconds, 60 to 86400.
        values: float64 (n,), mean over each bin in any unit that is not negative (here: requests per second); NaN
            where missing.
        zone: IANA name of the time zone whose days and weeks the traffic follows.

    Raises:
        SeriesError: on a step out of range, an unknown zone, or values that are negative, infinite or not (n,).
    """

    start_s: int
    step_s: int
    values: NDArray[np.float64]
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what no forecast could rest on; keep the values from being written to."""
        if not SHORTEST_STEP_S <= self.step_s <= LONGEST_STEP_S:
            raise SeriesError(f"a step of {self.step_s} s is out of range", help="1 minute to 1 day; resample it first")
        if not check_zone(self.zone):
            raise SeriesError(f'no time zone is called "{self.zone}"', help="an IANA name such as Europe/Berlin")
        object.__setattr__(self, "values", _checked(self.values))

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.values)

    @property
    def end_s(self) -> int:
        """End of the last bin, epoch seconds; the first moment that is not known."""
        return self.start_s + self.step_s * len(self.values)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which bins have a value, (n,)."""
        return ~np.isnan(self.values)

    def between(self, from_s: float, to_s: float) -> Self:
        """Return the whole bins inside [from_s, to_s); may be empty."""
        first = max(0, -int(-(from_s - self.start_s) // self.step_s))
        last = max(first, min(len(self), int((to_s - self.start_s) // self.step_s)))
        return replace(self, start_s=self.start_s + first * self.step_s, values=self.values[first:last])

    def until(self, to_s: float) -> Self:
        """Return the bins that have ended at `to_s`."""
        return self.between(self.start_s, to_s)

    def resample(self, step_s: int) -> Self:
        """Return means over longer (or values of shorter) bins aligned to multiples of `step_s`.

        A new bin's value is the mean of what is known inside it, weighted by the time it covers; NaN when less than
        half of it is known. Bins cut by the ends of the series are dropped.
        """
        if step_s == self.step_s:
            return self
        first = -(-self.start_s // step_s) * step_s
        count = max(0, (self.end_s - first) // step_s)
        edges = first + step_s * np.arange(count + 1, dtype=np.float64)
        area = self._integral(np.nan_to_num(self.values), edges)
        covered = self._integral(self.known.astype(np.float64), edges)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(covered >= step_s / 2, area / covered, np.nan)
        return replace(self, start_s=int(first), step_s=step_s, values=values)

    def _integral(self, values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the integral of a step function with these bins between consecutive `edges`."""
        own = self.start_s + self.step_s * np.arange(len(self) + 1, dtype=np.float64)
        total = np.concatenate(([0.0], np.cumsum(values) * self.step_s))
        return np.maximum(np.diff(np.interp(edges, own, total)), 0.0)


def _checked(values: NDArray[np.float64]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1:
        raise SeriesError(f"values have the shape {array.shape}, not (n,)", help="pass one value a bin")
    if np.isinf(array).any():
        raise SeriesError(f"the value at index {int(np.isinf(array).argmax())} is infinite", help="NaN where missing")
    if (array < 0).any():
        raise SeriesError(f"the value at index {int((array < 0).argmax())} is negative", help="rates are 0 or more")
    array.flags.writeable = False
    return array
