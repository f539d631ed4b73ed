"""What needs room: units of one shape, so many on a host; or a gang as a whole, in one domain where it says so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.topology import per_domain


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


@dataclass(frozen=True, eq=False)
class GangNeed:
    """When a gang fits, in counts per host.

    Attributes:
        shape: of each worker.
        workers: how many.
        limit: most of them on one host.
        domain: int64 (H,), hosts of one number may be used together; all 0 where any may.
    """

    shape: Shape
    workers: int
    limit: int
    domain: NDArray[np.int64]

    @classmethod
    def of(cls, gang: Gang, table: HostTable) -> "GangNeed":
        """Return what a gang wants of these hosts; preferences are not wants."""
        anywhere = np.zeros(len(table.hosts), dtype=np.int64)
        domain = table.domains(gang.require_same) if gang.require_same else anywhere
        return cls(gang.shape, gang.workers, limit_of(gang), domain)

    def fitting(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many workers each place takes that has room for `units`."""
        return capped(units, self.limit, self.workers)

    def best(self, fitting: NDArray[np.int64]) -> int:
        """Return how many workers fit together, when each host takes `fitting`, int64 (H,)."""
        return int(per_domain(fitting, self.domain).max(initial=0))

    def are_met_by(self, fitting: NDArray[np.int64]) -> bool:
        """Whether the whole gang fits when each host takes `fitting`, int64 (H,)."""
        return self.best(fitting) >= self.workers

    def first_met_s(
        self, before: NDArray[np.int64], row: NDArray[np.int64], at_s: NDArray[np.float64], gain: NDArray[np.int64]
    ) -> float | None:
        """Return when the whole gang fits for the first time, or None when it never does.

        Args:
            before: int64 (H,), workers that each host takes at first.
            row: int64 (N,), host of each gain.
            at_s: float64 (N,), when it comes.
            gain: int64 (N,), how many more workers the host takes from then on.
        """
        grows = np.flatnonzero(gain)
        domain, at_s, gain = self.domain[row[grows]], at_s[grows], gain[grows]
        order = np.lexsort((at_s, domain))
        domain, at_s, gain = domain[order], at_s[order], gain[order]
        total = np.cumsum(gain)
        first = np.flatnonzero(np.diff(domain, prepend=-1))
        earlier = np.repeat(total[first] - gain[first], np.diff(first, append=len(domain)))
        fits = total - earlier + per_domain(before, self.domain)[domain] >= self.workers
        return float(at_s[fits].min()) if fits.any() else None
