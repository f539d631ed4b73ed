"""What is expected for as long as room that is freed for somebody is in use: who ends, and who else waits."""

from functools import cached_property
from math import inf, isfinite
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import LEAST_LEFT_S, expected_ends_s
from scheduler.planning.placement.need import Need
from scheduler.planning.victim_selection.followers import costs_with_all

LEAST_STAY_S: Final = 3600.0
"""How long room is expected to be needed at least by those of whom it is not known."""
MOST_ENDS: Final = 12
"""Ends of running jobs that are looked at, the first."""
MOST_OTHERS: Final = 8
"""Waiting jobs beside the victims that are looked at, the first by priority, then age."""


class Stay(NamedTuple):
    """Room that somebody has, in seconds from now; `job` is None for whom others are stopped for.

    Attributes:
        job: who has it.
        slots: where.
        shape: what of each.
        since_s: from when on.
        said_s: when it should be over, as far as is known; infinity when nothing is.
        leaves_s: when it is taken to be.
    """

    job: TrainingJob | None
    slots: tuple[Slot, ...]
    shape: Shape
    since_s: float
    said_s: float
    leaves_s: float

    def expected_s(self, at_s: float) -> float:
        """Return when a plan that is made at some time expects it to be over: see `expected_ends_s`.

        Of what begins by this plan and says nothing it expects no end yet.
        """
        if isfinite(self.said_s) and self.said_s > at_s:
            return self.said_s
        known_s = self.said_s if isfinite(self.said_s) else self.since_s
        return at_s + max(at_s - known_s, LEAST_LEFT_S) if known_s < at_s else inf


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
        job = draft.snapshot.by_id.get(holder)
        self.said_s = inf if job is None else job.runtime_s
        self.stays_s = self.said_s if isfinite(self.said_s) else max(LEAST_STAY_S, running.mean_held_s(now_s))

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """What stopping each running job costs with all that follows from it alone, float64 (J,)."""
        return costs_with_all(self.draft, self.stays_s)

    @cached_property
    def stays(self) -> dict[str, Stay]:
        """Who has room now or from this plan on; of those who say when they are over, the first leave it then."""
        running, now_s = self.draft.snapshot.running, self.draft.snapshot.taken_at_s
        left_s = expected_ends_s(running.started_s, running.ends_s, now_s) - now_s
        left_s[~np.isfinite(running.ends_s)] = inf
        last_s = np.partition(left_s, MOST_ENDS)[MOST_ENDS] if len(left_s) > MOST_ENDS else inf
        gone = set(self.draft.gone)
        stays = {
            job.job_id: Stay(
                job,
                job.slots,
                job.gang.shape,
                float(running.started_s[row]) - now_s,
                float(running.ends_s[row]) - now_s,
                float(left_s[row]) if left_s[row] < last_s else inf,
            )
            for row, job in enumerate(running.jobs)
            if job.job_id not in gone and not running.leaving[row]
        }
        return stays | {job_id: self._beginning(job_id, slots) for job_id, slots in self.draft.placed.items()}

    def _beginning(self, job_id: str, slots: tuple[Slot, ...]) -> Stay:
        """Return what a waiting job has that starts by this plan, or has room reserved."""
        job = self.draft.snapshot.by_id[job_id]
        return Stay(job, slots or self.draft.reservations.of(job_id), job.gang.shape, 0.0, job.runtime_s, job.runtime_s)

    @cached_property
    def own(self) -> dict[str, float]:
        """What stopping each running job costs by itself."""
        candidates = self.draft.stoppable.candidates
        jobs = (candidates.running.jobs[row] for row in candidates.order)
        return {job.job_id: float(cost) for job, cost in zip(jobs, candidates.cost, strict=True)}

    @cached_property
    def free_gpus(self) -> float:
        """Devices that nobody has, or will have as far as is known."""
        left = sum(len(s.slots) * s.shape.total_gpu_milli for s in self.stays.values() if isfinite(s.leaves_s))
        return (float(np.maximum(self.draft.room.coming.gpu_milli, 0).sum()) + left) / WHOLE_DEVICE_MILLI

    @cached_property
    def moments(self) -> list[float]:
        """When somebody who has room now leaves, in order."""
        return sorted(stay.leaves_s for stay in self.stays.values() if isfinite(stay.leaves_s))

    @cached_property
    def leaving(self) -> list[TrainingJob]:
        """The jobs that were told to leave their room, and wait for other room then."""
        running, draft = self.draft.snapshot.running, self.draft
        told = [running.jobs[row] for row in np.flatnonzero(running.leaving)]
        told += [draft.snapshot.by_id[job_id] for job_id in draft.stops]
        return [job for job in told if not (job.stop_asked or draft.reservations.of(job.job_id))][:MOST_OTHERS]

    @cached_property
    def others(self) -> list[TrainingJob]:
        """The first jobs that wait and have not been placed."""
        queued, draft = self.draft.snapshot.queued, self.draft
        ready = np.flatnonzero(queued.not_before_s <= draft.snapshot.taken_at_s)
        order = ready[np.argsort(-queued.priority[ready], kind="stable")][: MOST_OTHERS + len(draft.placed)]
        jobs = (queued.jobs[row] for row in order)
        return [job for job in jobs if job.job_id not in draft.placed and job.job_id != self.holder][:MOST_OTHERS]
