"""How many replicas a load takes: by a target rate, or by the time requests wait in a queue."""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import numpy as np

from policies.erlang import Impatient, erlang_b, waits
from policies.station import Station

_TOLERANCE = 1e-9
"""A load this little above what n replicas serve is rounding, not load."""
_BISECTIONS = 50
RATED_BUSY: Final = 0.85
"""Share of the time that a replica is taken to be busy at its target rate: assumed, as a rate says nothing of it."""
RATED_LATE: Final = 0.01
"""Share of requests that are late there: that of the other rules, unless they are told otherwise."""
_KEPT = 8192
"""Answers of rules that take long to work out; a site asks for the same loads again and again."""


class CapacityRule(Protocol):
    """What turns a load into replicas; equal rules have equal hashes."""

    def __hash__(self) -> int:
        """Return a hash, so that answers can be kept."""

    @property
    def rps_per_replica(self) -> float:
        """Requests per second that one replica alone serves at its objective."""

    @property
    def within(self) -> float:
        """Share of requests that are to meet the objective."""

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas that serve `rps` requests per second at the objective."""

    def highest_rps(self, replicas: int) -> float:
        """Return the highest load, requests per second, for which no more than `replicas` are needed."""

    def on_time(self, replicas: int, rps: float) -> float:
        """Return the share of requests that meet the objective when `rps` has come for long."""

    def station(self, replicas: int) -> Station | None:
        """Return the queue that it stands for; None where requests give up, so that none grows for ever."""


@dataclass(frozen=True)
class TargetRate:
    """Each replica serves a given rate.

    A rate has no physics of its own. Where lateness is counted, a replica is taken to work on one request at a time,
    each as long as the other, to be busy `RATED_BUSY` of the time at its rate, and to have `RATED_LATE` of its
    requests late there when it is alone; several share one line. Say service time and objective for more.

    Attributes:
        rps_per_replica: requests per second one replica serves at its objective.
    """

    rps_per_replica: float

    @property
    def within(self) -> float:
        """Share of requests that are on time at the rate."""
        return 1.0 - RATED_LATE

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas that serve `rps` requests per second."""
        return max(0, math.ceil(rps / self.rps_per_replica - _TOLERANCE))

    def highest_rps(self, replicas: int) -> float:
        """Return what so many replicas serve."""
        return max(replicas, 0) * self.rps_per_replica

    def on_time(self, replicas: int, rps: float) -> float:
        """Return the share of requests that are on time."""
        return _on_time(self.station(replicas), rps)

    def station(self, replicas: int) -> Station:
        """Return the queue that replicas of a target rate are taken for."""
        return Station(replicas, RATED_BUSY / self.rps_per_replica, _rated_slack_s(self.rps_per_replica), fixed=True)


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
        _check(self.latency_objective_s, self.service_time_s)

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas with which at least `within` of `rps` requests per second are on time.

        Found by the highest loads of replicas, which are remembered: a loop asks for loads that hardly change.
        """
        if rps <= 0:
            return 0
        busy = rps * self.service_time_s / self.concurrency
        low, step = math.floor(busy), 1 + math.isqrt(math.floor(busy))
        while self.highest_rps(low + step) < rps:
            low += step
        return low + 1 + bisect_left(range(low + 1, low + step), rps, key=self.highest_rps)

    @property
    def rps_per_replica(self) -> float:
        """The highest rate that one replica alone serves within the objective."""
        return _highest_rps(self, 1)

    def highest_rps(self, replicas: int) -> float:
        """Return the highest rate that so many replicas together serve within the objective."""
        return _highest_rps(self, replicas)

    def on_time(self, replicas: int, rps: float) -> float:
        """Return the share of requests that are on time."""
        servers, load = replicas * self.concurrency, rps * self.service_time_s
        return 1.0 - self._late(servers, load, erlang_b(servers, load))

    def station(self, replicas: int) -> Station:
        """Return the queue of so many replicas."""
        slack_s = self.latency_objective_s - self.service_time_s
        return Station(replicas * self.concurrency, self.service_time_s, slack_s)

    def _late(self, servers: int, load: float, blocked: float) -> float:
        """Return the share of requests that wait too long; 1.0 when the queue grows for ever."""
        if load >= servers:
            return 1.0
        waiting = waits(servers, load, blocked)
        slack = (self.latency_objective_s - self.service_time_s) / self.service_time_s
        return waiting * math.exp(-(servers - load) * slack)


@dataclass(frozen=True)
class ErlangA:
    """As `ErlangC`, but requests that wait give up (clients time out): M/M/c+M.

    A request is on time when it is taken up in time; one that gave up is not. Where queues are short this asks for
    as many replicas as Erlang C. It matters for objectives that let requests wait about as long as they care to:
    there Erlang C counts on a queue of requests whose senders are gone.

    Attributes:
        service_time_s, latency_objective_s, concurrency, within: see `ErlangC`.
        patience_s: mean time that a request waits before it gives up.
    """

    service_time_s: float
    latency_objective_s: float
    patience_s: float
    concurrency: int = 1
    within: float = 0.99

    def __post_init__(self) -> None:
        """Refuse an objective that no number of replicas can meet.

        Raises:
            ValueError: the objective is shorter than the service itself, or nobody waits at all.
        """
        _check(self.latency_objective_s, self.service_time_s)
        if self.patience_s <= 0:
            raise ValueError(f"a patience of {self.patience_s:g} s lets nobody wait")

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas with which at least `within` of `rps` requests per second are on time."""
        return _fewest_replicas(self, rps) if rps > 0 else 0

    @property
    def rps_per_replica(self) -> float:
        """The highest rate that one replica alone serves within the objective."""
        return _highest_rps(self, 1)

    def highest_rps(self, replicas: int) -> float:
        """Return the highest rate that so many replicas together serve within the objective."""
        return _highest_rps(self, replicas)

    def on_time(self, replicas: int, rps: float) -> float:
        """Return the share of requests that are taken up in time."""
        if rps <= 0 or replicas <= 0:
            return float(replicas > 0)
        queue = Impatient(replicas * self.concurrency, rps, self.service_time_s, self.patience_s)
        return queue.served_within(self.latency_objective_s - self.service_time_s)

    def station(self, replicas: int) -> None:
        """Return nothing: those who wait give up, so that no queue grows for ever."""


def ladder(rule: CapacityRule, most: int) -> tuple[float, ...]:
    """Return the highest loads, requests per second, that 1, 2, … `most` replicas serve, ascending."""
    return tuple(rule.highest_rps(replicas) for replicas in range(1, most + 1))


def clamp(replicas: int, least: int, most: int) -> int:
    """Return `replicas` within a model's limits."""
    return min(max(replicas, least), most)


def _on_time(station: Station, rps: float) -> float:
    if station.servers <= 0 or rps <= 0:
        return float(station.servers > 0)
    return 1.0 - float(station.late(np.array(rps)))


@lru_cache(_KEPT)
def _rated_slack_s(rps_per_replica: float) -> float:
    """Return the wait that all but `RATED_LATE` of the requests to one replica at its rate stay below."""
    alone, rate = Station(1, RATED_BUSY / rps_per_replica, 0.0, fixed=True), np.array(rps_per_replica)
    return math.log(float(alone.waiting(rate)) / RATED_LATE) / float(alone.decay(rate))


def _check(objective_s: float, service_s: float) -> None:
    if objective_s < service_s:
        raise ValueError(f"latency objective {objective_s:g} s is shorter than the service time {service_s:g} s")


@lru_cache(_KEPT)
def _fewest_replicas(rule: ErlangA, rps: float) -> int:
    """Return the fewest that are enough: doubled until they are, then halved in between."""
    low, high = 0, 1
    while not _enough(rule, high, rps):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(rule, middle, rps) else (middle, high)
    return high


@lru_cache(_KEPT)
def _highest_rps(rule: ErlangC | ErlangA, replicas: int) -> float:
    """Return the highest load for which so many replicas are enough."""
    if replicas <= 0:
        return 0.0
    # No more than the servers can work through, of which the requests that give up are a share of 1 - within.
    low, high = 0.0, replicas * rule.concurrency / rule.service_time_s / rule.within
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _enough(rule, replicas, middle) else (low, middle)
    return low


def _enough(rule: ErlangC | ErlangA, replicas: int, rps: float) -> bool:
    return rule.on_time(replicas, rps) >= rule.within - _TOLERANCE
