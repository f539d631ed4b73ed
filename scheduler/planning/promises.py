"""Who has been promised which slots, and until when: room that is being freed, or free, for one holder only."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from scheduler.model.plan import Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, TrainingJob
from scheduler.planning.room import Counted, Room, fits_in


class Promises:
    """Who has been promised which slots; taken off the room that is coming as long as they stand.

    Attributes:
        lapsed: holders whose promise expired now: they get no new one in this run, so that they block nobody for ever.
    """

    def __init__(self, snapshot: Snapshot, reservation_s: float, room: Room) -> None:
        """Take over the promises that still mean something; `room` must already expect all that is being freed."""
        self._now_s, self._reservation_s, self._room = snapshot.taken_at_s, reservation_s, room
        self._shapes: dict[str, Shape] = {model.name: model.shape for model in snapshot.models}
        self._jobs = snapshot.by_id
        wanted = [promise for promise in snapshot.reservations if self._may_hold(promise.holder)]
        known = _Terms(snapshot, reservation_s, room)
        kept = {promise.holder: known.of(promise) for promise in wanted}
        self.lapsed = frozenset(holder for holder, promise in kept.items() if promise.expires_s <= self._now_s)
        self._before = {holder: promise for holder, promise in kept.items() if holder not in self.lapsed}
        self._slots: dict[str, tuple[Slot, ...]] = {}
        self.restore({holder: promise.slots for holder, promise in self._before.items()})

    def _may_hold(self, holder: str) -> bool:
        """Whether a promise means something: to a model, or a job that waits, or is being moved and will."""
        job = self._jobs.get(holder)
        if holder in self._shapes or job is None:
            return holder in self._shapes
        return job.state.is_waiting or (job.state is JobState.PREEMPTING and not job.stop_asked)

    def _shape_of(self, holder: str) -> Shape:
        return self._shapes[holder] if holder in self._shapes else self._jobs[holder].gang.shape

    def promise_at(self, job: TrainingJob, slots: Sequence[Slot]) -> None:
        """Promise a job that runs, and is told to stop now, these slots, which must fit into what is coming."""
        self._room.promise_at(slots, job.gang.shape)
        self._slots[job.job_id] = tuple(slots)

    def lift(self, holder: str) -> tuple[Slot, ...]:
        """Withdraw the promise to a holder and return its slots, () when there is none."""
        slots = self._slots.pop(holder, ())
        if slots:
            self._room.expect(slots, self._shape_of(holder))
        return slots

    def lift_all_but(self, holders: Collection[str]) -> dict[str, tuple[Slot, ...]]:
        """Withdraw the promises to everybody else and return them."""
        return {holder: self.lift(holder) for holder in sorted(set(self._slots) - set(holders))}

    def restore(self, lifted: dict[str, tuple[Slot, ...]]) -> None:
        """Make promises again as far as they still fit."""
        for holder, slots in lifted.items():
            self.renew(holder, slots)

    def renew(self, holder: str, slots: Sequence[Slot]) -> bool:
        """Promise these very slots if they all fit into what is coming; say whether they do."""
        if not slots:
            return False
        shape = self._shape_of(holder)
        fits = fits_in(self._room.coming, slots, shape)
        if fits:
            self._room.promise_at(slots, shape)
            self._slots[holder] = (*self._slots.get(holder, ()), *slots)
        return fits

    def promise(self, holder: str, rows: Sequence[int], usable: Counted | None = None) -> tuple[Slot, ...]:
        """Promise one unit on each host row, where it must fit into what is coming (and usable), and return where."""
        slots = self._room.promise(rows, self._shape_of(holder), usable)
        if slots:
            self._slots[holder] = (*self._slots.get(holder, ()), *slots)
        return slots

    def of(self, holder: str) -> tuple[Slot, ...]:
        """Return what is promised to a holder."""
        return self._slots.get(holder, ())

    def holders(self) -> tuple[tuple[str, Shape, tuple[Slot, ...]], ...]:
        """Return all promises as (holder, shape, slots), by holder."""
        return tuple((holder, self._shape_of(holder), slots) for holder, slots in sorted(self._slots.items()))

    def in_force(self) -> tuple[Reservation, ...]:
        """Return the reservations after this run, by holder; one of no other room than before keeps its term."""
        return tuple(self._reserved(holder, slots) for holder, slots in sorted(self._slots.items()))

    def _reserved(self, holder: str, slots: tuple[Slot, ...]) -> Reservation:
        before = self._before.get(holder)
        if before is None or not set(slots) <= set(before.slots):
            return Reservation(holder, slots, self._now_s, self._now_s + self._reservation_s)
        return replace(before, slots=slots)


class _Terms:
    """When promises of earlier plans end: their term counts from when their room is free."""

    def __init__(self, snapshot: Snapshot, reservation_s: float, room: Room) -> None:
        self._snapshot, self._reservation_s, self._room = snapshot, reservation_s, room
        self._shapes = {model.name: model.shape for model in snapshot.models}

    def of(self, promise: Reservation) -> Reservation:
        """Return a promise with the end of its term as it is now known.

        While its room is being freed the term has not begun. Whoever should have left and has not, longer after his
        grace than a term, is not waited for any more: then the term runs, so that nobody is blocked for ever.
        """
        now_s = self._snapshot.taken_at_s
        if promise.expires_s >= now_s + self._reservation_s or self._is_free(promise):
            return promise
        if now_s >= promise.since_s + self._longest_grace_s(promise) + self._reservation_s:
            return promise
        return replace(promise, expires_s=now_s + self._reservation_s)

    def _is_free(self, promise: Reservation) -> bool:
        job = self._snapshot.by_id.get(promise.holder)
        return fits_in(self._room.now, promise.slots, job.gang.shape if job else self._shapes[promise.holder])

    def _longest_grace_s(self, promise: Reservation) -> float:
        """Return the longest grace of those who leave the hosts of a promise."""
        running, hosts = self._snapshot.running, {slot.host for slot in promise.slots}
        leaving = (running.jobs[index] for index in np.flatnonzero(running.leaving))
        graces_s = (job.grace_period_s for job in leaving if any(slot.host in hosts for slot in job.slots))
        return max(graces_s, default=0.0)
