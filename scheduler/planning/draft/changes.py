"""The ledgers of a draft, the changes that keep them in step, and how what was only tried is undone."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf

from scheduler.model.plan import Cause, PeakHold, PreemptJob
from scheduler.model.policy import Policy, Scorer
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.ledgers.bookings import Bookings
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.ledgers.reservations import Reservations
from scheduler.planning.placement.availability import Release, beginning_anew
from scheduler.planning.placement.need import Need
from scheduler.planning.placement.room import Room
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.stoppable import Stoppable
from scheduler.planning.preemption.victims import stop_order


class Attempt:
    """Changes that are undone unless they are kept."""

    kept = False

    def keep(self) -> None:
        """Have them stand."""
        self.kept = True


@dataclass(frozen=True, eq=False)
class Preemption:
    """What victims are stopped for.

    Attributes:
        holder: job id or model name.
        need: all that is reserved for it.
        victims: who is stopped for it.
        cause: why.
    """

    holder: str
    need: Need
    victims: tuple[Victim, ...]
    cause: Cause


@dataclass(frozen=True)
class Withdrawn:
    """What a waiting job was given by this plan, and has no more.

    Attributes:
        job: who waits on.
        slots: where it was to start, or had room reserved.
        started: whether it was to start.
    """

    job: TrainingJob
    slots: tuple[Slot, ...]
    started: bool


@dataclass
class Ledgers:
    """What one planning run works on; `Draft` has the verbs that change it.

    Attributes:
        snapshot: what it was given.
        policy: likewise.
        scorer: its placement score, prepared for what is free in the snapshot.
        room: what is free, coming and usable.
        reservations: whose room is reserved.
        bookings: room booked ahead for blocked jobs.
        quotas: the accounts of the queues; None where queues have no terms.
        stoppable: who may still be stopped, and for whom.
        ended: jobs that are stopped whatever the room.
        stops: jobs that are stopped for somebody, by job id.
        preemptions: for what, in the order in which it was decided, where it may turn out that fewer would do.
        holds: room held for peaks.
        placed: waiting jobs that start or have room reserved, by id: where they start, () for a reservation.
        placings: how often that changed.
        spared: candidates that queues can spare, with those they were cut from, until somebody is stopped.
        in_vain: queues and gangs within guarantees that find nothing even where bookings do not count.
        weighed: how often it was weighed what follows from stopping one or another.
    """

    snapshot: Snapshot
    policy: Policy
    scorer: Scorer
    room: Room
    reservations: Reservations
    bookings: Bookings
    quotas: Quotas | None
    stoppable: Stoppable
    ended: tuple[PreemptJob, ...]
    stops: dict[str, PreemptJob] = field(default_factory=dict)
    preemptions: list[Preemption] = field(default_factory=list)
    holds: tuple[PeakHold, ...] = ()
    placed: dict[str, tuple[Slot, ...]] = field(default_factory=dict)
    placings: int = 0
    spared: dict[Hashable, tuple[Candidates, Candidates]] = field(default_factory=dict)
    in_vain: set[tuple[str, int]] = field(default_factory=set)
    weighed: int = 0
    _undo: ExitStack | None = None

    @contextmanager
    def trial(self) -> Iterator[Attempt]:
        """Try changes: those that are not kept are undone at the end, the last one first."""
        outer, self._undo = self._undo, ExitStack()
        grown, candidates, spared = self.room.grown, self.stoppable.known, self.spared
        if self.quotas is not None:
            self._undo.callback(self.quotas.saved())
        attempt = Attempt()
        try:
            yield attempt
        finally:
            undo, self._undo = self._undo, outer
            if attempt.kept and outer is not None:
                outer.callback(undo.pop_all().close)
            elif attempt.kept:
                undo.pop_all()
            else:
                undo.close()
                self.room.grown, self.spared = grown, spared
                self.stoppable.known = candidates

    def place(self, job: TrainingJob, slots: tuple[Slot, ...] = ()) -> None:
        """Let the order of the queue know that a job that starts, or whose reservation stands, had its turn."""
        before = self.placed.get(job.job_id)
        if before is None or (slots and not before):
            self._put_placed(job.job_id, slots)
            self._log(self._put_placed, job.job_id, before)

    def _put_placed(self, job_id: str, slots: tuple[Slot, ...] | None) -> None:
        self.placings += 1
        if slots is None:
            del self.placed[job_id]
        else:
            self.placed[job_id] = slots

    def _started(self, job: TrainingJob, slots: tuple[Slot, ...]) -> None:
        if slots:
            self._log(self.room.take_back, slots, job.gang.shape)
            self._note((), [beginning_anew(job, slots, self.snapshot.taken_at_s)])
            self.place(job, slots)
            if self.quotas is not None:
                self.quotas.start(job, slots)

    def _unstarted(self, job: TrainingJob, slots: tuple[Slot, ...]) -> None:
        self.room.take_back(slots, job.gang.shape)
        self._log(self.room.start_at, slots, job.gang.shape)
        self.room.grown += 1
        self._note([beginning_anew(job, slots, self.snapshot.taken_at_s)], ())
        self._unplace(job)
        if self.quotas is not None:
            self.quotas.withdraw(job, slots)

    def _unplace(self, job: TrainingJob) -> None:
        """Let the order of the queue know that a job had no turn after all."""
        self._log(self._put_placed, job.job_id, self.placed[job.job_id])
        self._put_placed(job.job_id, None)

    def _reserved(self, holder: str, more: Sequence[Slot]) -> None:
        job = self.snapshot.by_id.get(holder)
        if more and job is not None and job.state.is_waiting:
            self.place(job)
        if more:
            self._put(holder, (*self.reservations.of(holder), *more))

    def _put(self, holder: str, slots: tuple[Slot, ...]) -> None:
        """Have exactly these slots reserved; the room is the caller's part."""
        before, job = self.reservations.of(holder), self.snapshot.by_id.get(holder)
        self.reservations.put(holder, slots)
        self._log(self.reservations.put, holder, before)
        self._note(self._had_by(holder, before), self._had_by(holder, slots))
        if self.quotas is not None and job is not None:
            self.quotas.reserve(job, slots)
            if job.state.holds_room:
                self.spared = {}

    def _had_by(self, holder: str, slots: tuple[Slot, ...]) -> list[Release]:
        """Return what a holder has from now on: a job until it is over, a model for good."""
        job = self.snapshot.by_id.get(holder)
        if job is not None:
            return [beginning_anew(job, slots, self.snapshot.taken_at_s)] if slots else []
        return [Release(inf, slots, self.reservations.shape_of(holder))] if slots else []

    def _leave(self, job: TrainingJob, cause: Cause, beneficiary: str) -> None:
        self.stops[job.job_id] = stop_order(job, cause, self.snapshot.taken_at_s, beneficiary)
        self._log(self.stops.pop, job.job_id)
        self._expect(job.slots, job.gang.shape)
        self.bookings.leave(job)
        self._log(self.bookings.stay, job)
        self.spared = {}
        if self.quotas is not None:
            self.quotas.stop([job])

    def _expect(self, slots: Sequence[Slot], shape: Shape) -> None:
        self.room.expect(slots, shape)
        self._log(self.room.reserve_at, slots, shape)

    def _take(self, slots: Sequence[Slot], shape: Shape) -> None:
        self.room.reserve_at(slots, shape)
        self._log(self.room.expect, slots, shape)

    def _note(self, given: Sequence[Release], taken: Sequence[Release]) -> None:
        """Let the bookings know what somebody no longer has, and what somebody has from now on."""
        self.bookings.note(given, taken)
        self._log(self.bookings.note, taken, given)

    def _log(self, undo: Callable[..., object], *args: object) -> None:
        """Remember how the last change is undone, where it may have to be."""
        if self._undo is not None:
            self._undo.callback(undo, *args)
