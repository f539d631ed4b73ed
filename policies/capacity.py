"""How many replicas a load takes: by a target rate, or by the time requests wait in a queue."""

import math
from dataclasses import dataclass
from functools import cached_property

_TOLERANCE = 1e-9
"""A load this little above what n replicas serve is rounding, not load."""
_BISECTIONS = 60


@dataclass(frozen=True)
class TargetRate:
    """Each replica serves a given rate.

    Attributes:
        rps_per_replica: requests per second one replica serves at its objective.
    """

    rps_per_replica: float

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas that serve `rps` requests per second."""
        return max(0, math.ceil(rps / self.rps_per_replica - _TOLERANCE))


@dataclass(frozen=True)
class ErlangC:
    """Requests queue for the first free place of all replicas: M/M/c with c = replicas x concurrency.

    A request is on time when it waits no longer than the objective leaves beside the mean service time. With
    offered load a = rps x service_time_s, P(wait > t) = C(c, a) exp(-(c - a) t / service_time_s), where C is Erlang's
    second formula (A. K. Erlang, 1917; e.g. Kleinrock, Queueing Systems I, section 3.5).

    Attributes:
        service_time_s: mean time one request takes, alone.
        latency_objective_s: longest a request should take, wait and service together.
        concurrency: requests a replica works on at once.
        within: share of requests that must meet the objective.
    """

    service_time_s: float
    latency_objective_s: float
    concurrency: int = 1
    within: float = 0.99

    def __post_init__(self) -> None:
        """Refuse an objective that no number of replicas can meet.

        Raises:
            ValueError: the objective is shorter than the service itself.
        """
        if self.latency_objective_s < self.service_time_s:
            asked, least = self.latency_objective_s, self.service_time_s
            raise ValueError(f"latency objective {asked:g} s is shorter than the service time {least:g} s")

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas with which at least `within` of `rps` requests per second are on time."""
        if rps <= 0:
            return 0
        load = rps * self.service_time_s
        blocked, servers = 1.0, 0
        while True:
            for _ in range(self.concurrency):
                servers += 1
                blocked = load * blocked / (servers + load * blocked)
            if self._late(servers, load, blocked) <= 1 - self.within + _TOLERANCE:
                return servers // self.concurrency

    @cached_property
    def rps_per_replica(self) -> float:
        """The highest rate that one replica alone serves within the objective."""
        low, high = 0.0, self.concurrency / self.service_time_s
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.replicas(middle) <= 1 else (low, middle)
        return low

    def _late(self, servers: int, load: float, blocked: float) -> float:
        """Return the share of requests that wait too long; 1.0 when the queue grows for ever."""
        if load >= servers:
            return 1.0
        waiting = waits(servers, load, blocked)
        patience = (self.latency_objective_s - self.service_time_s) / self.service_time_s
        return waiting * math.exp(-(servers - load) * patience)


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


CapacityRule = TargetRate | ErlangC
"""What turns a load into replicas."""


def clamp(replicas: int, least: int, most: int) -> int:
    """Return `replicas` within a model's limits."""
    return min(max(replicas, least), most)


def surviving(replicas: int, hosts: int, losses: int) -> int:
    """Return how many replicas, spread evenly over hosts, leave `replicas` after any `losses` hosts are lost.

    Args:
        replicas: needed afterwards.
        hosts: that replicas can be spread over.
        losses: hosts that may be lost at once.

    Raises:
        ValueError: there are not more hosts than losses, so nothing survives for sure.
    """
    if losses >= hosts and replicas:
        raise ValueError(f"no replica is sure to survive the loss of {losses} of {hosts} hosts")
    total = replicas
    while total - losses * math.ceil(total / max(hosts, 1)) < replicas:
        total += 1
    return total
