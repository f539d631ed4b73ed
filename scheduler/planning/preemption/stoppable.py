"""Who may still be stopped, and for whom: those who are being stopped, whatever the room, are left out."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from scheduler.model.policy import Policy
from scheduler.model.running import place_of
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.preemption.bound import PreemptionBound
from scheduler.planning.preemption.candidates import Candidates, worth_stopping
from scheduler.planning.preemption.eligibility import Eligibility


class Stoppable:
    """The candidates of one planning run; ranked by cost when they are first asked for.

    Attributes:
        known: all who may still be stopped, if somebody has asked.
    """

    def __init__(self, snapshot: Snapshot, policy: Policy, ended: Iterable[TrainingJob] = ()) -> None:
        """Start with all but those who are being stopped already."""
        self._snapshot, self._policy = snapshot, policy
        self._ended = [place_of(job, snapshot.running.jobs) for job in ended]
        self.known: Candidates | None = None
        apart = not all(queue.is_plain for queue in snapshot.queues)
        self._eligibility = Eligibility(policy, snapshot.taken_at_s, apart=apart)

    @property
    def candidates(self) -> Candidates:
        """All who may still be stopped for somebody."""
        if self.known is None:
            running = self._snapshot.running
            cost = self._policy.victim_cost(running, self._snapshot.taken_at_s)
            everybody = Candidates.of(running, worth_stopping(self._snapshot), cost)
            self.known = everybody.without(np.flatnonzero(np.isin(everybody.order, self._ended)).tolist())
        return self.known

    def drop(self, places: Sequence[int]) -> None:
        """Have these, by their places in the order of stopping, stopped no more."""
        self.known = self.candidates.without(places)

    def place(self, job: TrainingJob) -> list[int]:
        """Return the place of a running job in the order of stopping; none if it may not be stopped."""
        return np.flatnonzero(self.candidates.order == place_of(job, self.candidates.running.jobs)).tolist()

    def for_job(self, job: TrainingJob) -> Candidates:
        """Return who may still be stopped for a waiting job."""
        return self._eligibility.of(job, self.candidates)

    def of(self, others: Iterable[TrainingJob], job: TrainingJob) -> list[TrainingJob]:
        """Return those of some running jobs whom a waiting one could have stopped, whether they are stopped or not."""
        known = list(others)
        running = self._snapshot.running
        may = self._eligibility.may_stop(job, running) & worth_stopping(self._snapshot) if known else ()
        return [other for other in known if may[place_of(other, running.jobs)]]

    def equals_for(self, job: TrainingJob) -> Candidates:
        """Return who of its equals may still be stopped for a waiting job because it is so much shorter."""
        return self._eligibility.of_equals(job, self.candidates)

    def are_enough(self, job: TrainingJob, gang: Gang, coming: CachedTrial) -> bool:
        """Whether a gang could fit into what is coming if all were stopped who may be for a job."""
        return self._bound.is_enough(job, gang, coming)

    def key(self, job: TrainingJob) -> bytes:
        """Return a key that is equal for waiting jobs for whom the policy lets the same be stopped."""
        return self._eligibility.key(job, self._snapshot.running)

    @cached_property
    def _bound(self) -> PreemptionBound:
        return PreemptionBound(self._snapshot, self._eligibility)
