"""How long jobs take, learned from those that ended: what the planner goes by where the owner says nothing."""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
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
KEPT_WORD: Final = 1.1
"""Times the time that a job said it takes at most, within which its word was kept."""
TIMED_OUT_COUNTS: Final = 2.0
"""Times that time that a job counts as which was stopped at its limit: nobody knows how long it would have run."""
MOST_DOUBT: Final = 8.0
"""Times the time that a job says that it is expected to take at most, however its like broke their words."""
WORDS: Final = 10
"""Jobs of one owner and name whose words are remembered: who keeps so many is believed again."""
REMEMBERED_JOBS: Final = 2000
"""Jobs that are read from the store when the control plane starts."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """Run times of jobs alike, in seconds, and when nearly all of them were over; small changes are not told."""

    newest: tuple[float, ...] = ()
    expected_s: float = 0.0

    def with_one(self, runtime_s: float) -> "_Sample":
        """Return it with one more; what is expected stays unless it changes by enough to be told."""
        newest = (*self.newest, runtime_s)[-KEPT:]
        expected_s = sorted(newest)[ceil(NEARLY_ALL * len(newest)) - 1] * (1 + MARGIN)
        told = abs(expected_s - self.expected_s) > TOLD_SHARE * self.expected_s
        return _Sample(newest, expected_s if told else self.expected_s)


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
        self._words: dict[Hashable, tuple[float, ...]] = {}
        self._is_shared = False

    def learn(self, jobs: Iterable[JobRecord]) -> None:
        """Take in those of the jobs that are over; each is to be given once, when it is."""
        for job in jobs:
            if job.state in {JobState.SUCCEEDED, JobState.FAILED}:
                self._unshare()
            if job.spec.max_runtime_s and job.state in {JobState.SUCCEEDED, JobState.FAILED}:
                self._hold_to_word(job, job.spec.max_runtime_s)
            if job.state is JobState.SUCCEEDED and (worked_s := _worked_s(job)) > 0:
                for kind, least in kinds_of(job.spec):
                    before = self._samples.get(kind, _Sample())
                    after = self._samples[kind] = before.with_one(worked_s)
                    told = after.expected_s != before.expected_s
                    self.version += len(after.newest) == least or (told and len(after.newest) > least)

    def frozen(self) -> "RunTimes":
        """Return what is known now; whatever is learned later stays out of it."""
        other, self._is_shared = RunTimes(), True
        other.version, other._samples, other._words = self.version, self._samples, self._words
        other._is_shared = True
        return other

    def _unshare(self) -> None:
        if self._is_shared:
            self._samples, self._words, self._is_shared = dict(self._samples), dict(self._words), False

    def expected_s(self, job: JobRecord) -> float | None:
        """Return within what time the present or next attempt of a job is almost surely over; None when unknown.

        What earlier attempts have left behind as a checkpoint need not be done again.
        """
        for kind, least in kinds_of(job.spec):
            sample = self._samples.get(kind)
            if sample is not None and len(sample.newest) >= least:
                return max(sample.expected_s - _worked_s(job), LEAST_LEFT_S)
        return None

    def doubt(self, spec: JobSpec) -> float:
        """Return by how much what a job says of its longest time is to be multiplied: 1 where such words were kept.

        A word is broken by who was stopped at the limit, which counts as twice as long, or ran past it. Of one owner
        and name, numbers aside, the worst of the last ten counts.
        """
        return max(self._words.get(_closest(spec), ()), default=1.0)

    def _hold_to_word(self, job: JobRecord, said_s: float) -> None:
        before = self.doubt(job.spec)
        timed_out = job.attempt is not None and job.attempt.outcome is Outcome.TIMED_OUT
        held = max((attempt.held_s for attempt in job.attempts), default=0.0) / (said_s + job.spec.grace_period_s)
        broken = max(held if held > KEPT_WORD else 1.0, TIMED_OUT_COUNTS if timed_out else 1.0)
        words = (*self._words.get(_closest(job.spec), ()), min(broken, MOST_DOUBT))
        self._words[_closest(job.spec)] = words[-WORDS:]
        self.version += self.doubt(job.spec) != before

    def of_like(self, job: TrainingJob) -> NDArray[np.float64]:
        """Return how long jobs like it took, float64 (N,), seconds, ascending; none when too few are known."""
        found = self.sample_of(job)
        return np.empty(0) if found is None else np.sort(np.array(found[1]))

    def sample_of(self, job: TrainingJob) -> tuple[Hashable, tuple[float, ...]] | None:
        """Return what makes a job like those that are known, and how long these took; None when too few are."""
        for kind, least in kinds_of(job):
            sample = self._samples.get(kind)
            if sample is not None and len(sample.newest) >= least:
                return kind, sample.newest
        return None


def _closest(spec: JobSpec | TrainingJob) -> Hashable:
    return (spec.owner, re.sub(r"\d+", "#", spec.name))


def kinds_of(spec: JobSpec | TrainingJob) -> Iterator[tuple[Hashable, int]]:
    """Yield what makes a job like others, the closest likeness first, and of how many it takes to say anything."""
    yield _closest(spec), 3
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
