"""A scale on which traffic's noise is even: the logarithm for much traffic, the square root for little."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.sifting import arrival_of

Floats = NDArray[np.float64]

_LEAST_OFFSET: Final = 1e-4
"""Of the mean, for much traffic: keeps the logarithm of 0 finite."""
_CROWD_VARIANCE: Final = 0.02
"""b for traffic that people make: they move together by about 14 % from hour to hour, however many they are."""
_NEAR_ZERO: Final = 0.01
_OFTEN: Final = 0.05
_OFFSET_OF_SPARSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Transform:
    """y = log(v + c + sqrt(v (v + 2 c))), the variance-stabilising transform of var(v) = b (2 c v + v**2).

    Arrivals make the variance grow with the mean, what people do together makes it grow with its square (the family
    of Anscombe, Biometrika 35, 1948); c is half the traffic at which the two are equal.

    Attributes:
        offset: c, in the values' unit, above 0.
    """

    offset: float

    @classmethod
    def fitted(cls, values: Floats) -> Self:
        """Return the transform for values (n,) with NaN where missing.

        What one arrival is, `arrival_of` says; for what is not counted it is next to nothing and the scale is the
        logarithm. Failures of the record must have been taken out.
        """
        known = values[~np.isnan(values)]
        mean = float(known.mean()) if len(known) else 0.0
        if mean <= 0.0:
            return cls(1e-9)
        sparse = float(np.mean(known < _NEAR_ZERO * mean)) > _OFTEN
        least = mean * (_OFFSET_OF_SPARSE if sparse else _LEAST_OFFSET)
        return cls(max(arrival_of(known) / (2 * _CROWD_VARIANCE), least))

    def forward(self, values: Floats) -> Floats:
        """Return values on the even scale, same shape; NaN stays."""
        return np.asarray(np.log(values + self.offset + np.sqrt(values * (values + 2 * self.offset))))

    def inverse(self, scaled: Floats) -> Floats:
        """Return scaled values in the values' unit, at least 0, same shape."""
        u = np.maximum(np.exp(np.minimum(scaled, 600.0)), self.offset)
        return np.asarray((u - self.offset) ** 2 / (2 * u))
