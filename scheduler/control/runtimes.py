"""How long jobs take, learned from those that ended: what the planner goes by where the owner says nothing."""

import re
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.model.jobspec import JobSpec
from scheduler.model.workloads import JobState, TrainingJob

NEARLY_ALL: Final = 0.9
"""Share of like jobs that are over by the time expected of a job: few delay those whose room they borrow."""
MARGIN: Final = 0.1
"""Share added to that time; a few run times say little of the longest ones."""
TOLD_SHARE: Final = 0.05
"""Share by which what is expected must change before anybody hears of it."""
KEPT: Final = 50
"""Run times remembered of jobs alike: the newest, as what people run changes."""
LEAST_LEFT_S: Final = 60.0
"""What a job is given at least that has most of its work behind it."""
REMEMBERED_JOBS: Final = 2000
"""Jobs that are read from the store when the control plane starts."""


@dataclass(slots=True)
class _Sample:
    """Run times of jobs alike, in seconds, and when nearly all of them were over; small changes are not told."""

    newest: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    expected_s: float = 0.0

    def add(self, runtime_s: float) -> bool:
        """Take in one; return whether what is expected changed by enough to be told."""
        self.newest.append(runtime_s)
        in_order = sorted(self.newest)
        expected_s = in_order[ceil(NEARLY_ALL * len(in_order)) - 1] * (1 + MARGIN)
        told = abs(expected_s - self.expected_s) > TOLD_SHARE * self.expected_s
        if told:
            self.expected_s = expected_s
        return told


class RunTimes:
    """Run times of jobs that succeeded, by what makes jobs alike; learned one by one, so that a turn costs nothing.

    Alike are, first, jobs of one owner and name, numbers in the name aside; else of one owner, queue and gang; else
    all. A likeness counts only when enough jobs share it.

    Attributes:
        version: grows whenever `expected_s` may have another answer than before for a job that has not changed.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.version = 0
        self._samples: dict[Hashable, _Sample] = {}

    def learn(self, jobs: Iterable[JobRecord]) -> None:
        """Take in those of the jobs that succeeded; each is to be given once, when it has."""
        for job in jobs:
            if job.state is JobState.SUCCEEDED and (worked_s := _worked_s(job)) > 0:
                for kind, least in _kinds(job.spec):
                    sample = self._samples.setdefault(kind, _Sample())
                    told = sample.add(worked_s)
                    size = len(sample.newest)
                    self.version += size == least or (told and size > least)

    def expected_s(self, job: JobRecord) -> float | None:
        """Return within what time the present or next attempt of a job is almost surely over; None when unknown.

        What earlier attempts have left behind as a checkpoint need not be done again.
        """
        for kind, least in _kinds(job.spec):
            sample = self._samples.get(kind)
            if sample is not None and len(sample.newest) >= least:
                return max(sample.expected_s - _worked_s(job), LEAST_LEFT_S)
        return None

    def of_like(self, job: TrainingJob) -> NDArray[np.float64]:
        """Return how long jobs like it took, float64 (N,), seconds, ascending; none when too few are known."""
        for kind, least in _kinds(job):
            sample = self._samples.get(kind)
            if sample is not None and len(sample.newest) >= least:
                return np.sort(np.array(sample.newest))
        return np.empty(0)


def _kinds(spec: JobSpec | TrainingJob) -> Iterator[tuple[Hashable, int]]:
    """Yield what makes a job like others, the closest likeness first, and of how many it takes to say anything."""
    yield (spec.owner, re.sub(r"\d+", "#", spec.name)), 3
    yield (spec.owner, spec.queue, spec.gang), 5
    yield "all", 10


def _worked_s(job: JobRecord) -> float:
    """Return for how long attempts that have ended held their room, up to the checkpoint from which work goes on."""
    return sum(_kept_s(attempt) for attempt in job.attempts)


def _kept_s(attempt: AttemptRecord) -> float:
    if attempt.outcome is Outcome.SUCCEEDED:
        return attempt.held_s
    if attempt.started_at_s is None or attempt.checkpointed_at_s is None:
        return 0.0
    return min(max(0.0, attempt.checkpointed_at_s - attempt.started_at_s), attempt.held_s)
