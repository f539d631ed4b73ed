"""Ageing: waiting raises a job's place in the queue, by a bounded gain; docs/decisions/0008 says why these numbers."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.policy import HOUR_S
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob


@dataclass(frozen=True, slots=True)
class ByAgedPriority:
    """An order of the queue: by priority and what waiting adds to it; equals by submission, older first.

    Time in which a job held room adds nothing. The gain decides who is tried first. Whom a job may have stopped goes by
    priority alone, but for those whom the gain of the victim protects (`Policy.ageing_per_hour`): nobody is preempted
    by the age of another.

    Attributes:
        per_hour: points of priority for each hour of waiting.
        most: points that a job gains at most; it never overtakes one whose priority is higher by more.
    """

    per_hour: float
    most: float

    def __call__(self, snapshot: Snapshot, _placed: Collection[str] = ()) -> tuple[TrainingJob, ...]:
        """Return all waiting jobs in this order."""
        queued = snapshot.queued
        gain = self.gain(snapshot.taken_at_s - queued.submitted_s - queued.ran_before_s)
        return tuple([queued.jobs[row] for row in np.argsort(-queued.priority - gain, kind="stable").tolist()])

    def gain(self, waited_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what waiting for so long, float64 (W,), adds to the priority of each job, 0 to `most`."""
        return np.clip(self.per_hour * waited_s / HOUR_S, 0.0, self.most)
