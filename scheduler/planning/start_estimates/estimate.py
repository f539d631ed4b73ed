"""From when on a waiting job may run, if what runs ends at given times and serving needs what is foreseen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.plan import StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobState, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.planner import Decided
from scheduler.planning.start_estimates.hours import Hours, Sitting, Tide, tides_of

MOST_AHEAD: Final = 12
"""Waiting jobs before one that are given room first; with more of them nothing is said."""


@dataclass(frozen=True, eq=False)
class StartEstimate:
    """A waiting job that has been given nothing yet, and who goes first.

    Attributes:
        draft: what the plan decided.
        job: the job.
        placed: who starts now or has room reserved, with its slots.
        ahead: waiting jobs that are tried before it.
        tides: how serving's room is expected to rise and fall.
    """

    draft: Draft
    job: TrainingJob
    placed: tuple[tuple[TrainingJob, tuple[Slot, ...]], ...]
    ahead: tuple[TrainingJob, ...]
    tides: tuple[Tide, ...]
    _first: dict[str, bool] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, decided: Decided, job: TrainingJob) -> "StartEstimate | None":
        """Return that of a job; None for who starts, has room reserved, may not by its queue, or has many before it."""
        draft = decided.draft
        placed = tuple(_placed(draft, decided.starts))
        gone = {one.job_id for one, _ in placed} | set(draft.quotas.refused if draft.quotas is not None else ())
        if job.job_id in gone:
            return None
        ahead = list[TrainingJob]()
        for other in draft.queue:
            if other.job_id == job.job_id:
                return cls(draft, job, placed, tuple(ahead), tides_of(decided))
            if other.job_id not in gone and other.not_before_s <= draft.snapshot.taken_at_s:
                ahead.append(other)
            if len(ahead) > MOST_AHEAD:
                break
        return None

    def start_s(self, ends_s: NDArray[np.float64], lengths_s: Mapping[str, float], *, high: bool = False) -> float:
        """Return when the job has room for its fewest workers, epoch seconds; infinity when that is never.

        Args:
            ends_s: float64 (J,), when each running job of the snapshot is over, all after now.
            lengths_s: how long each that is placed or waits ahead runs, by id; infinity where it is not known.
            high: whether serving needs as much as by the quantile of its forecast, not by the middle.
        """
        now_s = self.draft.snapshot.taken_at_s
        sitting = [Sitting(job, slots, now_s + lengths_s[job.job_id]) for job, slots in self.placed]
        hours = Hours(self.draft, self.tides, sitting, ends_s, high=high)
        return hours.start_s(self.job, self.ahead, lengths_s, self._goes_first)

    def _goes_first(self, victim: TrainingJob, at_s: float) -> bool:
        """Whether a job that is stopped at a moment would be tried before this one then."""
        if victim.job_id not in self._first:
            snapshot = self.draft.snapshot
            ran_s = at_s - (victim.started_at_s if victim.started_at_s is not None else snapshot.taken_at_s)
            again = replace(victim, state=JobState.PREEMPTED, slots=(), started_at_s=None)
            again = replace(again, ran_before_s=victim.ran_before_s + ran_s)
            then = replace(snapshot.otherwise({victim.job_id: again}), taken_at_s=at_s)
            queue = self.draft.policy.queue_order(then, set())
            both = {victim.job_id, self.job.job_id}
            self._first[victim.job_id] = next(job.job_id for job in queue if job.job_id in both) == victim.job_id
        return self._first[victim.job_id]


def _placed(draft: Draft, starts: tuple[StartJob, ...]) -> list[tuple[TrainingJob, tuple[Slot, ...]]]:
    jobs = draft.snapshot.by_id
    reserved = [(jobs[holder], slots) for holder, _, slots in draft.reservations.holders() if holder in jobs]
    return [*((jobs[start.job_id], start.slots) for start in starts), *reserved]
