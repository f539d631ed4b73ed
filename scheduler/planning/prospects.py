"""From when on a waiting job may run, if what runs ends at given times: the bookings that a plan would then make."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.plan import StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.bookings import Bookings
from scheduler.planning.draft import Draft
from scheduler.planning.planner import Decided
from scheduler.planning.timetable import Release

MOST_AHEAD: Final = 12
"""Waiting jobs before one that are given room first; with more of them nothing is said."""


@dataclass(frozen=True, eq=False)
class Prospect:
    """A waiting job that has been given nothing yet, and who goes first.

    Attributes:
        draft: what the plan decided.
        job: the job.
        placed: who starts now or was promised room, with its slots.
        ahead: waiting jobs that are tried before it.
    """

    draft: Draft
    job: TrainingJob
    placed: tuple[tuple[TrainingJob, tuple[Slot, ...]], ...]
    ahead: tuple[TrainingJob, ...]

    @classmethod
    def of(cls, decided: Decided, job: TrainingJob) -> "Prospect | None":
        """Return that of a job; None for who starts, was promised room, may not by its queue, or has many before it."""
        draft = decided.draft
        placed = tuple(_placed(draft, decided.starts))
        gone = {one.job_id for one, _ in placed} | set(draft.quotas.refused if draft.quotas is not None else ())
        if job.job_id in gone:
            return None
        ahead = list[TrainingJob]()
        for other in draft.queue:
            if other.job_id == job.job_id:
                return cls(draft, job, placed, tuple(ahead))
            if other.job_id not in gone and other.not_before_s <= draft.snapshot.taken_at_s:
                ahead.append(other)
            if len(ahead) > MOST_AHEAD:
                break
        return None

    def start_s(self, ends_s: NDArray[np.float64], lengths_s: Mapping[str, float]) -> float:
        """Return when the job has room for its fewest workers, epoch seconds; infinity when training leaves too little.

        Args:
            ends_s: float64 (J,), when each running job of the snapshot is over, all after now.
            lengths_s: how long each that is placed or waits ahead runs, by id; infinity where it is not known.
        """
        snapshot, now_s = self.draft.snapshot, self.draft.snapshot.taken_at_s
        draft = replace(
            self.draft,
            snapshot=replace(snapshot, running=replace(snapshot.running, ends_s=ends_s)),
            policy=replace(self.draft.policy, bookings=len(self.ahead) + 1),
            bookings=[],
        )
        bookings = Bookings(draft)
        bookings.note((), [Release(now_s + lengths_s[j.job_id], slots, j.gang.shape) for j, slots in self.placed])
        for other in self.ahead:
            bookings.book(replace(other, max_runtime_s=lengths_s[other.job_id], doubt=1.0))
        bookings.book(self.job)
        start_s = next((booking.start_s for booking in draft.bookings if booking.job is self.job), inf)
        return max(start_s, self.job.not_before_s)


def _placed(draft: Draft, starts: tuple[StartJob, ...]) -> list[tuple[TrainingJob, tuple[Slot, ...]]]:
    jobs = draft.snapshot.by_id
    promised = [(jobs[holder], slots) for holder, _, slots in draft.promises.holders() if holder in jobs]
    return [*((jobs[start.job_id], start.slots) for start in starts), *promised]
