"""A regular time series: the only form in which traffic enters the forecaster."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values at a regular step.

    Attributes:
        start_s: start of the first bin, epoch seconds.
        step_s: length of a bin in seconds, 60 to 86400.
        values: float64 (n,), mean over each bin in any unit that is not negative (here: requests per second); NaN
            where missing.
        zone: IANA name of the time zone whose days and weeks the traffic follows.
    """

    start_s: int
    step_s: int
    values: NDArray[np.float64]
    zone: str = "UTC"

    @property
    def end_s(self) -> int:
        """End of the last bin, epoch seconds; the first moment that is not known."""
        return self.start_s + self.step_s * len(self.values)
