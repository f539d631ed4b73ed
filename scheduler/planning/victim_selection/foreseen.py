"""What is expected for as long as room that is freed for somebody is in use: who ends, and who else waits."""

from functools import cached_property
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import expected_ends_s
from scheduler.planning.placement.need import Need
from scheduler.planning.victim_selection.followers import costs_with_all

LEAST_STAY_S: Final = 3600.0
"""How long room is expected to be needed at least by those of whom it is not known."""
MOST_ENDS: Final = 12
"""Ends of running jobs that are looked at, the first."""
MOST_OTHERS: Final = 8
"""Waiting jobs beside the victims that are looked at, the first by priority, then age."""


class Foreseen:
    """What is expected while the room that is freed for a need is in use: who ends, and who waits for room beside."""

    def __init__(self, need: Need, draft: Draft, holder: str) -> None:
        """Look from now until the room that is freed is expected back.

        Args:
            need: what the victims are stopped for.
            draft: what was decided so far.
            holder: job id or model name for which they are.
        """
        running, now_s = draft.snapshot.running, draft.snapshot.taken_at_s
        self.need, self.draft, self.holder = need, draft, holder
        self._unknown_s = max(LEAST_STAY_S, running.mean_held_s(now_s))
        job = draft.snapshot.by_id.get(holder)
        self.stays_s = self._unknown_s if job is None else self.takes_s(job)

    def takes_s(self, job: TrainingJob) -> float:
        """Return how long a job that starts is expected to stay: of what is not known, as long as others have."""
        return job.runtime_s if isfinite(job.runtime_s) else self._unknown_s

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """What stopping each running job costs with all that follows from it alone, float64 (J,)."""
        return costs_with_all(self.draft, self.stays_s)

    @cached_property
    def ends(self) -> list[tuple[float, TrainingJob]]:
        """The jobs that are expected to end first, and in how many seconds; nothing is known of others."""
        running, now_s = self.draft.snapshot.running, self.draft.snapshot.taken_at_s
        left_s = expected_ends_s(running.started_s, running.ends_s, now_s) - now_s
        soon = np.flatnonzero((left_s < self.stays_s) & np.isfinite(running.ends_s) & ~running.leaving)
        soon = soon[np.argsort(left_s[soon], kind="stable")][:MOST_ENDS]
        gone = set(self.draft.gone)
        return [(float(left_s[row]), job) for row in soon if (job := running.jobs[row]).job_id not in gone]

    @cached_property
    def others(self) -> list[TrainingJob]:
        """The first jobs that wait and have not been placed."""
        queued, draft = self.draft.snapshot.queued, self.draft
        ready = np.flatnonzero(queued.not_before_s <= draft.snapshot.taken_at_s)
        order = ready[np.argsort(-queued.priority[ready], kind="stable")][: MOST_OTHERS + len(draft.placed)]
        jobs = (queued.jobs[row] for row in order)
        return [job for job in jobs if job.job_id not in draft.placed and job.job_id != self.holder][:MOST_OTHERS]
