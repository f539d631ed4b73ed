"""Queues of Erlang: M/M/c with requests that wait for ever (B, C), and M/M/c+M with those that give up (A)."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_DECAY_A_PANEL: Final = 8.0
"""The integrand falls (or grows) by at most a factor e to this within a panel: 24 nodes are then exact to 1e-12."""
_NEGLIGIBLE: Final = 40.0
"""Standard deviations beyond which states of the queue are left out."""


def erlang_b(servers: int, load: float) -> float:
    """Return the share of requests blocked when none may wait, Erlang's first formula.

    By the recursion B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1)), which neither overflows nor cancels.
    """
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Return the share of requests that must wait, Erlang's second formula; 1.0 when the load is too high."""
    return 1.0 if load >= servers else waits(servers, load, erlang_b(servers, load))


def waits(servers: int, load: float, blocked: float) -> float:
    """Return Erlang C from Erlang B: C = B / (1 - rho (1 - B)) with rho = load / servers below 1."""
    return blocked / (1 - load / servers * (1 - blocked))


@dataclass(frozen=True, slots=True)
class Impatient:
    """The queue M/M/c+M in steady state: requests that wait give up after an exponential time.

    With rates l (arrivals), m (service, of each of c servers) and g (giving up), the wait that is offered to a
    request with endless patience has the density l p(c-1) exp(l (1 - exp(-g x)) / g - c m x) at x > 0, and
    p(c-1) = 1 / (1 / B(c-1, l/m) + l J), J being the integral of the exponential over x > 0 (Baccelli & Hebuterne
    1981; Zeltyn & Mandelbaum, Queueing Systems 51, 2005, section 3; the model is Palm's, 1957).

    Attributes:
        servers: c, at least 1.
        rps: l, above 0.
        service_time_s: 1 / m.
        patience_s: 1 / g, the mean time a request waits before it gives up.
    """

    servers: int
    rps: float
    service_time_s: float
    patience_s: float

    def waiting(self) -> float:
        """Return the share of requests that do not find a free server."""
        idle, wait = self._idle_and_waiting()
        return 1.0 / (1.0 + math.exp(min(idle - wait, 700.0)))

    def gone(self) -> float:
        """Return the share of requests that give up: what is not served. The busy servers serve all the rest."""
        idle, wait = self._idle_and_waiting()
        load = self.rps * self.service_time_s
        # c-1 servers and fewer are busy with B's distribution cut at c-1; with a queue all c are.
        busy_if_idle = load * (1 - erlang_b(self.servers - 1, load))
        share = 1.0 / (1.0 + math.exp(min(idle - wait, 700.0)))
        return max(0.0, 1.0 - ((1 - share) * busy_if_idle + share * self.servers) / load)

    def served_within(self, wait_s: float) -> float:
        """Return the share of all requests that are taken up within `wait_s`, neither late nor gone."""
        idle, wait = self._idle_and_waiting()
        taken = math.log(self.rps) + self._log_taken(wait_s) if wait_s > 0 else -math.inf
        top = max(idle, wait)
        return min(1.0, (math.exp(idle - top) + math.exp(taken - top)) / (math.exp(idle - top) + math.exp(wait - top)))

    def _idle_and_waiting(self) -> tuple[float, float]:
        """Return logarithms of the weights of having a free server and of waiting."""
        idle = -math.log(erlang_b(self.servers - 1, self.rps * self.service_time_s))
        return idle, math.log(self.rps) + self._log_j()

    def _log_j(self) -> float:
        """Return log J by its series: c m J = 1 + sum over j of y^j / ((x+1) … (x+j)), x = c m / g and y = l / g."""
        x = self.servers * self.patience_s / self.service_time_s
        y = self.rps * self.patience_s
        terms = int(max(0.0, y - x) + _NEGLIGIBLE * math.sqrt(y + 1) + 100)
        logs = np.concatenate(([0.0], np.cumsum(np.log(y / (x + np.arange(1, terms + 1))))))
        top = float(logs.max())
        return top + math.log(float(np.exp(logs - top).sum())) - math.log(self.servers / self.service_time_s)

    def _log_taken(self, wait_s: float) -> float:
        """Return the logarithm of the integral over waits up to `wait_s` of the density for those who still wait."""
        steepest = max(self.servers / self.service_time_s + 1 / self.patience_s, self.rps) * wait_s
        panels = int(steepest / _DECAY_A_PANEL) + 1
        edges = np.linspace(0.0, wait_s, panels + 1)
        half = np.diff(edges)[:, None] / 2
        at = edges[:-1, None] + half * (1 + _NODES)
        logs = self._log_density(at) - at / self.patience_s
        top = float(logs.max())
        return top + math.log(float((np.exp(logs - top) * half * _WEIGHTS).sum()))

    def _log_density(self, at_s: Floats) -> Floats:
        given_up = -np.expm1(-at_s / self.patience_s)
        return np.asarray(self.rps * self.patience_s * given_up - self.servers / self.service_time_s * at_s)
