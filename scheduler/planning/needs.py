"""What found no room: units of one shape, and how many of them each host may take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placing import capped, limit_of


@dataclass(frozen=True, eq=False)
class Need:
    """Units of one shape that found no room.

    Attributes:
        shape: what each needs.
        count: how many, all of them.
        limit: most of them on each host: a number for all, or int64 (H,).
    """

    shape: Shape
    count: int
    limit: NDArray[np.int64] | int

    def is_met_by(self, units: NDArray[np.int64]) -> bool:
        """Whether hosts on which `units` fit, int64 (H,), take them all."""
        return bool(self.fitting(units).sum() >= self.count)

    def fitting(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the units each host takes at most."""
        return capped(units, self.limit, self.count)

    def limit_on(self, row: int) -> int:
        """Return the most of them on one host."""
        return self.limit if isinstance(self.limit, int) else int(self.limit[row])

    def fitting_at(self, rows: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return as `fitting`, for some rows only."""
        return capped(units, self.limit if isinstance(self.limit, int) else self.limit[rows], self.count)


def need_of(gang: Gang) -> Need:
    """Return what a whole gang needs."""
    return Need(gang.shape, gang.workers, limit_of(gang))
