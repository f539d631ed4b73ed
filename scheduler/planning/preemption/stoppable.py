"""Who may still be stopped, and for whom: those who are being stopped, whatever the room, are left out."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from scheduler.model.policy import Policy
from scheduler.model.running import place_of
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.placement.cached_trial import Counted
from scheduler.planning.preemption.bound import Winnable
from scheduler.planning.preemption.candidates import Roster, worth_stopping
from scheduler.planning.preemption.eligibility import Rights


class Stoppable:
    """The candidates of one planning run; ranked by cost when they are first asked for.

    Attributes:
        known: all who may still be stopped, if somebody has asked.
    """

    def __init__(self, snapshot: Snapshot, policy: Policy, ended: Iterable[TrainingJob] = ()) -> None:
        """Start with all but those who are being stopped already."""
        self._snapshot, self._policy = snapshot, policy
        self._ended = [place_of(job, snapshot.running.jobs) for job in ended]
        self.known: Roster | None = None
        self._rights = Rights(policy, snapshot.taken_at_s)

    @property
    def roster(self) -> Roster:
        """All who may still be stopped for somebody."""
        if self.known is None:
            running = self._snapshot.running
            cost = self._policy.victim_cost(running, self._snapshot.taken_at_s)
            everybody = Roster.of(running, worth_stopping(self._snapshot), cost)
            self.known = everybody.without(np.flatnonzero(np.isin(everybody.order, self._ended)).tolist())
        return self.known

    def drop(self, places: Sequence[int]) -> None:
        """Have these, by their places in the order of stopping, stopped no more."""
        self.known = self.roster.without(places)

    def place(self, job: TrainingJob) -> list[int]:
        """Return the place of a running job in the order of stopping; none if it may not be stopped."""
        return np.flatnonzero(self.roster.order == place_of(job, self.roster.running.jobs)).tolist()

    def for_job(self, job: TrainingJob) -> Roster:
        """Return who may still be stopped for a waiting job."""
        return self._rights.of(job, self.roster)

    def equals_for(self, job: TrainingJob) -> Roster:
        """Return who of its equals may still be stopped for a waiting job because it is so much shorter."""
        return self._rights.of_equals(job, self.roster)

    def are_enough(self, job: TrainingJob, gang: Gang, coming: Counted) -> bool:
        """Whether a gang could fit into what is coming if all were stopped who may be for a job."""
        return self._winnable.is_enough(job, gang, coming)

    def key(self, job: TrainingJob) -> bytes:
        """Return a key that is equal for waiting jobs for whom the policy lets the same be stopped."""
        return self._rights.key(job, self._snapshot.running)

    @cached_property
    def _winnable(self) -> Winnable:
        return Winnable(self._snapshot, self._rights)
