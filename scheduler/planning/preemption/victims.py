"""Whom to stop when something more important finds no room: those who cost least, and nobody in vain.

A victim's room is not free at once. It is only counted as coming, and reserved for whom it is freed.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.model.errors import InvariantBroken
from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.workloads import TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.preemption.candidates import Candidates, Victim, units_with
from scheduler.planning.preemption.exchange import exchanged

_Number = TypeVar("_Number", np.int64, np.float64)

FEWEST_HOSTS = 24
"""Hosts with victims that are all looked at; of more, those where units seem cheapest."""
LOOKED_AT_CLOSELY = 8
"""Hosts whose cheapest victims are worked out exactly; the estimate that ranks them is exact or a little too high."""


def stop_order(job: TrainingJob, cause: Cause, now_s: float, beneficiary: str = "") -> PreemptJob:
    """Return the action that stops a job's present attempt."""
    return PreemptJob(job.job_id, job.attempt, job.grace_period_s, cause, beneficiary, job.lost_gpu_s(now_s))


def victims_for(need: Need, coming: CachedTrial, candidates: Candidates) -> tuple[Victim, ...] | None:
    """Choose whom to stop so that `need` is met by what is coming; None when stopping everybody is not enough.

    Units are won one by one, each on the host where it costs least; then sets are exchanged for cheaper ones (see
    `scheduler.planning.preemption.exchange`), and everyone whose room is not needed after all is spared, the most
    costly first.
    The result is minimal: without any one of them it falls short.

    Args:
        need: what found no room.
        coming: room that is free or being freed, reservations taken off.
        candidates: who may be stopped.
    """
    most = need.fitting(candidates.units_if_all_stopped(coming, need.shape))
    if most.sum() < need.count:
        return None
    if need.is_met_by(coming.units(need.shape)):
        return ()
    useful = _shortlisted(
        need, coming, candidates.only((most > need.fitting(coming.units(need.shape)))[candidates.row])
    )
    chosen = exchanged(need, coming, useful, _greedy(need, coming, useful))
    trial = CachedTrial(coming)
    for index in chosen:
        job = candidates.victim(index).job
        trial.give_all(job.slots, job.gang.shape)
    return tuple(spared(need, trial, [candidates.victim(index) for index in chosen]))


def _shortlisted(need: Need, coming: CachedTrial, candidates: Candidates) -> Candidates:
    """Return the candidates with the hosts only where units seem cheapest: hosts enough for twice the need.

    A host's price is the least cost of a unit won there, by one victim or by the cheapest few; who has workers on
    several hosts costs each of them a share.
    """
    first = np.flatnonzero(np.diff(candidates.row, prepend=-1))
    if len(first) <= FEWEST_HOSTS:
        return candidates
    begins = np.repeat(first, np.diff(first, append=len(candidates.row)))
    cost = (candidates.cost / np.maximum(np.bincount(candidates.who, minlength=len(candidates.cost)), 1))[
        candidates.who
    ]
    before = need.fitting(coming.units(need.shape))[candidates.row]
    alone = _fitting(need, coming, candidates.row, candidates.freed) - before
    together = _fitting(need, coming, candidates.row, _running_sum(candidates.freed, begins)) - before
    price = np.minimum(_per_unit(cost, alone), _per_unit(_running_sum(cost, begins), together))
    cheapest = np.argsort(np.minimum.reduceat(price, first), kind="stable")
    last = np.append(first[1:], len(candidates.row)) - 1
    enough = int(np.searchsorted(np.cumsum(together[last][cheapest]), 2 * need.count)) + 1
    kept = np.zeros(len(coming.cpu_milli), dtype=bool)
    kept[candidates.row[first[cheapest[: max(enough, FEWEST_HOSTS)]]]] = True
    return candidates.only(kept[candidates.row])


def _per_unit(cost: NDArray[np.float64], units: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(units > 0, cost / np.maximum(units, 1), np.inf)


def _greedy(need: Need, coming: CachedTrial, candidates: Candidates) -> list[int]:
    """Win units one by one, each on the host where it costs least, and return whom that stops."""
    trial, left, chosen = CachedTrial(coming), candidates, list[int]()
    while not need.is_met_by(trial.units(need.shape)):
        cheapest = _cheapest(need, trial, left)
        for index in cheapest:
            job = candidates.victim(index).job
            trial.give_all(job.slots, job.gang.shape)
        chosen += cheapest
        left = left.without(cheapest)
    return sorted(chosen)


def spared(need: Need, trial: CachedTrial, chosen: list[Victim]) -> list[Victim]:
    """Put back everyone whose room is not needed, the most costly first, and return the others."""
    kept = []
    for victim in reversed(chosen):
        slots = [slot for slot in victim.job.slots if slot.host in trial.table.rows]
        trial.take_all(slots, victim.job.gang.shape)
        if not need.is_met_by(trial.units(need.shape)):
            trial.give_all(slots, victim.job.gang.shape)
            kept.append(victim)
    return kept[::-1]


def _cheapest(need: Need, trial: CachedTrial, candidates: Candidates) -> list[int]:
    """Return the victims, all on one host, that win one more unit at the least cost."""
    sets = [_trimmed(need, trial, candidates, entries) for entries in _candidates(need, trial, candidates)]
    if not sets:
        raise InvariantBroken(f"stopping everybody makes room for {need}, but stopping some does not")
    return min(sets, key=lambda indices: (candidates.cost[indices].sum(), len(indices), indices))


def _candidates(need: Need, trial: CachedTrial, candidates: Candidates) -> list[NDArray[np.int64]]:
    """Return sets of entries that each win a unit: one that is enough alone, or the cheapest few on its host together.

    All hosts are looked at in one go; the sets that seem cheapest are returned.
    """
    row, freed, cost = candidates.row, candidates.freed, candidates.cost[candidates.who]
    first = np.flatnonzero(np.diff(row, prepend=-1))
    begins = np.repeat(first, np.diff(first, append=len(row)))
    before = need.fitting(trial.units(need.shape))[row]
    alone = _wins(need, trial, row, freed, before)
    together = _wins(need, trial, row, _running_sum(freed, begins), before)
    price = np.concatenate([np.where(alone, cost, np.inf), np.where(together, _running_sum(cost, begins), np.inf)])
    size = len(row)
    return [
        np.arange(begins[at - size], at - size + 1) if at >= size else np.array([at])
        for at in _lowest(price, np.tile(candidates.who, 2), LOOKED_AT_CLOSELY)
    ]


def _lowest(price: NDArray[np.float64], tie: NDArray[np.int64], most: int) -> list[int]:
    """Return the indices of the lowest prices that are finite, at most so many; ties go to the lower `tie`."""
    bound = np.partition(price, most - 1)[most - 1] if len(price) > most else np.inf
    near = np.flatnonzero((price <= bound) & np.isfinite(price))
    order: list[int] = near[np.lexsort((tie[near], price[near]))][:most].tolist()
    return order


def _running_sum(values: NDArray[_Number], begins: NDArray[np.int64]) -> NDArray[_Number]:
    """Return sums along the first axis that start anew at each host; `begins` is where each entry's host begins."""
    total = np.cumsum(values, axis=0, dtype=values.dtype)
    sums: NDArray[_Number] = total - (total[begins] - values[begins])
    return sums


def _wins(
    need: Need, trial: CachedTrial, row: NDArray[np.int64], freed: NDArray[np.int64], before: NDArray[np.int64]
) -> NDArray[np.bool_]:
    return _fitting(need, trial, row, freed) > before


def _fitting(need: Need, trial: CachedTrial, row: NDArray[np.int64], freed: NDArray[np.int64]) -> NDArray[np.int64]:
    return need.fitting_at(row, units_with(trial, need.shape, row, freed))


def _trimmed(need: Need, trial: CachedTrial, candidates: Candidates, entries: NDArray[np.int64]) -> list[int]:
    """Return the victims of a sufficient set of entries without those not needed, the most costly dropped first."""
    row = candidates.row[entries[:1]]
    before = need.fitting_at(row, trial.units(need.shape)[row])
    kept = entries
    for entry in entries[::-1] if len(entries) > 1 else ():
        fewer = kept[kept != entry]
        if len(fewer) and _wins(need, trial, row, candidates.freed[fewer].sum(axis=0)[None], before)[0]:
            kept = fewer
    return [int(who) for who in candidates.who[kept]]
