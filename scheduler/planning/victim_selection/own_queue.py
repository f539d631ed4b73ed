"""Whom a job of a queue at its limit may have stopped, so that it fits on hosts and the queue stays below its limit.

Jobs of its own queue give up what is too much; elastic ones shrink where that is enough.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.model.entitlements import Row
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.accounts import excess_over
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import takes
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.reclaim import MOST_WEIGHED, candidates_for, may_all_go, of_queue, those_in


def victims_in_queue(job: TrainingJob, draft: Draft) -> tuple[Victim, ...]:
    """Return whom a job of a queue at its limit may have stopped to have room and stay below; () when nobody is enough.

    Jobs of its own queue come first, others only where these make no room; nobody when room is reserved for the job
    already. Two ways are compared: those that make room at least cost and whoever is lacking below the limit, or the
    other way about; each without elastic jobs, then with them, who go on with as many workers as may stay.
    """
    quotas = draft.quotas
    if quotas is None or draft.reservations.of(job.job_id) or not any(excess := quotas.excess(job)):
        return ()
    search = _Search(job, draft, quotas, excess)
    found = [search.needed(ways) for may_stop in search.parts() for ways in search.ways(may_stop)]
    fitting = [victims for victims in found if victims and may_all_go(job, draft, victims)]
    return min(fitting, key=lambda victims: sum(victim.cost for victim in victims), default=())


@dataclass(frozen=True, eq=False)
class _Search:
    """A search for those who make way in a queue.

    Attributes:
        job: who waits.
        draft: what was decided so far.
        quotas: the draft's.
        excess: by how much the queue would be above its limit with the job.
    """

    job: TrainingJob
    draft: Draft
    quotas: Quotas
    excess: Row

    @property
    def candidates(self) -> Candidates:
        """All who may still be stopped."""
        return self.draft.stoppable.candidates

    def parts(self) -> list[NDArray[np.bool_]]:
        """Return which victims, bool (V,), are looked at: firm ones, then all where some are elastic."""
        jobs = [self.candidates.running.jobs[row] for row in self.candidates.order.tolist()]
        firm = np.array([not one.gang.is_elastic for one in jobs], dtype=bool)
        return [firm] if firm.all() else [firm, np.ones(len(firm), dtype=bool)]

    def ways(self, may_stop: NDArray[np.bool_]) -> Iterator[list[Victim]]:
        """Yield sets of victims that are enough below the limit: the first that are, then with those that make room."""
        candidates, by_rule = self.candidates, self.draft.stoppable.for_job(self.job)
        own = np.flatnonzero(those_in(by_rule) & of_queue(self.job.queue, candidates) & may_stop)
        if below := self._below_limit(own[:MOST_WEIGHED], self.excess):
            yield list(below)
        found = False
        for stoppable in (by_rule.only(np.isin(by_rule.who, own)), *candidates_for(self.job, self.draft, by_rule)):
            for victims in self._making_room(stoppable.only(may_stop[stoppable.who])):
                chosen = {victim.index for victim in victims}
                left = self._left_of(self.excess, sorted(chosen & set(own.tolist())))
                rest = [index for index in own[:MOST_WEIGHED].tolist() if index not in chosen]
                more = self._below_limit(np.array(rest, dtype=np.int64), left)
                if more is not None:
                    found = True
                    yield [*more, *victims]
            if found:
                return

    def needed(self, victims: Sequence[Victim]) -> tuple[Victim, ...]:
        """Return those of victims without whom it would not do, elastic ones as far as they must shrink; () if none."""
        kept = sorted(victims, key=lambda victim: victim.index)
        if not self._would_do(kept):
            return ()
        for victim in reversed(kept):
            fewer = [other for other in kept if other.index != victim.index]
            kept = fewer if self._would_do(fewer) else kept
        for victim in kept:
            kept = [self._shrunk(victim, kept) if other is victim else other for other in kept]
        return tuple(kept)

    def _shrunk(self, victim: Victim, victims: Sequence[Victim]) -> Victim:
        """Return a victim with as many of its workers as may stay while all else of the victims go."""
        others, gang = [other for other in victims if other is not victim], victim.job.gang
        keeps: list[Slot] = []
        for slot in victim.job.slots if gang.is_elastic else ():
            if self._would_do([*others, replace(victim, keeps=(*keeps, slot))]):
                keeps.append(slot)
        if len(keeps) < gang.workers or not gang.is_elastic:
            return victim
        return replace(victim, keeps=tuple(keeps), cost=min(victim.cost, self._restart_cost(victim)))

    def _restart_cost(self, victim: Victim) -> float:
        running, row = self.candidates.running, int(self.candidates.order[victim.index])
        return float(running.lost_s(self.draft.snapshot.taken_at_s)[row] * running.gpus[row])

    def _would_do(self, victims: Sequence[Victim]) -> bool:
        """Whether the job has room and its queue stays below its limit when these are gone, or are as small as told."""
        room = CachedTrial(self.draft.room.coming)
        for victim in victims:
            freed = [slot for slot in victim.freed if slot.host in room.table.rows]
            room.give_all(freed, victim.job.gang.shape)
        left, terms = self.excess, self.quotas.entitlements
        for victim in victims:
            if victim.job.queue == self.job.queue:
                left = excess_over(left, terms.held_at(victim.job.gang, victim.freed))
        return not any(left) and takes(room, self.job.gang)

    def _making_room(self, candidates: Candidates) -> Iterator[tuple[Victim, ...]]:
        coming = self.draft.room.coming
        for need in needs_of(self.job.gang, coming, candidates):
            victims = victims_for(need, coming, candidates)
            if victims is not None:
                yield victims

    def _below_limit(self, places: NDArray[np.int64], excess: Row) -> tuple[Victim, ...] | None:
        """Return the first of some jobs that bring their queue below its limit; None when all are too few."""
        left, victims = excess, list[Victim]()
        for index in places.tolist():
            if not any(left):
                break
            after = self._left_of(left, [index])
            if after != left:
                victims.append(self.candidates.victim(index))
            left = after
        return None if any(left) else tuple(victims)

    def _left_of(self, excess: Row, indices: Sequence[int]) -> Row:
        """Return by how much a queue is still above its limit when some of its jobs are gone."""
        gone = self.quotas.amounts[self.candidates.order[list(indices)]]
        return excess_over(excess, gone.sum(axis=0).tolist()) if len(indices) else excess
