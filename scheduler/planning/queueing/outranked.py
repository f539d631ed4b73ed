"""Who was given room in this plan and would be stopped for a job that waits, as soon as that may have others stopped.

Turns by share of queues, or shortest first, let less important work go before more important work. Where importance
decides who is stopped, such a job would start only to be stopped: it leaves its place to the one that waits.
"""

from collections.abc import Sequence
from typing import Final

from scheduler.model.policy import HOUR_S
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.changes import Withdrawn
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.placing import hosts_for_gang

MOST_LEAVING: Final = 16
"""Those who are asked to leave for one job, the least important first."""
MOST_ATTEMPTS: Final = 8
"""Jobs for which that is tried in one plan: the first in queue order."""
Rank = tuple[int, str]
"""Priority and queue: what the site's rule for preemption can tell apart."""


class Outranked:
    """Those who start, or have room reserved since this plan, by who outranks them."""

    def __init__(self, draft: Draft) -> None:
        """Start with nobody asked."""
        self._draft = draft
        self._may: dict[tuple[Rank, Rank], bool] = {}
        self._by_rank: dict[Rank, list[TrainingJob]] = {}
        self._as_of = 0
        self._attempts = 0
        self._in_vain: set[tuple[Rank, int]] = set()

    def by(self, job: TrainingJob) -> list[TrainingJob]:
        """Return whom a waiting job outranks, the least important first, then the last; [] where it was in vain."""
        if self._attempts >= MOST_ATTEMPTS:
            return []
        placed = self._draft.placed
        if self._as_of != self._draft.placings:
            self._by_rank, self._in_vain, self._as_of = {}, set(), self._draft.placings
        rank = (job.priority, job.queue)
        if (rank, id(job.gang)) in self._in_vain:
            return []
        if rank not in self._by_rank:
            given = [self._draft.snapshot.by_id[job_id] for job_id in reversed(placed)]
            weaker = [other for other in given if self._outranks(job, other)]
            self._by_rank[rank] = sorted(weaker, key=lambda other: other.priority)
        return self._by_rank[rank]

    def leave_room_for(self, job: TrainingJob) -> bool:
        """Reserve for a job the places of as few as possible of those it outranks; say whether that is enough."""
        others = [other for other in self.by(job) if _is_of_use(other, job)][:MOST_LEAVING]
        if others and self._attempts < MOST_ATTEMPTS:
            self._attempts += 1
            if self._fits_without(job, others) and self._takes_place_of(job, others):
                return True
        self._in_vain.add(((job.priority, job.queue), id(job.gang)))
        self._as_of = self._draft.placings  # what was tried is undone
        return False

    def _fits_without(self, job: TrainingJob, others: list[TrainingJob]) -> bool:
        with self._draft.trial():
            for other in others:
                self._draft.withdraw(other)
            return self._rows(job) is not None

    def _takes_place_of(self, job: TrainingJob, others: list[TrainingJob]) -> bool:
        """Have the first of them leave until the job has room; those stay whose room it does not take after all."""
        draft = self._draft
        with draft.trial() as trial:
            left, rows = list[Withdrawn](), None
            for other in others:
                left.append(draft.withdraw(other))
                if (rows := self._rows(job)) is not None:
                    break
            if rows is None or (draft.quotas is not None and draft.quotas.refusal(job)):
                return False
            draft.reserve(job.job_id, rows, draft.bookings.coming_for(job))
            for one in reversed(left):
                draft.give_back(one)
            trial.keep()
            return True

    def _rows(self, job: TrainingJob) -> Sequence[int] | None:
        """Return the host rows on which a job has room in what is coming, None when it has too little."""
        return hosts_for_gang(self._draft.bookings.coming_for(job), job.gang, self._draft.scorer)

    def _outranks(self, job: TrainingJob, other: TrainingJob) -> bool:
        """Whether a waiting job would have one stopped that is given room in this plan, once that runs."""
        draft, ranks = self._draft, ((job.priority, job.queue), (other.priority, other.queue))
        if ranks not in self._may:
            self._may[ranks] = draft.policy.may_preempt(job, other)
        if not self._may[ranks] or not other.preemptible or other.job_id in draft.reservations.former:
            return False
        if any(other.job_id == preemption.holder for preemption in draft.preemptions):
            return False
        return not self._overtook(other, job.priority) and not self._is_guaranteed(job, other)

    def _overtook(self, other: TrainingJob, priority: int) -> bool:
        """Whether it waited for so long that it goes first: nobody has it stopped for that either."""
        policy = self._draft.policy
        waited_s = self._draft.snapshot.taken_at_s - other.submitted_at_s - other.ran_before_s
        gain = min(policy.ageing_per_hour * waited_s / HOUR_S, policy.ageing_most)
        return other.priority < priority <= other.priority + gain

    def _is_guaranteed(self, job: TrainingJob, other: TrainingJob) -> bool:
        quotas = self._draft.quotas
        return quotas is not None and other.queue != job.queue and quotas.is_guaranteed(other, self._slots(other))

    def _slots(self, other: TrainingJob) -> tuple[Slot, ...]:
        return self._draft.placed[other.job_id] or self._draft.reservations.of(other.job_id)


def _is_of_use(other: TrainingJob, job: TrainingJob) -> bool:
    """Whether what one has may be what another lacks: who has no devices leaves none."""
    return other.gang.shape.gpu_count > 0 or not job.gang.shape.gpu_count
