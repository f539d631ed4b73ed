"""Ageing: waiting raises a job's place in the queue, by a bounded gain; docs/decisions/0008 says why these numbers."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from scheduler.model.policy import HOUR_S
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob


@dataclass(frozen=True, slots=True)
class ByAgedPriority:
    """An order of the queue: by priority and what waiting adds to it; equals by submission, older first.

    The gain decides who is tried first. Whom a job may have stopped goes by priority alone, but for those whom the gain
    of the victim protects (`Policy.ageing_per_hour`): nobody is preempted by the age of another.

    Attributes:
        per_hour: points of priority for each hour of waiting.
        most: points that a job gains at most; it never overtakes one whose priority is higher by more.
    """

    per_hour: float
    most: float

    def __call__(self, snapshot: Snapshot, _placed: Collection[str] = ()) -> tuple[TrainingJob, ...]:
        """Return all waiting jobs in this order."""
        now_s, waiting = snapshot.taken_at_s, snapshot.waiting
        rank = [-job.priority - self.gain(job, now_s) for job in waiting]
        return tuple(waiting[index] for index in np.argsort(rank, kind="stable").tolist())

    def gain(self, job: TrainingJob, now_s: float) -> float:
        """Return what waiting adds to a job's priority, 0 to `most`; time in which it held room does not count."""
        waited_s = now_s - job.submitted_at_s - job.ran_before_s
        return max(0.0, min(self.most, self.per_hour * waited_s / HOUR_S))
