"""Whose room is reserved, and until when: room that is being freed, or free, for one holder only."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from scheduler.model.plan import Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState
from scheduler.planning.placement.room import Room, fits_in


class Reservations:
    """Slots by holder: a job, or a model. The draft takes them off the room that is coming as long as they stand.

    Attributes:
        lapsed: holders whose reservation expired now: they get no new one in this run, so that they block nobody for
            ever.
        former: the reservations of earlier plans that still mean something, by holder.
    """

    def __init__(self, snapshot: Snapshot, reservation_s: float, room: Room) -> None:
        """Read those of earlier plans, and make none yet; `room` must already expect all that is being freed."""
        self._now_s, self._reservation_s = snapshot.taken_at_s, reservation_s
        self._shapes: dict[str, Shape] = {model.name: model.shape for model in snapshot.models}
        self._jobs = snapshot.by_id
        wanted = [one for one in snapshot.reservations if self._may_hold(one.holder)]
        known = _Terms(snapshot, reservation_s, room)
        kept = {one.holder: known.of(one) for one in wanted}
        self.lapsed = frozenset(holder for holder, one in kept.items() if one.expires_s <= self._now_s)
        self.former = {holder: one for holder, one in kept.items() if holder not in self.lapsed}
        self._slots: dict[str, tuple[Slot, ...]] = {}

    def shape_of(self, holder: str) -> Shape:
        """Return what sits in each slot of a holder."""
        return self._shapes[holder] if holder in self._shapes else self._jobs[holder].gang.shape

    def of(self, holder: str) -> tuple[Slot, ...]:
        """Return what is reserved for a holder."""
        return self._slots.get(holder, ())

    def put(self, holder: str, slots: Sequence[Slot]) -> None:
        """Have exactly these slots reserved for a holder; () for none."""
        if slots:
            self._slots[holder] = tuple(slots)
        else:
            self._slots.pop(holder, None)

    def holders(self) -> tuple[tuple[str, Shape, tuple[Slot, ...]], ...]:
        """Return all reservations as (holder, shape, slots), by holder."""
        return tuple((holder, self.shape_of(holder), slots) for holder, slots in sorted(self._slots.items()))

    def in_force(self) -> Iterator[Reservation]:
        """Yield the reservations after this run, by holder; one of no other room than before keeps its term."""
        for holder, slots in sorted(self._slots.items()):
            before = self.former.get(holder)
            if before is None or not set(slots) <= set(before.slots):
                yield Reservation(holder, slots, self._now_s, self._now_s + self._reservation_s)
            else:
                yield replace(before, slots=slots)

    def _may_hold(self, holder: str) -> bool:
        """Whether a reservation means something: for a model, or a job that waits, or is being moved and will."""
        job = self._jobs.get(holder)
        if holder in self._shapes or job is None:
            return holder in self._shapes
        return job.state.is_waiting or (job.state is JobState.PREEMPTING and not job.stop_asked)


class _Terms:
    """When reservations of earlier plans end: their term counts from when their room is free."""

    def __init__(self, snapshot: Snapshot, reservation_s: float, room: Room) -> None:
        self._snapshot, self._reservation_s, self._room = snapshot, reservation_s, room
        self._shapes = {model.name: model.shape for model in snapshot.models}

    def of(self, reservation: Reservation) -> Reservation:
        """Return a reservation with the end of its term as it is now known.

        While its room is being freed the term has not begun. Whoever should have left and has not, longer after his
        grace than a term, is not waited for any more: then the term runs, so that nobody is blocked for ever.
        """
        now_s = self._snapshot.taken_at_s
        if reservation.expires_s >= now_s + self._reservation_s or self._is_free(reservation):
            return reservation
        if now_s >= reservation.since_s + self._longest_grace_s(reservation) + self._reservation_s:
            return reservation
        return replace(reservation, expires_s=now_s + self._reservation_s)

    def _is_free(self, reservation: Reservation) -> bool:
        job = self._snapshot.by_id.get(reservation.holder)
        shape = job.gang.shape if job else self._shapes[reservation.holder]
        return fits_in(self._room.now, reservation.slots, shape)

    def _longest_grace_s(self, reservation: Reservation) -> float:
        """Return the longest grace of those who leave the hosts of a reservation."""
        running, hosts = self._snapshot.running, {slot.host for slot in reservation.slots}
        leaving = (running.jobs[index] for index in np.flatnonzero(running.leaving))
        graces_s = (job.grace_period_s for job in leaving if any(slot.host in hosts for slot in job.slots))
        return max(graces_s, default=0.0)
