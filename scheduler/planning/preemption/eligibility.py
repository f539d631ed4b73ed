"""Who may have whom stopped: the policy is asked once for all jobs that it cannot tell apart."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.policy import HOUR_S, Policy
from scheduler.model.running import Running, Who
from scheduler.model.workloads import TrainingJob
from scheduler.planning.preemption.candidates import Candidates

OFTEN: Final = 3
"""Stops after which a job's attempts are left in peace for longer, so that it comes to an end some time."""
LONGEST_PEACE: Final = 8.0
"""Minimum runs that an attempt is left in peace at most, for a job of higher priority."""


class Eligibility:
    """The victims of each waiting job, remembered for all jobs of a priority and queue, and for all equal answers."""

    def __init__(self, policy: Policy, now_s: float, *, apart: bool = False) -> None:
        """Start with nobody asked; `apart` where queues have terms, so that equals are of one queue."""
        self._policy, self._now_s, self._apart = policy, now_s, apart
        self._answers: dict[tuple[int, str], bytes] = {}
        self._candidates: Candidates | None = None
        self._parts: dict[bytes, Candidates] = {}
        self._examples: dict[int, int] | None = None

    def of(self, job: TrainingJob, candidates: Candidates) -> Candidates:
        """Return whom the policy lets be stopped for a waiting job and who has had its minimum run."""
        if candidates is not self._candidates:
            self._candidates, self._parts = candidates, {}
        key = self.key(job, candidates.running)
        if key not in self._parts:
            allowed = self.may_stop(job, candidates.running)[candidates.order]
            self._parts[key] = candidates.only(allowed[candidates.who])
        return self._parts[key]

    def key(self, job: TrainingJob, running: Running) -> bytes:
        """Return a key that is equal for waiting jobs for whom the policy lets the same be stopped."""
        answers = self.answers(job, running)
        return answers + str(job.priority).encode() if self._policy.ageing_most else answers

    def of_equals(self, job: TrainingJob, candidates: Candidates) -> Candidates:
        """Return the equals whom the policy lets be stopped because the waiting job is so much shorter.

        The time for which an attempt is left in peace doubles each time that its job is stopped, so that nobody is
        stopped more often than a logarithm of the time.
        """
        running = candidates.running
        displace = self._policy.may_displace
        groups = [number for number, who in enumerate(running.groups) if self._is_equal(job, who)]
        if displace is None or not groups:
            return candidates.only(np.zeros(len(candidates.row), dtype=bool))
        peace_s = self._policy.min_runtime_s * 2.0**running.stops
        equals = np.isin(running.group, groups) & (self._now_s - running.started_s >= peace_s)
        allowed = (equals & displace(job, running, self._now_s))[candidates.order]
        return candidates.only(allowed[candidates.who])

    def _is_equal(self, job: TrainingJob, who: Who) -> bool:
        """Whether jobs of a priority and queue are a job's equals: a queue without terms is only a name."""
        priority, queue = who
        return priority == job.priority and (queue == job.queue or not self._apart)

    def answers(self, job: TrainingJob, running: Running) -> bytes:
        """Return the policy's answers for a waiting job, one for each group of running jobs, as a key."""
        key = (job.priority, job.queue)
        if key not in self._answers:
            self._answers[key] = self._asked(job, running).tobytes()
        return self._answers[key]

    def _asked(self, job: TrainingJob, running: Running) -> NDArray[np.bool_]:
        """Return for each group of running jobs whether they may be stopped, bool (G,)."""
        if self._examples is None:
            groups, first = np.unique(running.group, return_index=True)
            self._examples = dict(zip(groups.tolist(), first.tolist(), strict=True))
        answers = np.zeros(len(running.groups), dtype=bool)
        for group, example in self._examples.items():
            answers[group] = self._policy.may_preempt(job, running.jobs[example])
        return answers

    def may_stop(self, job: TrainingJob, running: Running) -> NDArray[np.bool_]:
        """Return which running jobs the policy lets be stopped for a waiting one, if they can be at all, bool (J,).

        Of a job that was stopped often an attempt is left in peace for twice as long with each further stop, up to
        `LONGEST_PEACE`: else one that fills gaps is stopped for everybody who comes. What a guarantee covers does not
        wait for that.
        """
        answers = np.frombuffer(self.answers(job, running), dtype=bool)
        peace = np.minimum(2.0 ** np.maximum(running.stops - OFTEN, 0), LONGEST_PEACE)
        may = answers[running.group] & (self._now_s - running.started_s >= self._policy.min_runtime_s * peace)
        if self._policy.ageing_most:
            may &= ~self._overtook(running, job.priority)
        return may

    def _overtook(self, running: Running, priority: int) -> NDArray[np.bool_]:
        """Return which running jobs of lower priority had waited for so long that they went first, bool (J,)."""
        waited_s = running.started_s - running.submitted_s - running.ran_before_s
        gain = np.clip(self._policy.ageing_per_hour * waited_s / HOUR_S, 0.0, self._policy.ageing_most)
        return (running.priority < priority) & (running.priority + gain >= priority)
