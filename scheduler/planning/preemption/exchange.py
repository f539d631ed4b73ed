"""Cheaper victims than the greedy ones: exact on each host and over all hosts, a search over those who span several.

Most victims sit on one host. For one host all sets of its victims are tried, which says what winning k units there
costs. Dynamic programming over hosts then finds the cheapest numbers of units that add up to the need. Only victims
with workers on several hosts tie hosts together: where they are few every choice of them is tried, else local search
decides (add one, keep one, exchange two), and the rest is exact for each such choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.preemption.candidates import Candidates, units_with

MOST_UNITS: Final = 64
"""Units for which it is tried; above, the greedy choice stands."""
MOST_ON_HOST: Final = 8
"""Victims, or bundles of them, whose sets are tried on one host: 2 to the power of it."""
MOST_SPANNING: Final = 24
"""Victims on several hosts that are looked at, the cheapest first."""
ALONE: Final = -1
"""Place in the list of those who span hosts of one who does not, or is not looked at as one."""
MOST_TRIED: Final = 8192
"""Choices of them times units, up to which every choice is tried."""
MOST_ROUNDS: Final = 12
"""Steps of the local search."""


def exchanged(need: Need, coming: CachedTrial, candidates: Candidates, greedy: Sequence[int]) -> list[int]:
    """Return victims that meet a need and cost no more than those of the greedy choice, by their place among all.

    Args:
        need: what found no room.
        coming: room without anybody stopped.
        candidates: who may be stopped.
        greedy: a choice that meets the need.
    """
    if need.count > MOST_UNITS:
        return list(greedy)
    spanning = _spanning(candidates, greedy)
    hosts = _tables(need, coming, candidates, spanning)
    elsewhere = need.fitting(coming.units(need.shape))
    missing = need.count - int(elsewhere.sum() - sum(int(elsewhere[host.row]) for host in hosts))
    search = _Search(hosts, spanning, candidates.cost[spanning], missing)
    stopped = search.run(np.isin(spanning, list(greedy)))
    chosen = search.victims(stopped)
    if chosen is None or candidates.cost[chosen].sum() >= candidates.cost[list(greedy)].sum():
        return list(greedy)
    return chosen


def _spanning(candidates: Candidates, greedy: Sequence[int]) -> NDArray[np.int64]:
    """Return victims on several hosts, few enough in all and on each host: those chosen already, then the cheapest.

    The others count as if they were one victim on each of their hosts, each at the full cost.
    """
    several = np.flatnonzero(np.bincount(candidates.who, minlength=len(candidates.order)) > 1)
    in_turn = several[np.argsort(~np.isin(several, list(greedy)), kind="stable")]
    taken, on_host = list[int](), np.zeros(int(candidates.row.max()) + 1, dtype=np.int64)
    for who in in_turn[: 2 * MOST_SPANNING].tolist():
        rows = candidates.row[candidates.who == who]
        if len(taken) < MOST_SPANNING and (on_host[rows] < MOST_ON_HOST - 1).all():
            taken.append(who)
            on_host[rows] += 1
    return np.array(sorted(taken), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _Bundle:
    """Victims on one host who are stopped together, mostly one alone.

    Attributes:
        who: their places in the candidates.
        cost: what stopping them costs.
        freed: int64 (2 + D,), what they free there.
        span: place in the list of spanning victims, or `ALONE`.
    """

    who: tuple[int, ...]
    cost: float
    freed: NDArray[np.int64]
    span: int


@dataclass(frozen=True, eq=False)
class _Host:
    """What winning units on one host costs.

    Attributes:
        row: its row.
        spans: int64 (p,), places in the list of spanning victims of those on it.
        mask: int64 (s,), for each set of its victims which of `spans` are in it, as bits.
        units: int64 (s,), how many units then fit.
        cost: float64 (s,), what the others of the set cost.
        members: bool (s, n), which bundles are in each set.
        bundles: n of them.
        table: float64 (2 ** p, k + 1): the least cost of at least so many units, given which of `spans` are stopped.
    """

    row: int
    spans: NDArray[np.int64]
    mask: NDArray[np.int64]
    units: NDArray[np.int64]
    cost: NDArray[np.float64]
    members: NDArray[np.bool_]
    bundles: tuple[_Bundle, ...]
    table: NDArray[np.float64]

    def masks(self, stopped: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the bits of each of B choices of spanning victims, bool (B, m)."""
        bits: NDArray[np.int64] = stopped[:, self.spans] @ (1 << np.arange(len(self.spans)))
        return bits

    def victims(self, mask: int, count: int) -> list[int]:
        """Return the cheapest others with whom so many units fit."""
        fits = (self.mask == mask) & (self.units >= count)
        best = int(np.where(fits, self.cost, np.inf).argmin())
        taken = (bundle for bundle, is_in in zip(self.bundles, self.members[best], strict=True) if is_in)
        return [who for bundle in taken if bundle.span == ALONE for who in bundle.who]


def _tables(need: Need, coming: CachedTrial, candidates: Candidates, spanning: NDArray[np.int64]) -> list[_Host]:
    """Try all sets of victims on each host, in one go."""
    place = np.full(len(candidates.order), ALONE)
    place[spanning] = np.arange(len(spanning))
    firsts = np.flatnonzero(np.diff(candidates.row, prepend=-1))
    bundled = [_bundles(candidates, entries, place) for entries in np.split(np.arange(len(candidates.row)), firsts[1:])]
    members = [all_sets(len(bundles)) for bundles in bundled]
    freed = [
        sets @ np.stack([bundle.freed for bundle in bundles]) for sets, bundles in zip(members, bundled, strict=True)
    ]
    rows = np.repeat(candidates.row[firsts], [len(sets) for sets in members])
    units = need.fitting_at(rows, units_with(coming, need.shape, rows, np.concatenate(freed)))
    won = np.split(units, np.cumsum([len(sets) for sets in members])[:-1])
    return [_host(*each) for each in zip(candidates.row[firsts].tolist(), bundled, members, won, strict=True)]


def _host(row: int, bundles: Sequence[_Bundle], sets: NDArray[np.bool_], units: NDArray[np.int64]) -> _Host:
    spans = np.array([bundle.span for bundle in bundles])
    several = spans != ALONE
    bits = np.where(several, 1 << np.maximum(np.cumsum(several) - 1, 0), 0)
    mask: NDArray[np.int64] = sets.astype(np.int64) @ bits
    cost = sets @ np.array([0.0 if bundle.span != ALONE else bundle.cost for bundle in bundles])
    table = np.full((1 << int(several.sum()), int(units.max()) + 1), np.inf)
    np.minimum.at(table, (mask, units), cost)
    table = np.minimum.accumulate(table[:, ::-1], axis=1)[:, ::-1]
    return _Host(row, spans[several], mask, units, cost, sets, tuple(bundles), table)


def _bundles(candidates: Candidates, entries: NDArray[np.int64], place: NDArray[np.int64]) -> list[_Bundle]:
    """Return the victims of one host one by one, or, where they are too many, the costly ones as one bundle.

    Those who span hosts stay by themselves.
    """
    several = place[candidates.who[entries]] != ALONE
    single = entries[~several]
    most = max(1, MOST_ON_HOST - int(several.sum()))
    whole = len(single) if len(single) <= most else most - 1
    groups = [*entries[several, None], *single[:whole, None], *([single[whole:]] if whole < len(single) else [])]
    return [_bundle(candidates, group, int(place[candidates.who[group[0]]])) for group in groups]


def _bundle(candidates: Candidates, entries: NDArray[np.int64], span: int) -> _Bundle:
    who = candidates.who[entries]
    return _Bundle(tuple(who.tolist()), float(candidates.cost[who].sum()), candidates.freed[entries].sum(axis=0), span)


def all_sets(count: int) -> NDArray[np.bool_]:
    """Return all sets of so many things, bool (2 ** count, count)."""
    sets: NDArray[np.bool_] = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1 == 1
    return sets


class _Search:
    """Which of the victims that span hosts to stop."""

    def __init__(
        self, hosts: Sequence[_Host], spanning: NDArray[np.int64], cost: NDArray[np.float64], missing: int
    ) -> None:
        self._hosts = sorted(hosts, key=lambda host: len(host.spans) > 0)
        self._spanning, self._cost, self._missing = spanning, cost, missing
        self._tied = [host for host in hosts if len(host.spans)]
        self._untied = self._nothing()
        for host in hosts:
            if not len(host.spans):
                self._untied = _joined(self._untied, host.table)

    def run(self, greedy: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the best choice, bool (m,): of all where they are few, else near the greedy one and near nobody."""
        if (1 << len(greedy)) * (self._missing + 1) <= MOST_TRIED:
            every = all_sets(len(greedy))
            best: NDArray[np.bool_] = every[int(self._prices(every).argmin())]
            return best
        starts = np.unique(np.stack([greedy, np.zeros_like(greedy)]), axis=0)
        found = [self._descended(start) for start in starts]
        return min(found, key=lambda pair: pair[0])[1]

    def victims(self, stopped: NDArray[np.bool_]) -> list[int] | None:
        """Return all victims of a choice, sorted; None when it does not meet the need."""
        costs = [host.table[host.masks(stopped[None])[0]] for host in self._hosts]
        stages = [self._nothing()]
        for cost in costs:
            stages.append(_joined(stages[-1], cost[None]))
        if not np.isfinite(stages[-1][0, self._missing]):
            return None
        left, chosen = self._missing, [int(who) for who in self._spanning[stopped]]
        for host, cost, before in zip(reversed(self._hosts), reversed(costs), reversed(stages[:-1]), strict=True):
            counts = np.arange(len(cost))
            units = int((before[0, np.maximum(left - counts, 0)] + cost).argmin())
            chosen += host.victims(int(host.masks(stopped[None])[0]), units)
            left = max(left - units, 0)
        return sorted(set(chosen))

    def _descended(self, start: NDArray[np.bool_]) -> tuple[float, NDArray[np.bool_]]:
        """Step to the cheapest neighbour until there is none that is cheaper."""
        here, price = start, float(self._prices(start[None])[0])
        for _ in range(MOST_ROUNDS if len(start) else 0):
            near = _neighbours(here)
            prices = self._prices(near)
            best = int(prices.argmin())
            if not prices[best] < price:
                break
            here, price = near[best], float(prices[best])
        return price, here

    def _prices(self, choices: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the least cost of B choices, float64 (B,)."""
        least = np.repeat(self._untied, len(choices), axis=0)
        for host in self._tied:
            least = _joined(least, host.table[host.masks(choices)])
        prices: NDArray[np.float64] = least[:, self._missing] + choices @ self._cost
        return prices

    def _nothing(self) -> NDArray[np.float64]:
        """Return the cost of 0, 1, ... units without any host, float64 (1, c + 1)."""
        least = np.full((1, self._missing + 1), np.inf)
        least[:, 0] = 0.0
        return least


def _joined(least: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least cost of 0, 1, ... units with one more host.

    Args:
        least: float64 (B, c + 1), without it.
        cost: float64 (B or 1, k + 1), of at least so many units on it; never falls.
    """
    joined = least + cost[:, :1]
    for units in range(1, min(cost.shape[1], least.shape[1])):
        np.minimum(joined[:, units:], least[:, :-units] + cost[:, units : units + 1], out=joined[:, units:])
    return joined


def _neighbours(here: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return all choices with one more, one fewer, or one exchanged, bool (B, m)."""
    flipped = here ^ np.eye(len(here), dtype=bool)
    inside, outside = np.flatnonzero(here), np.flatnonzero(~here)
    swaps = np.repeat(here[None], len(inside) * len(outside), axis=0)
    at = np.arange(len(swaps))
    swaps[at, np.repeat(inside, len(outside))] = False
    swaps[at, np.tile(outside, len(inside))] = True
    return np.concatenate([flipped, swaps])
