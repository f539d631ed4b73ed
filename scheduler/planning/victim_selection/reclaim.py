"""Whose running jobs may be stopped for a job of another queue.

Between queues: a queue may have room back up to its guarantee, whatever the priorities; beyond guarantees the site's
rule for preemption decides. Either way others give only what they hold above their own guarantee: sets of victims are
cut so that all of them together leave each queue its guarantee, and so does any part of the set.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.entitlements import GPU, protected
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.topology import most_together
from scheduler.planning.preemption.candidates import Candidates, Victim

MOST_WEIGHED: Final = 512
"""Jobs of one queue that are weighed against its surplus, the first in the order tried."""


class Cut(Enum):
    """Which of those that queues can spare one by one are looked at; all together only the cuts can be spared."""

    NONE = 0
    BY_COST = 1
    BY_HOST = 2
    """Host by host, those first on which most could be freed."""
    BY_USE = 3
    """Host by host, those first on which most of the job's workers would fit."""


def candidates_for(job: TrainingJob, draft: Draft, by_rule: Candidates) -> Iterator[Candidates]:
    """Yield whom a waiting job may have stopped: all that others can spare one by one, then ever other cuts of these.

    What is chosen of the first is to be tested with `may_all_go`. Where all of them would not be enough, no cut is.

    Args:
        job: a waiting job.
        draft: what was decided so far.
        by_rule: whom the site's rules let be stopped for it.
    """
    if draft.quotas is None:
        yield by_rule
        return
    for cut in Cut:
        shape = job.gang.shape if cut is Cut.BY_USE else None
        key = (id(by_rule), job.queue, draft.quotas.is_owed(job), cut.value, shape)
        if key not in draft.spared:
            draft.spared[key] = (by_rule, _spared(job, draft, draft.quotas, by_rule, cut))
        candidates = draft.spared[key][1]
        yield candidates
        if cut is Cut.NONE and not _is_enough(job.gang, draft, candidates):
            return


def may_all_go(job: TrainingJob, draft: Draft, victims: Sequence[Victim]) -> bool:
    """Whether other queues can spare these jobs all together."""
    if draft.quotas is None:
        return True
    indices = np.array([victim.index for victim in victims if victim.job.queue != job.queue], dtype=np.int64)
    return bool(_above_guarantees(draft.stoppable.candidates, draft.quotas, indices)[indices].all())


def _is_enough(gang: Gang, draft: Draft, candidates: Candidates) -> bool:
    coming = draft.room.coming
    units = capped(candidates.units_if_all_stopped(coming, gang.shape), limit_of(gang), gang.workers)
    return most_together(gang, units, coming.table) >= gang.workers


def _spared(job: TrainingJob, draft: Draft, quotas: Quotas, by_rule: Candidates, cut: Cut) -> Candidates:
    """Return those who may be stopped for a job and whom their queues can spare, all together where they are cut."""
    candidates = draft.stoppable.candidates
    allowed, own = those_in(by_rule), of_queue(job.queue, candidates)
    mine, others = own & allowed, ~own & (_old_enough(draft, candidates) if quotas.is_owed(job) else allowed)
    if cut is Cut.NONE:
        spared = others & _above_guarantees(candidates, quotas, np.flatnonzero(others), one_by_one=True)
    else:
        order = _ordered(job, draft, candidates, cut)
        spared = _above_guarantees(candidates, quotas, order[others[order]])
    return candidates.only((mine | spared)[candidates.who])


def _ordered(job: TrainingJob, draft: Draft, candidates: Candidates, cut: Cut) -> NDArray[np.int64]:
    """Return the victims that have entries, in the order in which a cut takes them."""
    if cut is not Cut.BY_USE:
        return candidates.by_host if cut is Cut.BY_HOST else candidates.there
    units = candidates.units_if_all_stopped(draft.room.coming, job.gang.shape)
    useful = candidates.only(units[candidates.row] > 0)
    host = np.zeros(len(candidates.order), dtype=np.int64)
    host[useful.who[::-1]] = useful.row[::-1]
    there = useful.there
    return there[np.lexsort((there, host[there], -units[host[there]]))]


def those_in(part: Candidates) -> NDArray[np.bool_]:
    """Return which victims a part of a candidates has entries of, bool (V,)."""
    there = np.zeros(len(part.order), dtype=bool)
    there[part.who] = True
    return there


def of_queue(name: str, candidates: Candidates) -> NDArray[np.bool_]:
    """Return which victims are of a queue, bool (V,)."""
    its: NDArray[np.bool_] = candidates.queue == candidates.running.queue_names.get(name, -1)
    return its


def _old_enough(draft: Draft, candidates: Candidates) -> NDArray[np.bool_]:
    ran_s = draft.snapshot.taken_at_s - candidates.running.started_s[candidates.order]
    old_enough: NDArray[np.bool_] = ran_s >= draft.policy.min_runtime_s
    return old_enough


def _above_guarantees(
    candidates: Candidates, quotas: Quotas, places: NDArray[np.int64], *, one_by_one: bool = False
) -> NDArray[np.bool_]:
    """Return those places, bool (V,), that can go all together, or one by one, with every guarantee kept."""
    chosen = np.zeros(len(candidates.order), dtype=bool)
    queue = candidates.queue[places]
    for name, number in sorted(candidates.running.queue_names.items()):
        its = places[queue == number]
        if quotas.entitlements[name].queue.guarantee.names_any:
            its = np.array(_fitting(its, candidates, quotas, name, one_by_one=one_by_one), dtype=np.int64)
        chosen[its] = True
    return chosen


def _fitting(
    places: NDArray[np.int64], candidates: Candidates, quotas: Quotas, name: str, *, one_by_one: bool
) -> list[int]:
    """Return places of a queue whose protected amounts fit into its surplus, one after the other or each alone."""
    left, kept, named = list(quotas.surplus(name)), list[int](), quotas.entitlements[name].named
    amounts_of = quotas.amounts[candidates.order[places[:MOST_WEIGHED]]].tolist()
    columns: dict[bool, list[int]] = {}
    for index, amounts in zip(places.tolist(), amounts_of, strict=False):
        uses_devices = amounts[GPU] > 0
        if uses_devices not in columns:
            columns[uses_devices] = [c for c, counts in enumerate(protected(named, amounts)) if counts]
        if all(amounts[column] <= left[column] for column in columns[uses_devices]):
            left = left if one_by_one else [rest - amount for rest, amount in zip(left, amounts, strict=True)]
            kept.append(index)
    return kept
