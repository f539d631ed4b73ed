"""Victims weighed by what follows: the cheapest to stop may have others stopped in turn, or leave devices idle."""

from collections.abc import Iterator
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.need import Need
from scheduler.planning.preemption.candidates import Candidates, Victim, units_with
from scheduler.planning.preemption.exchange import all_sets
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.aftermath import loss_gpu_s
from scheduler.planning.victim_selection.foreseen import Foreseen

MOST_WEIGHED: Final = 4
"""Needs of one plan for which sets are weighed, the first; half as many on large sites."""
MOST_LEFT_OUT: Final = 3
"""Members of the best set without whom others are looked for."""
MOST_SETS: Final = 24
"""Sets that are weighed for one need."""
FEW_VICTIMS: Final = 12
"""Victims of whom all sets are looked at, those first that cost and free least."""
MOST_ENTRIES: Final = 128
"""Workers that run on hosts, by job and host, up to which it is played through what follows: on a large site one such
play costs milliseconds, however few may be stopped."""

Victims = tuple[Victim, ...]


def weighed(need: Need, draft: Draft, candidates: Candidates, cheapest: Victims, holder: str) -> Victims:
    """Return whom to stop so that least is lost with all that follows; of equals, the cheapest.

    Args:
        need: what found no room.
        draft: what was decided so far.
        candidates: who may be stopped.
        cheapest: those whose stop costs least, whatever follows.
        holder: job id or model name for which they are stopped.
    """
    is_small = len(draft.snapshot.running.row) <= MOST_ENTRIES
    if not cheapest or draft.weighed >= MOST_WEIGHED or not (is_small or _leads_on(cheapest, need, draft)):
        return cheapest
    draft.weighed += 1 if is_small else MOST_WEIGHED // 2
    return _Search(need, draft, candidates, holder).run(cheapest)


def _leads_on(victims: Victims, need: Need, draft: Draft) -> bool:
    """Whether a victim may have somebody stopped in turn, or more devices become free than are needed."""
    running, candidates = draft.snapshot.running, draft.stoppable.candidates
    lowest = int(running.priority[candidates.order[candidates.there]].min())
    if any(victim.job.priority > lowest and not victim.keeps for victim in victims):
        return True
    coming = draft.room.coming
    rows = sorted({coming.row(slot.host) for victim in victims for slot in victim.freed})
    there = float(np.maximum(coming.gpu_milli[rows], 0).sum())
    freed = sum(len(victim.freed) * victim.job.gang.shape.total_gpu_milli for victim in victims)
    return freed + there > need.count * need.shape.total_gpu_milli


class _Search:
    """The search for the set that loses least."""

    def __init__(self, need: Need, draft: Draft, candidates: Candidates, holder: str) -> None:
        self._need, self._coming, self._full = need, draft.room.coming, candidates
        self._foreseen = Foreseen(need, draft, holder)
        self._losses: dict[tuple[tuple[int, int], ...], float] = {}
        self._running, self._there = candidates.running, candidates.order[candidates.there]
        self._place = np.full(len(candidates.running.jobs), -1)
        self._place[candidates.order] = np.arange(len(candidates.order))

    def run(self, cheapest: Victims) -> Victims:
        """Return the best of the cheapest and of all sets; of some sets near it where there are many."""
        if len(self._running.row) > MOST_ENTRIES:
            return self._of_many(cheapest)
        if len(self._there) <= FEW_VICTIMS:
            return self._best(cheapest, self._every())
        best = self._best(cheapest, self._first())
        return self._best(best, self._near(best))

    def _of_many(self, cheapest: Victims) -> Victims:
        """Return the cheapest or the least important: who outranks those is taken to have them stopped in turn."""
        least = next(self._least_important(), None)
        if least is None:
            return cheapest
        outranks = max(v.job.priority for v in cheapest) > max(v.job.priority for v in least)
        follows = sum(victim.cost for victim in least) if outranks else 0.0
        return least if self._price(least) < self._price(cheapest) + follows else cheapest

    def _price(self, victims: Victims) -> float:
        """Return what stopping them costs, and their devices for as long as their room is needed."""
        freed = sum(victim.job.gang_now.gpus for victim in victims if not victim.keeps)
        return sum(victim.cost for victim in victims) + self._foreseen.stays_s * freed

    def _best(self, best: Victims, sets: Iterator[Victims]) -> Victims:
        for each in sets:
            if len(self._losses) >= MOST_SETS:
                break
            if self._loss(each, self._loss(best)) < self._loss(best):
                best = each
        return best

    def _loss(self, victims: Victims, bound: float = inf) -> float:
        """Return what is lost with all that follows; infinity, perhaps, when that is more than the bound."""
        key = tuple((victim.index, len(victim.keeps)) for victim in victims)
        if key not in self._losses:
            self._losses[key] = loss_gpu_s(self._foreseen, victims, bound)
        return self._losses[key]

    def _every(self) -> Iterator[Victims]:
        """Yield all sets that are enough and of whom none could be left out, those first that cost and free least."""
        who, candidates, need = self._full.there, self._full, self._need
        rows, row = np.unique(candidates.row, return_inverse=True)
        freed = np.zeros((len(who), len(rows), candidates.freed.shape[1]), dtype=np.int64)
        freed[np.searchsorted(who, candidates.who), row] = candidates.freed
        sets = all_sets(len(who))
        on_host = np.tensordot(sets.astype(np.int64), freed, axes=1).reshape(-1, freed.shape[2])
        hosts = np.tile(rows, len(sets))
        units = need.fitting_at(hosts, units_with(self._coming, need.shape, hosts, on_host)).reshape(len(sets), -1)
        elsewhere = need.fitting(self._coming.units(need.shape))
        enough = units.sum(axis=1) + elsewhere.sum() - elsewhere[rows].sum() >= need.count
        number = np.arange(len(sets))
        spare = np.stack([sets[:, bit] & enough[number ^ (1 << bit)] for bit in range(len(who))], axis=1)
        found = np.flatnonzero(enough & ~spare.any(axis=1))
        price = self._foreseen.costs[self._there]
        for chosen in sets[found[np.argsort(sets[found] @ price, kind="stable")]]:
            yield tuple(candidates.victim(int(index)) for index in who[chosen])

    def _least_important(self) -> Iterator[Victims]:
        """Yield who frees least, and who costs least, of the lowest priorities that are enough."""
        everybody = self._running.priority[self._there]
        for least in np.unique(everybody).tolist():
            low = self._there[everybody <= least]
            if found := self._found(low, self._foreseen.stays_s):
                yield found
                yield from filter(None, [self._found(low, 0.0)])
                return

    def _first(self) -> Iterator[Victims]:
        yield from self._least_important()
        yield from filter(None, [self._found(self._there, self._foreseen.stays_s)])

    def _near(self, best: Victims) -> Iterator[Victims]:
        for without in (best, *((victim,) for victim in best[:MOST_LEFT_OUT])):
            others = np.setdiff1d(self._there, self._full.order[[victim.index for victim in without]])
            yield from filter(None, (self._found(others, held_s) for held_s in (self._foreseen.stays_s, 0.0)))

    def _found(self, rows: NDArray[np.int64], held_s: float) -> Victims | None:
        """Return the cheapest of some running jobs, where whatever is freed costs so many seconds of it, too."""
        there = np.zeros(len(self._running.jobs), dtype=bool)
        there[rows] = True
        cost = np.zeros(len(there))
        cost[self._full.order] = self._full.cost
        candidates = Candidates.of(self._running, there, cost + held_s * self._running.gpus)
        found = victims_for(self._need, self._coming, candidates)
        if not found:
            return None
        return tuple(self._full.victim(int(self._place[candidates.order[victim.index]])) for victim in found)
