"""What stopping jobs leads to: who of them goes on elsewhere, whom they have stopped in turn, and what stands idle.

Whoever is stopped waits like others. So what follows is played through on a copy of the room: in queue order those who
wait start where they fit, or have others stopped who are less important, and so on; and whenever somebody who runs is
expected to end they are tried again, until the room that was freed is expected back.
"""

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

import numpy as np

from scheduler.model.policy import HOUR_S
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import SHARE_OF_GRACE, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import fewest_hosts, hosts_for_gang, takes
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.foreseen import LEAST_STAY_S, Foreseen

MOST_STOPS: Final = 24
"""Jobs that are stopped in turn, at most."""

Rank = tuple[float, float, str]


def loss_gpu_s(foreseen: Foreseen, victims: Iterable[Victim]) -> float:
    """Return the cost of all who are stopped in the end, and the GPU-seconds for which their devices stand idle.

    What is idle is counted beside what is idle whoever is stopped: the result may be below 0, and is to be compared
    with others of the same need.
    """
    return _Course(foreseen, victims).run()


class _Due(NamedTuple):
    """Room that somebody leaves, in so many seconds."""

    at_s: float
    job_id: str
    slots: tuple[Slot, ...]
    shape: Shape

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        """Order by time, then name: shapes have no order."""
        return self[:2] < other[:2]


class _Course:
    """One course that things may take: who is stopped, who waits, what is free, and who leaves when.

    What is freed beyond the need is reserved for those who wait already, before the victims themselves wait.
    """

    def __init__(self, foreseen: Foreseen, victims: Iterable[Victim]) -> None:
        self._foreseen, self._draft, self._over_s = foreseen, foreseen.draft, foreseen.stays_s + LEAST_STAY_S
        self._stopped, self._lost, self._idle = dict[int, str](), 0.0, 0.0
        self._begun: dict[str, tuple[TrainingJob, _Due]] = {}
        self._room = CachedTrial(foreseen.draft.room.coming)
        stopped = self._stop(victims)
        need = foreseen.need
        units, score = need.fitting(self._room.units(need.shape)), self._room.score(need.shape, self._draft.scorer)
        placed = self._room.put(fewest_hosts(units, need.count, score), need.shape)
        self._due = [_Due(foreseen.stays_s, "", placed, need.shape)]
        self._due += [_Due(at_s, job.job_id, job.slots, job.gang.shape) for at_s, job in foreseen.ends]
        heapify(self._due)
        self._waiting = stopped + [job for job in foreseen.others if not self._starts(job, 0.0, ())]

    def run(self) -> float:
        """Play it through and return what is lost."""
        at_s = 0.0
        while at_s < self._over_s:
            self._settle(at_s)
            if not self._idle:
                break
            until_s = min(self._due[0].at_s, self._over_s) if self._due else self._over_s
            self._lost += self._idle * (until_s - at_s)
            at_s = until_s
            while self._due and self._due[0].at_s <= at_s:
                self._leave(heappop(self._due))
        return self._lost

    def _stop(self, victims: Iterable[Victim]) -> list[TrainingJob]:
        """Stop jobs and return those of them that wait."""
        waiting, stopped = list[TrainingJob](), list(victims)
        longest_s = max((_leaves_s(victim.job) for victim in stopped), default=0.0)
        for victim in stopped:
            self._lost += (longest_s - _leaves_s(victim.job)) * victim.job.gang_now.gpus
            self._give(victim.freed, victim.job.gang.shape)
            self._stopped[victim.index] = victim.job.job_id
            self._lost += victim.cost
            if not victim.keeps:
                self._idle += victim.job.gang_now.gpus
                waiting.append(victim.job)
        return waiting

    def _settle(self, at_s: float) -> None:
        """Let those who wait start, or have others stopped, in queue order; then those who were stopped for them.

        What is left of the room of one who waits is booked for it.
        """
        waiting, booked = self._waiting, list[_Due]()
        self._waiting = []
        while waiting:
            stopped = list[TrainingJob]()
            for job in sorted(waiting, key=self._rank):
                if self._starts(job, at_s, booked):
                    continue
                more = self._sent_back_for(job, at_s) or self._stop(() if at_s else self._stopped_for(job))
                stopped += more
                if more and self._starts(job, at_s, ()):
                    continue
                self._waiting.append(job)
                booked += [self._booking(job)] if job.slots and self._draft.policy.bookings else []
            waiting = stopped

    def _starts(self, job: TrainingJob, at_s: float, booked: Sequence[_Due]) -> bool:
        """Start a job where it fits and takes nothing that is booked, and say whether it does."""
        if not takes(self._room, job.gang):
            return False
        in_the_way = [other for other in booked if at_s + job.runtime_s > other.at_s]
        usable = CachedTrial(self._room) if in_the_way else self._room
        for other in in_the_way:
            usable.take_all(self._known(other.slots), other.shape)
        rows = hosts_for_gang(usable, job.gang, self._draft.scorer)
        if rows is None:
            return False
        slots = usable.put(rows, job.gang.shape)
        if usable is not self._room:
            self._room.take_all(slots, job.gang.shape)
        if job.slots:
            self._idle -= job.gang_now.gpus
        else:
            due = _Due(at_s + self._foreseen.takes_s(job), job.job_id, slots, job.gang.shape)
            self._lost -= job.gang.gpus * (min(due.at_s, self._over_s) - at_s)
            self._begun[job.job_id] = (job, due)
            heappush(self._due, due)
        return True

    def _sent_back_for(self, job: TrainingJob, at_s: float) -> list[TrainingJob]:
        """Stop others that began meanwhile and are less important, the last first, if that makes room for a job."""
        lower = [one for one in self._begun.values() if self._draft.policy.may_preempt(job, one[0])]
        room, sent = CachedTrial(self._room), list[TrainingJob]()
        for other, due in reversed(lower if job.slots else []):
            room.give_all(self._known(due.slots), due.shape)
            sent.append(other)
            if takes(room, job.gang):
                break
        else:
            return []
        for other in sent:
            _, due = self._begun.pop(other.job_id)
            self._give(due.slots, due.shape)
            self._due.remove(due)
            unused_s = max(0.0, min(due.at_s, self._over_s) - at_s)
            self._lost += other.gang.gpus * (unused_s + other.restart_cost_s)
        heapify(self._due)
        return sent

    def _booking(self, job: TrainingJob) -> _Due:
        """Return from when on a job that waits has room, and where; what it had itself if that is not known."""
        room = CachedTrial(self._room)
        for due in sorted(due for due in self._due if due.job_id not in self._stopped.values()):
            room.give_all(self._known(due.slots), due.shape)
            if takes(room, job.gang):
                rows = hosts_for_gang(room, job.gang, self._draft.scorer)
                return _Due(due.at_s, job.job_id, room.put(rows or (), job.gang.shape), job.gang.shape)
        return _Due(self._over_s, job.job_id, job.slots, job.gang.shape)

    def _stopped_for(self, job: TrainingJob) -> Sequence[Victim]:
        """Return whom a job that was stopped itself will have stopped to go on."""
        if not job.slots or len(self._stopped) >= MOST_STOPS:
            return ()
        candidates = self._draft.stoppable.for_job(job).without(sorted(self._stopped))
        if not len(candidates.row):
            return ()
        there = np.zeros(len(self._foreseen.costs), dtype=bool)
        there[candidates.order[candidates.there]] = True
        with_all = Candidates.of(candidates.running, there, self._foreseen.costs)
        found = (victims_for(need, self._room, with_all) for need in needs_of(job.gang, self._room, with_all))
        rows = [with_all.order[victim.index] for victim in next(filter(None, found), ())]
        return [candidates.victim(int(np.flatnonzero(candidates.order == row)[0])) for row in rows]

    def _leave(self, due: _Due) -> None:
        """Let somebody leave, unless it is one of those who were stopped."""
        self._begun.pop(due.job_id, None)
        if due.job_id not in self._stopped.values():
            self._give(due.slots, due.shape)

    def _give(self, slots: Sequence[Slot], shape: Shape) -> None:
        self._room.give_all(self._known(slots), shape)

    def _rank(self, job: TrainingJob) -> Rank:
        """Return where a job stands in the queue, by priority and what waiting has added to it."""
        policy, now_s = self._draft.policy, self._draft.snapshot.taken_at_s
        served_s = job.ran_before_s + (now_s - (job.started_at_s or now_s))
        waited_h = max(0.0, now_s - job.submitted_at_s - served_s) / HOUR_S
        gain = min(policy.ageing_most, policy.ageing_per_hour * waited_h)
        return (-job.priority - gain, job.submitted_at_s, job.job_id)

    def _known(self, slots: Sequence[Slot]) -> list[Slot]:
        return [slot for slot in slots if slot.host in self._room.table.rows]


def _leaves_s(job: TrainingJob) -> float:
    """Return how long a job that is told to stop holds its room, as far as can be guessed."""
    return SHARE_OF_GRACE * job.grace_period_s
