"""Room booked ahead for the first jobs of the queue that find none, and what may go on in its shadow until then.

A booking says from when on a blocked job has its slots, by the ends that are expected of what runs. A job behind it
starts only where it delays no booking: it is over before, or takes room that no booking needs then. Nobody keeps a
booking over a plan: each makes them anew, and what started in between has delayed none, so they only come nearer
unless somebody runs for longer than expected.

A ledger is kept for the moment of each booking: what will be free then, all bookings taken off. Room only grows between
these moments, so that looking at them, and at now, is looking at all the time.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler.model.policy import Scorer
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, TrainingJob
from scheduler.planning.ledgers.spans import Booked, spans
from scheduler.planning.placement.availability import ExpectedScaleDown, PlannedStart, Release, going_on
from scheduler.planning.placement.cached_trial import CachedTrial, ElementwiseMinimum
from scheduler.planning.placement.expected_releases import ExpectedReleases
from scheduler.planning.placement.need import GangNeed
from scheduler.planning.placement.placing import hosts_for_gang
from scheduler.planning.placement.room import Room

MOST_TRIES: Final = 16
"""Gangs for which a booking is looked for in vain in one plan."""
MOST_FALL_TRIES: Final = 2
"""Of these so many for which what serving is expected to leave is looked at, too: all ends are put in order anew."""

Withdrawn: TypeAlias = tuple[int, Booked]
"""One that was taken back, with its place among all in queue order."""


class Bookings:
    """The bookings of one planning run, and the room that they leave to others."""

    def __init__(
        self, snapshot: Snapshot, room: Room, scorer: Scorer, most: int, leaving: Iterable[TrainingJob] = ()
    ) -> None:
        """Start without any.

        Args:
            snapshot: who runs where, and until when.
            room: what is free and coming; it is followed.
            scorer: the site's placement score.
            most: how many are made.
            leaving: running jobs that are being stopped by this plan already.
        """
        self._snapshot, self._room, self._scorer, self._most = snapshot, room, scorer, most
        self._now_s = snapshot.taken_at_s
        self._gone = {job.job_id for job in leaving}
        self.falls: Callable[[], Sequence[ExpectedScaleDown]] = tuple
        self._made: list[PlannedStart] = []
        self._at: list[Booked] = []
        self._starts_s = np.empty(0)
        self._windows: dict[tuple[int, bool], ElementwiseMinimum] = {}
        self._releases: list[Release] = []
        self._noted = 0
        self._ends: tuple[frozenset[JobId], int, ExpectedReleases] | None = None
        self._hopeless: dict[tuple[Shape, int, str, float], int] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._at)

    def __iter__(self) -> Iterator[PlannedStart]:
        """Yield them in queue order."""
        return iter(self._made)

    @property
    def are_enough(self) -> bool:
        """Whether no more are made in this run."""
        return len(self._at) >= self._most or len(self._hopeless) >= MOST_TRIES

    def expect_falls(self, falls: Callable[[], Sequence[ExpectedScaleDown]]) -> None:
        """Let bookings count on the room that serving is expected to leave, worked out when it is needed."""
        self.falls = falls

    def met(self, runtime_s: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how many of them begin before jobs would be over that run for so long, int64, each from float64 (N,).

        Those that meet as many meet the same.
        """
        return np.searchsorted(self._starts_s, self._now_s + runtime_s, side="left")

    def room_for(self, job: TrainingJob) -> CachedTrial:
        """Return the room in which a job may start now without delaying a booking."""
        return self.room_until(self._now_s + job.runtime_s)

    def coming_for(self, job: TrainingJob) -> CachedTrial:
        """Return the room being freed that may be reserved for a job without delaying a booking."""
        return self.coming_until(self._now_s + job.runtime_s)

    def leave(self, job: TrainingJob) -> None:
        """Count no longer on a running job's end: it is stopped."""
        self._gone.add(job.job_id)
        self.note([going_on(job, self._now_s)], ())

    def stay(self, job: TrainingJob) -> None:
        """Count on its end again: it is not stopped after all."""
        self._gone.discard(job.job_id)
        self.note((), [going_on(job, self._now_s)])

    def are_delayed(self, slots: Sequence[Slot]) -> bool:
        """Whether what somebody has in these slots leaves any booking short of room."""
        return any(room.overdrawn(slots) for _, room in self._at)

    def note(self, given: Sequence[Release], taken: Sequence[Release]) -> None:
        """Note what somebody no longer has, and what somebody has from about now on, each with when it is left."""
        for each in given:
            if not each.is_known and each in self._releases:
                self._releases.remove(each)
                self._noted += 1
        for each in taken:
            if not each.is_known and isfinite(each.at_s):
                self._releases.append(each)
                self._noted += 1
        for booking, room in self._at:
            for each in given:
                if booking.start_s < each.at_s:
                    room.give_all(self._known(each.slots), each.shape)
            for each in taken:
                if booking.start_s < each.at_s:
                    room.take_all(self._known(each.slots), each.shape)

    def room_until(self, ends_s: float) -> CachedTrial:
        """Return the room that somebody may have from now on until a time without delaying a booking."""
        return self._window(ends_s, self._room.now, coming=False)

    def coming_until(self, ends_s: float) -> CachedTrial:
        """Return the room being freed that somebody may have until a time without delaying a booking."""
        return self._window(ends_s, self._room.coming, coming=True)

    def withdraw(self, job: TrainingJob) -> list[Withdrawn]:
        """Take back a job's booking, and return it, if it has one."""
        return [self._withdraw(pair) for pair in self._at if pair[0].job is job]

    def restore(self, withdrawn: Withdrawn) -> None:
        """Put back what was withdrawn; meanwhile nothing else must have changed."""
        place, (booking, room) = withdrawn
        for other in self._rooms_during(booking):
            other.take_all(booking.slots, booking.job.gang.shape)
        self._made.insert(place, booking)
        self._at.append((booking, room))
        self._look_anew()

    def book(self, job: TrainingJob) -> bool:
        """Book room for a blocked job at the earliest time at which its whole gang fits, unless there are enough.

        Where what training leaves is never enough, the room counts that serving is expected to leave: for a job that
        gives way again when serving needs more.

        Returns:
            Whether it was booked.
        """
        if self.are_enough:
            return False
        gang = job.gang
        key = (gang.shape, gang.max_per_host, gang.require_same, job.runtime_s)
        if gang.workers >= self._hopeless.get(key, gang.workers + 1):
            return False
        found = next(self._fits(job), None)
        if found is None and job.preemptible and len(self._hopeless) < MOST_FALL_TRIES and (falls := self.falls()):
            found = next(self._fits(job, falls), None)
        if found is None:
            self._hopeless[key] = gang.workers
            return False
        self.restore((len(self._made), found))
        return True

    def _withdraw(self, pair: Booked) -> Withdrawn:
        booking, place = pair[0], self._made.index(pair[0])
        del self._made[place]
        self._at = [other for other in self._at if other is not pair]
        for room in self._rooms_during(booking):
            room.give_all(booking.slots, booking.job.gang.shape)
        self._look_anew()
        return place, pair

    def _rooms_during(self, booking: PlannedStart) -> list[CachedTrial]:
        """Return what is free when other bookings begin during one."""
        return [room for other, room in self._at if booking.start_s <= other.start_s < booking.end_s]

    def _look_anew(self) -> None:
        self._at.sort(key=lambda pair: pair[0].start_s)
        self._starts_s = np.array([made.start_s for made, _ in self._at])
        self._windows.clear()

    def _window(self, ends_s: float, room: CachedTrial, *, coming: bool) -> CachedTrial:
        within = self._within(ends_s)
        if not within:
            return room
        key = (len(within), coming)
        if key not in self._windows:
            self._windows[key] = ElementwiseMinimum([room, *(later for _, later in within)])
        return self._windows[key].caught_up()

    def _within(self, ends_s: float) -> list[Booked]:
        """Return the bookings that begin before a moment."""
        return [pair for pair in self._at if pair[0].start_s < ends_s]

    def _fits(self, job: TrainingJob, falls: Sequence[ExpectedScaleDown] = ()) -> Iterator[Booked]:
        """Yield bookings that delay none, with what is free at their time; the earliest first."""
        ends, need = self._expected_ends(), GangNeed.of(job.gang, self._room.coming.table)
        if falls:
            ends = ends.with_also([*self._releases, *(fall.release for fall in falls)])
            self._ends = None  # those who look next do not count on it
        for begins_s, until_s, within in spans(self._at, self._now_s, job.runtime_s):
            base = self._base_at(begins_s)
            ceiling = ElementwiseMinimum([room for _, room in within]) if within else None
            fit_s = ends.first_fit_s(need, base, ceiling, until_s)
            if fit_s is None:
                continue
            start_s = max(fit_s, begins_s)
            room = ends.room_at(start_s, base)
            usable = CachedTrial(room) if ceiling is None else ElementwiseMinimum([room, ceiling])
            rows = hosts_for_gang(usable, job.gang, self._scorer)
            if rows is not None:
                slots = usable.put(rows, job.gang.shape)
                room.take_all(slots, job.gang.shape)
                used = (fall.model for fall in falls if fall.release.at_s <= start_s and fall.is_on(slots))
                models = tuple(dict.fromkeys(used))
                yield PlannedStart(job, start_s, start_s + job.runtime_s, slots, models), room

    def _base_at(self, at_s: float) -> CachedTrial:
        """Return what is coming, without what is booked at a moment."""
        active = [booking for booking, _ in self._at if booking.start_s <= at_s < booking.end_s]
        if not active:
            return self._room.coming
        base = CachedTrial(self._room.coming)
        for booking in active:
            base.take_all(booking.slots, booking.job.gang.shape)
        return base

    def _expected_ends(self) -> ExpectedReleases:
        """Return when room is left by what runs and is not being stopped, and by what this plan starts."""
        gone, known, snapshot = frozenset(self._gone), self._ends, self._snapshot
        if known is not None and known[:2] == (gone, self._noted):
            return known[2]
        if known is None or known[0] != gone:
            jobs = [snapshot.by_id[job_id] for job_id in gone]
            ends = ExpectedReleases(snapshot.running, snapshot.ledger.table, self._now_s, jobs)
        else:
            ends = known[2]
        self._ends = (gone, self._noted, ends.with_also(self._releases))
        return ends

    def _known(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return those on hosts that are there."""
        rows = self._room.coming.table.rows
        return [slot for slot in slots if slot.host in rows]
