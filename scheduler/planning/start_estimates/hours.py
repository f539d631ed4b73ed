"""The coming hours played through: serving's room rises and falls, training ends, gives way, and starts in between.

Between two changes of serving nothing is new: the bookings that a plan would make then say who starts before the next.
A rise takes what is held for it, what is free, and then the room of training, by cost alone; who is stopped waits
again where the order of the queue has him then. It is a sketch, not the plans to come: gangs neither shrink nor grow.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import Level
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobState, ServingModel, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.bookings import Bookings
from scheduler.planning.placement.availability import PlannedStart, Release
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.placement.placing import NO_LIMIT, fewest_hosts, takes
from scheduler.planning.planner import Decided
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.victims import victims_for

LEAST_LEFT_S: Final = 60.0
"""What who is stopped has left to do, at least."""


@dataclass(frozen=True, eq=False)
class Tide:
    """What a model has now, and how that will change.

    Attributes:
        model: the model.
        slots: of its replicas that stay, start or have room reserved.
        held: room held for it beside, with the shape of each slot.
        course: when more or fewer are wanted, after now.
        beyond: replicas beyond those wanted, which are kept so that lost hosts are outlived.
    """

    model: ServingModel
    slots: tuple[Slot, ...]
    held: tuple[tuple[Slot, Shape], ...]
    course: tuple[Level, ...]
    beyond: int = 0

    def most_at(self, at_s: float, *, high: bool) -> int | None:
        """Return how many replicas there are to be from a moment on; None when nothing changes then."""
        level = next((level for level in self.course if level.at_s == at_s), None)
        if level is None:
            return None
        wanted = min(level.replicas_high if high else level.replicas, self.model.max_replicas)
        return max(self.model.min_replicas, wanted) + self.beyond


def tides_of(decided: Decided) -> tuple[Tide, ...]:
    """Return those of all models that are served here; () where nothing is foreseen to change."""
    served, draft = decided.served, decided.draft
    gone = {stop.replica_id for stop in served.stops}
    held: dict[str, list[tuple[Slot, Shape]]] = {}
    for one in decided.draft.holds:
        held.setdefault(one.models[0], []).extend((slot, one.shape) for slot in one.slots)
    tides = list[Tide]()
    for fleet in served.fleets:
        name = fleet.model.name
        slots = [replica.slot for replica in fleet.staying if replica.replica_id not in gone]
        slots += [start.slot for start in served.starts if start.revised == fleet.model.revised]
        course = tuple(level for level in fleet.demand.course if level.at_s > draft.snapshot.taken_at_s)
        slots += draft.reservations.of(name)
        beyond = max(0, len(slots) - fleet.wanted) if fleet.model.survive_host_losses else 0
        tides.append(Tide(fleet.model, tuple(slots), tuple(held.get(name, ())), course, beyond))
    return tuple(tides) if any(tide.course for tide in tides) else ()


@dataclass(frozen=True, eq=False)
class Sitting:
    """A job that has room from before a moment until a time, epoch seconds."""

    job: TrainingJob
    slots: tuple[Slot, ...]
    end_s: float


class Hours:
    """One way in which the coming hours may go."""

    def __init__(
        self,
        draft: Draft,
        tides: Sequence[Tide],
        sitting: Sequence[Sitting],
        ends_s: NDArray[np.float64],
        *,
        high: bool,
    ) -> None:
        """Begin now.

        Args:
            draft: what the plan decided.
            tides: of the models.
            sitting: who starts now or has room reserved.
            ends_s: float64 (J,), when each running job of the snapshot is over, all after now.
            high: whether serving needs as much as by its quantile, not by the middle.
        """
        running = draft.snapshot.running
        self._draft, self._at_s, self._ends_s = draft, draft.snapshot.taken_at_s, ends_s
        self._room = draft.room.copy()
        self._tides, self._high = tides, high
        self._replicas = {tide.model.name: list(tide.slots) for tide in tides}
        self._held = {tide.model.name: list(tide.held) for tide in tides}
        self._sitting = list(sitting)
        stopped = set(draft.gone)
        self._gone = running.leaving.copy()
        if stopped:
            self._gone |= np.array([job.job_id in stopped for job in running.jobs], dtype=bool)

    def start_s(
        self,
        job: TrainingJob,
        ahead: Sequence[TrainingJob],
        lengths_s: Mapping[str, float],
        goes_first: Callable[[TrainingJob, float], bool],
    ) -> float:
        """Return when a waiting job has room for its fewest workers, epoch seconds; infinity when that is never.

        Args:
            job: the job.
            ahead: waiting jobs that are tried before it, in their order.
            lengths_s: how long each of them runs, by id; infinity where it is not known.
            goes_first: whether a job that is stopped is tried before it from that moment on, epoch seconds.
        """
        waiting = [(other, lengths_s[other.job_id]) for other in ahead]
        for until_s in (*sorted({level.at_s for tide in self._tides for level in tide.course}), inf):
            may_begin = until_s == inf or self._may_begin([job, *(other for other, _ in waiting)], until_s)
            booked = self._booked(job, waiting) if may_begin else []
            own_s = max(next((made.start_s for made in booked if made.job is job), inf), job.not_before_s)
            if own_s < until_s or until_s == inf:
                return own_s
            begun = [made for made in booked if made.job is not job and made.start_s < until_s]
            names = {made.job.job_id for made in begun}
            waiting = [pair for pair in waiting if pair[0].job_id not in names]
            self._go_to(until_s, begun)
            stopped = [victim for tide in self._tides for victim in self._change(tide, until_s)]
            waiting += [(one.job, self._left_s(one)) for one in stopped if goes_first(one.job, until_s)]
        return inf

    def _booked(self, job: TrainingJob, waiting: Sequence[tuple[TrainingJob, float]]) -> list[PlannedStart]:
        """Return the bookings that a plan would make at this moment, whatever serving does later."""
        snapshot = self._draft.snapshot
        running = replace(snapshot.running, ends_s=self._ends_s, leaving=self._gone)
        snapshot = replace(snapshot, taken_at_s=self._at_s, running=running)
        leaving = [snapshot.by_id[job_id] for job_id in self._draft.gone]
        bookings = Bookings(snapshot, self._room, self._draft.scorer, len(waiting) + 1, leaving)
        if not self._tides:
            bookings.expect_falls(self._draft.bookings.falls)
        bookings.note((), [Release(one.end_s, one.slots, one.job.gang.shape) for one in self._sitting])
        for other, length_s in waiting:
            bookings.book(replace(other, max_runtime_s=length_s, doubt=1.0))
        bookings.book(job)
        return list(bookings)

    def _may_begin(self, jobs: Sequence[TrainingJob], until_s: float) -> bool:
        """Whether any of these fits once all has ended that ends until a moment: until then room only grows."""
        room = CachedTrial(self._room.coming)
        self._leave(room, until_s)
        return any(takes(room, job.gang) for job in jobs)

    def _leave(self, room: CachedTrial, at_s: float) -> None:
        """Add the room of all who end until a moment."""
        running = self._draft.snapshot.running
        over = ~self._gone & (self._ends_s <= at_s)
        entries = np.flatnonzero(over[running.who])
        rows, place = np.unique(running.row[entries], return_inverse=True)
        freed = np.zeros((len(rows), running.freed.shape[1]), dtype=np.int64)
        np.add.at(freed, place, running.freed[entries])
        room.release(rows, freed)
        for one in (one for one in self._sitting if one.end_s <= at_s):
            room.give_all(one.slots, one.job.gang.shape)

    def _go_to(self, at_s: float, begun: Sequence[PlannedStart]) -> None:
        """Let all end that ends until a moment, and begin who begins before it."""
        room = self._room.coming
        self._leave(room, at_s)
        self._gone = self._gone | (self._ends_s <= at_s)
        for made in (made for made in begun if made.end_s > at_s):
            room.take_all(made.slots, made.job.gang.shape)
        began = [Sitting(made.job, made.slots, made.end_s) for made in begun]
        self._sitting = [one for one in (*self._sitting, *began) if one.end_s > at_s]
        self._at_s = at_s

    def _change(self, tide: Tide, at_s: float) -> list[Sitting]:
        """Give a model as many replicas as it wants from a moment on, and return who is stopped for it."""
        most = tide.most_at(at_s, high=self._high)
        model, replicas, coming = tide.model, self._replicas[tide.model.name], self._room.coming
        if most is None or most <= len(replicas):
            self._fall(model, replicas, 0 if most is None else len(replicas) - most)
            return []
        more = most - len(replicas)
        held = self._held[model.name]
        for slot, shape in held[:more]:
            coming.give_all((slot,), shape)
        del held[:more]
        more -= self._rise(model, more)
        stopped = self._stopped_for(self._need(model, more)) if more else []
        self._rise(model, more if stopped else 0)
        return stopped

    def _fall(self, model: ServingModel, replicas: list[Slot], fewer: int) -> None:
        """Let replicas go, those on the emptiest hosts first."""
        coming = self._room.coming
        free = {slot: int(coming.gpu_milli[coming.row(slot.host)].clip(min=0).sum()) for slot in replicas}
        for slot in sorted(replicas, key=lambda slot: (-free[slot], slot))[:fewer]:
            coming.give_all((slot,), model.shape)
            replicas.remove(slot)

    def _need(self, model: ServingModel, count: int) -> Need:
        if not model.max_per_host:
            return Need(model.shape, count, NO_LIMIT)
        rows = [self._room.coming.row(slot.host) for slot in self._replicas[model.name]]
        there = np.bincount(np.array(rows, dtype=np.int64), minlength=len(self._room.coming.cpu_milli))
        return Need(model.shape, count, np.maximum(model.max_per_host - there, 0))

    def _rise(self, model: ServingModel, count: int) -> int:
        """Place as many replicas as there is free room for, at most so many, and return how many that are."""
        need, coming = self._need(model, count), self._room.coming
        units = need.fitting(coming.units(model.shape))
        count = min(count, int(units.sum()))
        if count > 0:
            rows = fewest_hosts(units, count, coming.score(model.shape, self._draft.scorer))
            self._replicas[model.name] += coming.put(rows, model.shape)
        return count

    def _stopped_for(self, need: Need) -> list[Sitting]:
        """Stop training for as much of a need as that can make room for."""
        coming, candidates = self._room.coming, self._candidates()
        possible = int(need.fitting(candidates.units_if_all_stopped(coming, need.shape)).sum())
        victims = victims_for(replace(need, count=min(need.count, possible)), coming, candidates) if possible else ()
        return [self._stop(victim, candidates) for victim in victims or ()]

    def _stop(self, victim: Victim, candidates: Candidates) -> Sitting:
        """Take a victim's room from it, and return until when it would have had it."""
        row, job = int(candidates.order[victim.index]), victim.job
        self._room.coming.give_all(self._known(job.slots), job.gang.shape)
        if row < len(self._gone):
            self._gone = self._gone.copy()
            self._gone[row] = True
            return Sitting(job, job.slots, float(self._ends_s[row]))
        one = next(one for one in self._sitting if one.job.job_id == job.job_id)
        self._sitting.remove(one)
        return one

    def _candidates(self) -> Candidates:
        """Return who may be stopped at this moment: of what runs now, and of what has begun since."""
        snapshot, draft = self._draft.snapshot, self._draft
        if not self._sitting:
            known = draft.stoppable.candidates
            return known.only(~self._gone[known.order[known.who]])
        begun = [
            replace(one.job, state=JobState.RUNNING, slots=one.slots, started_at_s=self._at_s) for one in self._sitting
        ]
        running = snapshot.running.having([(len(self._gone), job) for job in begun], snapshot.ledger.table)
        may_stop = running.stoppable & ~np.append(self._gone, np.zeros(len(begun), dtype=bool))
        return Candidates.of(running, may_stop, draft.policy.victim_cost(running, self._at_s))

    def _left_s(self, one: Sitting) -> float:
        return max(one.end_s - self._at_s, LEAST_LEFT_S)

    def _known(self, slots: Sequence[Slot]) -> list[Slot]:
        return [slot for slot in slots if slot.host in self._room.coming.table.rows]
