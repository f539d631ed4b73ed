"""Whose running jobs may be stopped for a job of another queue, or of its own when that is at its limit.

Between queues: a queue may have room back up to its guarantee, whatever the priorities; beyond guarantees the site's
rule for preemption decides. Either way others give only what they hold above their own guarantee: sets of victims are
cut so that all of them together leave each queue its guarantee, and so does any part of the set.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.entitlements import GPU, protected
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft import Draft
from scheduler.planning.quotas import Quotas
from scheduler.planning.roster import Roster, Victim

MOST_WEIGHED: Final = 512
"""Jobs of one queue that are weighed against its surplus, the first in the order tried."""


def rosters_for(job: TrainingJob, draft: Draft, by_rule: Roster) -> Iterator[Roster]:
    """Yield whom a waiting job may have stopped, the cheapest that others can spare; then those on the same hosts.

    Args:
        job: a waiting job.
        draft: what was decided so far.
        by_rule: whom the site's rules let be stopped for it.
    """
    if draft.quotas is None:
        yield by_rule
        return
    for by_host in (False, True):
        key = (id(by_rule), job.queue, draft.quotas.is_owed(job), by_host)
        if key not in draft.spared:
            draft.spared[key] = (by_rule, _spared(job, draft, draft.quotas, by_rule, by_host=by_host))
        yield draft.spared[key][1]


def _spared(job: TrainingJob, draft: Draft, quotas: Quotas, by_rule: Roster, *, by_host: bool) -> Roster:
    """Return those who may be stopped for a job and whom their queues can spare all together."""
    roster = draft.roster
    allowed, own = _those_in(by_rule), _of_queue(job.queue, roster)
    mine, others = own & allowed, ~own & (_old_enough(draft, roster) if quotas.is_owed(job) else allowed)
    order = roster.by_host if by_host else roster.there
    return roster.only((mine | _above_guarantees(roster, quotas, order[others[order]]))[roster.who])


def victims_in_queue(job: TrainingJob, draft: Draft) -> tuple[Victim, ...]:
    """Return jobs of a queue at its limit that one of its own may have stopped to stay below; () when all are too few.

    The first in the order of stopping are taken, but none that would go on with fewer workers at once; nobody when room
    was promised to the job before.
    """
    quotas = draft.quotas
    if quotas is None or draft.promises.of(job.job_id) or not any(left := quotas.excess(job)):
        return ()
    roster, victims = draft.roster, list[Victim]()
    candidates = _those_in(draft.stoppable_for(job)) & _of_queue(job.queue, roster)
    for index in np.flatnonzero(candidates)[:MOST_WEIGHED].tolist():
        amounts, victim = quotas.amounts[roster.order[index]].tolist(), roster.victim(index)
        if not victim.job.gang.is_elastic and any(amount and rest for amount, rest in zip(amounts, left, strict=True)):
            victims.append(victim)
            left = tuple(max(0, rest - amount) for rest, amount in zip(left, amounts, strict=True))
        if not any(left):
            return tuple(victims)
    return ()


def _those_in(part: Roster) -> NDArray[np.bool_]:
    """Return which victims a part of a roster has entries of, bool (V,)."""
    there = np.zeros(len(part.order), dtype=bool)
    there[part.who] = True
    return there


def _of_queue(name: str, roster: Roster) -> NDArray[np.bool_]:
    """Return which victims are of a queue, bool (V,)."""
    its: NDArray[np.bool_] = roster.queue == roster.running.queue_names.get(name, -1)
    return its


def _old_enough(draft: Draft, roster: Roster) -> NDArray[np.bool_]:
    ran_s = draft.snapshot.taken_at_s - roster.running.started_s[roster.order]
    old_enough: NDArray[np.bool_] = ran_s >= draft.policy.min_runtime_s
    return old_enough


def _above_guarantees(roster: Roster, quotas: Quotas, candidates: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return those candidates, bool (V,), that can go all together with every queue keeping its guarantee."""
    chosen = np.zeros(len(roster.order), dtype=bool)
    queue = roster.queue[candidates]
    for name, number in sorted(roster.running.queue_names.items()):
        its = candidates[queue == number]
        if quotas.entitlements[name].queue.guarantee.names_any:
            its = np.array(_fitting(its, roster, quotas, name), dtype=np.int64)
        chosen[its] = True
    return chosen


def _fitting(candidates: NDArray[np.int64], roster: Roster, quotas: Quotas, name: str) -> list[int]:
    """Return candidates of a queue, one after the other, whose protected amounts fit into its surplus together."""
    left, kept, named = list(quotas.surplus(name)), list[int](), quotas.entitlements[name].named
    amounts_of = quotas.amounts[roster.order[candidates[:MOST_WEIGHED]]].tolist()
    columns: dict[bool, list[int]] = {}
    for index, amounts in zip(candidates.tolist(), amounts_of, strict=False):
        uses_devices = amounts[GPU] > 0
        if uses_devices not in columns:
            columns[uses_devices] = [c for c, counts in enumerate(protected(named, amounts)) if counts]
        if all(amounts[column] <= left[column] for column in columns[uses_devices]):
            left = [rest - amount for rest, amount in zip(left, amounts, strict=True)]
            kept.append(index)
    return kept
