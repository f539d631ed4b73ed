"""Other ways of choosing victims, for comparison. Each spares in the end whoever was not needed, as ours does."""

from collections.abc import Sequence

import numpy as np

from benchmarks.preemption.cases import Case
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.preemption.candidates import Victim
from scheduler.planning.preemption.victims import spared


def newest_first(case: Case) -> tuple[int, ...]:
    """Stop whoever started last, wherever that is, until there is room; those not needed are spared, oldest first."""
    candidates = case.candidates
    most = case.need.fitting(candidates.units_if_all_stopped(case.coming, case.need.shape))
    useful = candidates.only((most > case.need.fitting(case.coming.units(case.need.shape)))[candidates.row])
    there = np.unique(useful.who)
    order = there[np.lexsort((there, -candidates.running.started_s[candidates.order[there]]))].tolist()
    trial, chosen = CachedTrial(case.coming), list[int]()
    while not case.need.is_met_by(trial.units(case.need.shape)):
        chosen.append(order[len(chosen)])
        _give(trial, candidates.victim(chosen[-1]))
    return _kept(case, trial, chosen)


def lyra(case: Case) -> tuple[int, ...]:
    """Empty host after host, each time the one that costs least (Li et al., Lyra, EuroSys 2023: reclaiming servers).

    A host costs what its jobs cost, each job shared evenly among the hosts it is on, so that a job on few hosts
    weighs more on each; where a job is stopped its other hosts become cheaper for the next choice. Lyra counts jobs;
    here each counts at its GPU-seconds lost. Only hosts that win units by it are looked at.
    """
    candidates, need = case.candidates, case.need
    share = candidates.cost / np.maximum(np.bincount(candidates.who, minlength=len(candidates.cost)), 1)
    most = need.fitting(candidates.units_if_all_stopped(case.coming, need.shape))
    trial, left, chosen = CachedTrial(case.coming), candidates, list[int]()
    while not need.is_met_by(trial.units(need.shape)):
        gain = most - need.fitting(trial.units(need.shape))
        price = np.bincount(left.row, share[left.who], minlength=len(gain))
        row = int(np.where(gain > 0, price, np.inf).argmin())
        emptied = np.unique(left.who[left.row == row]).tolist()
        for who in emptied:
            _give(trial, candidates.victim(who))
        chosen += emptied
        left = left.without(emptied)
    return _kept(case, trial, sorted(chosen))


def _kept(case: Case, trial: CachedTrial, chosen: Sequence[int]) -> tuple[int, ...]:
    kept = spared(case.need, trial, [case.candidates.victim(who) for who in chosen])
    return tuple(victim.index for victim in kept)


def _give(trial: CachedTrial, victim: Victim) -> None:
    trial.give_all(victim.job.slots, victim.job.gang.shape)
