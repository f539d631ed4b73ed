"""What stopping jobs leads to: who of them goes on elsewhere, whom they have stopped in turn, and what stands idle.

Whoever is stopped waits like others. So what follows is played through on a copy of the room: in queue order those who
wait start where they fit and delay no booking, or have others stopped who are less important, and so on; and whenever
somebody leaves they are tried again, until a while after the room that was freed is expected back.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Final

import numpy as np

from scheduler.model.policy import HOUR_S
from scheduler.model.workloads import JobState, TrainingJob
from scheduler.planning.placement.placing import fewest_hosts
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.foreseen import LEAST_STAY_S, Foreseen, Stay
from scheduler.planning.victim_selection.occupancy import Occupancy, gpus_of

SHARES_OF_GRACE: Final = (0.25, 0.75)
"""How much of its grace a job takes to save: nobody knows, and who waits longer than whom hangs on it. So a set is
played through with either, and the mean counts: one that is good only if all save quickly is not good."""
NEXT_PLAN_S: Final = 30.0
"""From one plan to the next: that somebody has left is known then at the earliest."""
FARTHEST_S: Final = 86400.0
"""How far ahead things are played through at most: what is left of guessed ends later than a day decides nothing."""
MOST_STOPS: Final = 24
"""Jobs that are stopped in turn, at most."""
MOST_CHOICES: Final = 2
"""Times that somebody who was stopped has others stopped, of which several ways are tried."""
MOST_WAYS: Final = 4
"""Ways that are tried of each."""

Rank = tuple[float, float, str]


def loss_gpu_s(foreseen: Foreseen, victims: Sequence[Victim], bound: float = inf) -> float:
    """Return the cost of all who are stopped in the end, and the GPU-seconds for which devices stand idle.

    Idle devices are counted less those that nobody has now: the result may be below 0, and is to be compared with
    others of the same need.

    Args:
        foreseen: what is expected meanwhile.
        victims: who is stopped.
        bound: what is of no interest any more; infinity may be returned for it.
    """
    quick, slow = SHARES_OF_GRACE
    margin = LEAST_STAY_S * foreseen.need.count * max(foreseen.need.shape.gpu_count, 1)
    lost = _least(foreseen, victims, quick, bound + margin)
    return (lost + _least(foreseen, victims, slow, 2 * bound - lost)) / 2 if lost < inf else inf


def _least(foreseen: Foreseen, victims: Sequence[Victim], share: float, bound: float) -> float:
    """Return what is lost when those who are stopped have others stopped in the best of a few ways.

    They will be chosen with care, too.
    """
    best = _Course(foreseen, victims, share, ())
    least = best.run(bound)
    for place in range(MOST_CHOICES):
        for way in range(1, best.ways[place] if place < len(best.ways) else 0):
            other = _Course(foreseen, victims, share, (*best.script[:place], way))
            lost = other.run(min(least, bound))
            if lost < least:
                least, best = lost, other
    return least


class _Course:
    """One course that things may take: who is stopped, who waits, what is free, and who leaves when.

    What is freed beyond the need is reserved for those who wait already, before the victims themselves wait.

    Attributes:
        script: which way was taken each time that somebody had others stopped.
        ways: how many there were.
    """

    def __init__(self, foreseen: Foreseen, victims: Sequence[Victim], share: float, script: tuple[int, ...]) -> None:
        """Stop the first victims; `script` says which way to take then, and the first is taken where it ends."""
        self.script: tuple[int, ...] = ()
        self.ways, self._asked = list[int](), script
        self._foreseen, self._draft, self._share = foreseen, foreseen.draft, share
        self._at_s, self._lost, self._all = 0.0, 0.0, Occupancy(foreseen)
        self._stopped, self._held_s, self._leaving = set[str](), dict[str, float](), list[tuple[float, TrainingJob]]()
        for job in foreseen.leaving:
            self._wait(job, 0.0, self._leaves_s(job))
        begins_s = max((self._leaves_s(victim.job) for victim in victims), default=0.0)
        for victim in victims:
            self._lost += (begins_s - self._leaves_s(victim.job)) * gpus_of(victim.freed, victim.job.gang.shape)
            self._stop(victim, victim.cost)
        self._place_holder(begins_s)
        self._waiting = foreseen.others.copy()
        self._settle()

    def run(self, bound: float) -> float:
        """Play it through and return what is lost; infinity when it is more than the bound."""
        over_s = min(self._foreseen.stays_s, FARTHEST_S) + LEAST_STAY_S
        while self._at_s < over_s:
            until_s = min(self._all.next_s(), over_s)
            self._lost += self._all.idle_gpus * (until_s - self._at_s)
            self._at_s = until_s
            if self._lost - self._foreseen.free_gpus * (over_s - until_s) > bound:
                return inf
            self._all.leave(until_s)
            self._waiting += [job for at_s, job in self._leaving if at_s <= until_s]
            self._leaving = [pair for pair in self._leaving if pair[0] > until_s]
            self._settle()
        return self._lost

    def _place_holder(self, begins_s: float) -> None:
        """Take the room for which victims were stopped."""
        need, room = self._foreseen.need, self._all.room
        rows = fewest_hosts(
            need.fitting(room.units(need.shape)), need.count, room.score(need.shape, self._draft.scorer)
        )
        said_s, leaves_s = begins_s + self._foreseen.said_s, begins_s + self._foreseen.stays_s
        self._all.take(Stay(None, room.put(rows, need.shape), need.shape, begins_s, said_s, leaves_s))

    def _settle(self) -> None:
        """Let those who wait start, or have others stopped, in queue order."""
        waiting, self._waiting = sorted(self._waiting, key=self._rank), []
        for job in waiting:
            if self._all.start(job, self._at_s, self._waiting):
                continue
            if not self._has_stopped(job) or not self._all.start(job, self._at_s, ()):
                self._waiting.append(job)
        self._all.grow_back()

    def _stop(self, victim: Victim, cost: float) -> None:
        """Stop a job that leaves its room to others, and waits when it has left it, or goes on with less."""
        job = victim.job
        empty_s = self._at_s + self._leaves_s(job)
        stay = self._all.stop(job, victim.freed, empty_s)
        self._lost += cost
        self._stopped.add(job.job_id)
        if not victim.keeps:
            self._wait(job, max(stay.since_s, 0.0), empty_s)

    def _wait(self, job: TrainingJob, since_s: float, empty_s: float) -> None:
        """Let a job that has had room since some time wait from when it has left it."""
        self._held_s[job.job_id] = self._held_s.get(job.job_id, 0.0) + empty_s - since_s
        self._leaving.append((empty_s, job))
        self._all.look_at(empty_s)

    def _has_stopped(self, job: TrainingJob) -> bool:
        """Stop others for one that waits, if that makes room and delays nobody ahead, and say whether it does."""
        candidates = self._candidates_for(job) if len(self._stopped) < MOST_STOPS else None
        ways = self._ways(job, candidates) if candidates is not None else []
        if not ways or candidates is None:
            return False
        place = len(self.ways)
        way = min(self._asked[place], len(ways) - 1) if place < len(self._asked) else 0
        self.ways.append(len(ways))
        self.script = (*self.script, way)
        for victim in ways[way]:
            stay = self._all.stays[victim.job.job_id]
            self._stop(replace(victim, job=replace(victim.job, slots=stay.slots)), self._own_cost(victim.job.job_id))
        return True

    def _ways(self, job: TrainingJob, candidates: Candidates) -> list[tuple[Victim, ...]]:
        """Return whom a job might have stopped: who cost least with all that follows, then others."""
        ways, room = list[tuple[Victim, ...]](), self._all.room
        while len(ways) < MOST_WAYS and len(candidates.row):
            found = (victims_for(need, room, candidates) for need in needs_of(job.gang, room, candidates))
            way = next(filter(None, found), None)
            if not way:
                break
            ways.append(way)
            candidates = candidates.without([victim.index for victim in way])
        booked = self._all.booked(self._waiting, self._at_s) if ways else []
        return [way for way in ways if self._all.delays_nobody(job, (v.job for v in way), self._at_s, booked)]

    def _candidates_for(self, job: TrainingJob) -> Candidates:
        """Return who may be stopped for a job, at what that costs with all that follows."""
        known, costs = self._draft.stoppable.for_job(job), self._foreseen.costs
        running, may = known.running, np.zeros(len(costs), dtype=bool)
        may[[row for row in known.order[known.there] if self._still_runs(running.jobs[row].job_id)]] = True
        begun = [stay for stay in self._all.stays.values() if self._may_go(stay, job)]
        if not begun:
            return Candidates.of(running, may, costs)
        jobs = [replace(stay.job, slots=stay.slots, state=JobState.RUNNING) for stay in begun if stay.job]
        held = [self._own_cost(one.job_id) + self._foreseen.stays_s * one.gang_now.gpus for one in jobs]
        running = running.having([(len(costs), one) for one in jobs], self._all.room.table)
        return Candidates.of(running, np.append(may, np.ones(len(jobs), dtype=bool)), np.append(costs, held))

    def _own_cost(self, job_id: str) -> float:
        """Return what stopping a job costs by itself, by the policy; of one that began meanwhile, what it loses."""
        stay = self._all.stays[job_id]
        if stay.since_s < 0 or stay.job is None:
            return self._foreseen.own[job_id]
        lost_s = min(self._at_s - stay.since_s, stay.job.saves_within_s) + stay.job.restart_cost_s
        return lost_s * gpus_of(stay.slots, stay.shape)

    def _still_runs(self, job_id: str) -> bool:
        """Whether a job that runs in the snapshot is neither stopped nor over."""
        stay = self._all.stays.get(job_id)
        return stay is not None and stay.since_s < 0 and job_id not in self._stopped

    def _may_go(self, stay: Stay, job: TrainingJob) -> bool:
        """Whether somebody who began meanwhile may be stopped for a job that waits."""
        policy, other = self._draft.policy, stay.job
        if other is None or stay.since_s < 0 or not other.preemptible:
            return False
        return self._at_s - stay.since_s >= policy.min_runtime_s and policy.may_preempt(job, other)

    def _rank(self, job: TrainingJob) -> Rank:
        """Return where a job stands in the queue by then, by priority and what waiting has added to it."""
        policy, now_s = self._draft.policy, self._draft.snapshot.taken_at_s
        served_s = job.ran_before_s + (now_s - (job.started_at_s or now_s)) + self._held_s.get(job.job_id, 0.0)
        waited_h = max(0.0, now_s + self._at_s - job.submitted_at_s - served_s) / HOUR_S
        gain = min(policy.ageing_most, policy.ageing_per_hour * waited_h)
        return (-job.priority - gain, job.submitted_at_s, job.job_id)

    def _leaves_s(self, job: TrainingJob) -> float:
        """Return how long a job that is told to stop holds its room."""
        return max(self._share * job.grace_period_s, NEXT_PLAN_S)
