"""Equal servers before which requests wait in one line for as long as it takes: M/M/c, and M/D/c."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw

Floats = NDArray[np.float64]

_CRITICAL: Final = 1e-6
"""A load this near to 1 counts as so far below it: what is divided by the distance has a limit there."""
_NEAR: Final = 0.01
"""So near to a load of 1 a series of three terms is exact to a millionth."""


@dataclass(frozen=True, slots=True)
class Station:
    """A queue in the steady state of a load: who waits, and for how long.

    Waits above zero are exponential, P(W > t) = P e^(-dt). For M/M/c this is exact: P is Erlang C, d = c/s - l. For
    M/D/c d is the root of e^(ds/c) = 1 + d/l, and P is Erlang C times what M/D/1 has in its place over its load
    (Cramer-Lundberg); near a load of 1, where waits are long, both are exact in the limit (Tijms, A First Course in
    Stochastic Models, 2003, section 9.6).

    Attributes:
        servers: c, requests that are worked on at once.
        service_time_s: s, mean time of one.
        slack_s: longest wait of a request that is still on time.
        fixed: whether each request takes the same time, in place of exponential times.
    """

    servers: int
    service_time_s: float
    slack_s: float
    fixed: bool = False

    @property
    def most_rps(self) -> float:
        """Requests per second that it works through when it is never idle."""
        return self.servers / self.service_time_s

    @property
    def spread(self) -> float:
        """Variance of the work that comes, over that of work in equal parts: 1 + cv^2 of the service times."""
        return 1.0 if self.fixed else 2.0

    def load(self, rps: Floats) -> Floats:
        """Return the share of its time that a server is busy, or would have to be; never just 1."""
        found = np.asarray(rps / self.most_rps)
        return np.where(np.abs(found - 1.0) < _CRITICAL, 1.0 - _CRITICAL, found)

    def decay(self, rps: Floats) -> Floats:
        """Return d, per second; below 0 where the queue grows."""
        load = self.load(rps)
        if not self.fixed:
            return np.asarray(self.most_rps * (1.0 - load))
        return np.asarray(self.most_rps * _root(load))

    def odds(self, rps: Floats) -> Floats:
        """Return P / (1 - C) times the share of time that servers are free: finite at a load of 1 and beyond."""
        blocked = self._blocked(rps)
        return np.asarray(blocked / (1.0 - blocked) * self._tail(rps))

    def waiting(self, rps: Floats) -> Floats:
        """Return P, for loads below 1."""
        return np.asarray(self._all_busy(rps) * self._tail(rps))

    def late(self, rps: Floats) -> Floats:
        """Return the share of requests that wait longer than the slack; 1 where the queue grows for ever."""
        load, busy = self.load(rps), self._all_busy(rps)
        with np.errstate(over="ignore", invalid="ignore"):
            beyond = np.minimum(self.waiting(rps) * np.exp(-self.decay(rps) * self.slack_s), busy)
        return np.where(load < 1.0, np.where(load > 0, beyond, 0.0), 1.0)

    def _all_busy(self, rps: Floats) -> Floats:
        """Return Erlang C, for loads below 1."""
        blocked = self._blocked(rps)
        return np.asarray(blocked / (1.0 - self.load(rps) * (1.0 - blocked)))

    def _tail(self, rps: Floats) -> Floats:
        """Return P over Erlang C."""
        load = self.load(rps)
        if not self.fixed:
            return np.ones_like(load)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            grown = self.decay(rps) / self.most_rps
            slope = (np.exp(grown) * (grown - 1.0) + 1.0) / grown**2
            found = (1.0 - load) / (load * load * grown * slope)
        return np.where((load > 0) & np.isfinite(found), found, 1.0)

    def _blocked(self, rps: Floats) -> Floats:
        """Return Erlang B for each load."""
        offered = np.asarray(rps * self.service_time_s, dtype=np.float64)
        blocked = np.ones_like(offered)
        for number in range(1, self.servers + 1):
            blocked = offered * blocked / (number + offered * blocked)
        return blocked


def _root(load: Floats) -> Floats:
    """Return the root other than 0 of e^x = 1 + x / load; infinity without load.

    By Lambert's W, and near a load of 1, where that has no digits left, by its series.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        beyond = 1.0 / load - 1.0
        inner = -load * np.exp(-load)
        root = -np.where(load < 1.0, lambertw(inner, -1).real, lambertw(inner, 0).real) - load
        near = beyond * (2.0 - beyond * (4.0 / 3.0 - beyond * 10.0 / 9.0))
        return np.where(load > 0, np.where(np.abs(beyond) < _NEAR, near, root), np.inf)
