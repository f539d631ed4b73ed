"""A distribution over paths as a centre and past errors around it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SamplePaths:
    """Paths on the even scale: `centre + errors`, each path with a weight.

    Attributes:
        centre: (leads,), the middle forecast of each lead.
        errors: (m, leads), whole past error paths; NaN from the lead on that was still to come.
        weights: (m,), not negative.
        back_h: (m,), how many hours before the last known bin each path's moment was: paths of one moment go together.
        alike: how many paths tell nearly the same, being of one day, and so count as one; 0 when they are not what was
            seen but drawn from a law, which has its own tail.
    """

    centre: Floats
    errors: Floats
    weights: Floats
    back_h: Floats
    alike: float = 1.0

    def paths(self, leads: int) -> tuple[Floats, Floats]:
        """Return (m', leads) paths known that far and their weights (m',), which sum to 1."""
        whole = self._whole(leads)
        weights = self.weights[whole]
        return self.centre[:leads] + self.errors[whole, :leads], weights / weights.sum()

    def known(self, leads: int) -> tuple[Floats, Floats]:
        """Return (m', leads) all paths that are known for a while, NaN from where they are not, and weights (m',)."""
        some = ~np.isnan(self.errors[:, 0]) & (self.weights > 0)
        return self.centre[:leads] + self.errors[some, :leads], self.weights[some]

    def moments_h(self, leads: int) -> Floats:
        """Return (m',), how long ago the moments of those paths were, hours."""
        return np.asarray(self.back_h[self._whole(leads)])

    def _whole(self, leads: int) -> NDArray[np.bool_]:
        return np.asarray(~np.isnan(self.errors[:, leads - 1]) & (self.weights > 0))

    def taken(self, leads: Floats) -> Self:
        """Return the cloud at other leads (indices and what is between them, as clocks change)."""
        at = leads.astype(np.intp)
        between = leads - at
        centre, errors = self.centre[at], self.errors[:, at]
        if between.any():
            part = np.flatnonzero(between)
            centre[part] += between[part] * (self.centre[at[part] + 1] - centre[part])
            errors[:, part] += between[part] * (self.errors[:, at[part] + 1] - errors[:, part])
        return replace(self, centre=centre, errors=errors)

    def moved(self, by: Floats) -> Self:
        """Return the cloud with (leads,) added to its centre."""
        return replace(self, centre=self.centre + by)

    def mapped(self, function: Callable[[Floats], Floats]) -> Self:
        """Return the cloud whose centre and paths are a function's values of these."""
        centre = function(self.centre)
        return replace(self, centre=centre, errors=function(self.centre + self.errors) - centre)

    def widened(self, factor: float) -> Self:
        """Return the cloud with errors of so many times the size."""
        return self if factor == 1 else replace(self, errors=self.errors * factor)

    def joined(self, other: Self, share: float) -> Self:
        """Return the cloud with another's errors added, which get `share` of the weight."""
        own, theirs = self.weights / max(self.weights.sum(), 1e-300), other.weights / other.weights.sum()
        weights = np.concatenate((own * (1 - share), theirs * share))
        back_h = np.concatenate((self.back_h, other.back_h))
        return replace(self, errors=np.vstack((self.errors, other.errors)), weights=weights, back_h=back_h)
