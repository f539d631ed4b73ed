"""Whether stopping everybody who may be stopped would be enough: asked before a search for those who cost least."""

import numpy as np
from numpy.typing import NDArray

from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.topology import most_together
from scheduler.planning.preemption.candidates import units_with, worth_stopping
from scheduler.planning.preemption.eligibility import Eligibility


class PreemptionBound:
    """What would be free if all were stopped who may be: sums by host, for which nobody need be ranked by cost.

    Those who are being stopped already are counted once more, so that "no" is certain and "yes" is not.
    """

    def __init__(self, snapshot: Snapshot, eligibility: Eligibility) -> None:
        """Start with nobody asked."""
        self._running, self._eligibility = snapshot.running, eligibility
        self._worth_stopping = worth_stopping(snapshot)
        self._known: dict[bytes, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def is_enough(self, job: TrainingJob, gang: Gang, coming: CachedTrial) -> bool:
        """Whether a gang could fit into what is coming if all were stopped who may be stopped for a waiting job."""
        rows, freed = self._freed_for(job)
        units = coming.units(gang.shape).copy()
        if len(rows):
            units[rows] = units_with(coming, gang.shape, rows, freed)
        return most_together(gang, capped(units, limit_of(gang), gang.workers), coming.table) >= gang.workers

    def _freed_for(self, job: TrainingJob) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows of hosts where some may be stopped for a job, and what that would free there, (N, 2 + D)."""
        key = self._eligibility.key(job, self._running)
        if key not in self._known:
            self._known[key] = self._summed(self._worth_stopping & self._eligibility.may_stop(job, self._running))
        return self._known[key]

    def _summed(self, stopped: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        entries = np.flatnonzero(stopped[self._running.who])
        rows, place = np.unique(self._running.row[entries], return_inverse=True)
        freed = self._running.freed[entries]
        sums = [np.bincount(place, weights=column, minlength=len(rows)) for column in freed.T]
        return rows, np.stack(sums, axis=1).astype(np.int64)
