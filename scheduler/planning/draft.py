"""The working state of one call of `plan()`, and the only owner of its ledgers.

Room, reservations, bookings, what queues hold and who may still be stopped change together, through one verb each:
`start`, `reserve`, `release`, `stop`, `restart_as`, `spare`, `hold`, `book`. A shrink, a growth and a move are all a
stop with a reservation. What is only tried is done in a `trial()`: whatever is not kept is undone, the last change
first.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf

import numpy as np

from scheduler.model.plan import Cause, PeakHold, PreemptJob
from scheduler.model.policy import Policy, Scorer
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import ReplicaState, TrainingJob
from scheduler.planning.bookings import Bookings
from scheduler.planning.line import Line
from scheduler.planning.needs import Need
from scheduler.planning.preemption import stop_order
from scheduler.planning.quotas import Quotas
from scheduler.planning.reservations import Reservations
from scheduler.planning.room import Counted, Room, fits_in
from scheduler.planning.roster import Roster, Victim
from scheduler.planning.stoppable import Stoppable
from scheduler.planning.timetable import Release, beginning_anew


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


class Attempt:
    """Changes that are undone unless they are kept."""

    kept = False

    def keep(self) -> None:
        """Have them stand."""
        self.kept = True


@dataclass
class Draft:
    """What one planning run works on.

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
        placed: ids of waiting jobs that start or have room reserved.
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
    placed: set[str] = field(default_factory=set)
    spared: dict[Hashable, tuple[Roster, Roster]] = field(default_factory=dict)
    in_vain: set[tuple[str, int]] = field(default_factory=set)
    weighed: int = 0
    _undo: ExitStack | None = None

    @classmethod
    def of(cls, snapshot: Snapshot, policy: Policy, ended: Sequence[PreemptJob] = ()) -> "Draft":
        """Start a run in which the jobs of `ended` are already being stopped, with the reservations of earlier runs."""
        room, jobs = Room(snapshot.ledger), [snapshot.by_id[order.job_id] for order in ended]
        _expect_what_is_leaving(snapshot, room, jobs)
        scorer = policy.placement_score(snapshot.ledger, snapshot.work)
        draft = cls(
            snapshot,
            policy,
            scorer,
            room,
            Reservations(snapshot, policy.reservation_s, room),
            Bookings(snapshot, room, scorer, policy.bookings, jobs),
            None if all(queue.is_plain for queue in snapshot.queues) else Quotas(snapshot, room.now),
            Stoppable(snapshot, policy, jobs),
            tuple(ended),
        )
        if draft.quotas is not None:
            draft.quotas.stop(jobs)
        draft.reserve_again({holder: one.slots for holder, one in draft.reservations.former.items()})
        return draft

    @property
    def gone(self) -> tuple[str, ...]:
        """Ids of jobs that are stopped: those for somebody, then those whatever the room."""
        return (*self.stops, *(order.job_id for order in self.ended))

    @cached_property
    def queue(self) -> Line:
        """All waiting jobs in the order in which they are tried."""
        return Line(self.policy.queue_order(self.snapshot, self.placed))

    @contextmanager
    def trial(self) -> Iterator[Attempt]:
        """Try changes: those that are not kept are undone at the end, the last one first."""
        outer, self._undo = self._undo, ExitStack()
        grown, roster, spared = self.room.grown, self.stoppable.known, self.spared
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
                self.stoppable.known = roster

    def start(self, job: TrainingJob, rows: Sequence[int], usable: Counted | None = None) -> tuple[Slot, ...]:
        """Start a job, or more workers of one that starts, on each host row, in what is usable now; return where."""
        slots = self.room.start(rows, job.gang.shape, usable)
        self._started(job, slots)
        return slots

    def start_reserved(self, job: TrainingJob) -> tuple[Slot, ...]:
        """Start a job in its reservation if all of that is free by now; () when it is not, or there is none."""
        if not self.reservations.of(job.job_id):
            return ()
        grown = self.room.grown
        with self.trial() as trial:
            slots = self.release(job.job_id)
            if not fits_in(self.room.now, slots, job.gang.shape):
                return ()
            self.room.start_at(slots, job.gang.shape)
            self._started(job, slots)
            trial.keep()
        self.room.grown = grown  # nobody else could have had what was reserved
        return slots

    def start_replicas(self, model: str, rows: Sequence[int]) -> tuple[Slot, ...]:
        """Start a replica of a model on each host row, where it must fit now, and return where."""
        shape = self.reservations.shape_of(model)
        slots = self.room.start(rows, shape)
        self._log(self.room.take_back, slots, shape)
        self._note((), [Release(inf, slots, shape)])
        return slots

    def stop_replica(self, slot: Slot, shape: Shape) -> None:
        """Stop a replica: its room is coming."""
        self._expect((slot,), shape)
        self._note([Release(inf, (slot,), shape)], ())

    def reserve(self, holder: str, rows: Sequence[int], usable: Counted | None = None) -> tuple[Slot, ...]:
        """Reserve a unit for a job or model on each host row, where it must fit in what is coming; return where."""
        shape = self.reservations.shape_of(holder)
        slots = self.room.reserve(rows, shape, usable)
        self._log(self.room.expect, slots, shape)
        self._reserved(holder, slots)
        return slots

    def reserve_at(self, holder: str, slots: Sequence[Slot]) -> bool:
        """Reserve these very slots if they all fit into what is coming; say whether they do."""
        fits = bool(slots) and fits_in(self.room.coming, slots, self.reservations.shape_of(holder))
        if fits:
            self._take(slots, self.reservations.shape_of(holder))
            self._reserved(holder, slots)
        return fits

    def reserve_again(self, released: Mapping[str, Sequence[Slot]]) -> None:
        """Reserve what was released, as far as it still fits."""
        for holder, slots in released.items():
            self.reserve_at(holder, slots)

    def release(self, holder: str) -> tuple[Slot, ...]:
        """Withdraw a reservation and return its slots, () when there is none."""
        slots = self.reservations.of(holder)
        if slots:
            self._expect(slots, self.reservations.shape_of(holder))
            self._put(holder, ())
        return slots

    def release_all_but(self, holders: Collection[str]) -> dict[str, tuple[Slot, ...]]:
        """Withdraw the reservations of everybody else and return them."""
        others = [holder for holder, _, _ in self.reservations.holders() if holder not in holders]
        return {holder: self.release(holder) for holder in others}

    def stop(self, preemption: Preemption) -> None:
        """Stop victims for somebody: their room is coming, they go on with what they keep, nobody is stopped twice."""
        self.stoppable.drop([victim.index for victim in preemption.victims])
        self.in_vain.clear()
        for victim in preemption.victims:
            self._leave(victim.job, preemption.cause, preemption.holder)
        for victim in preemption.victims:
            self._take(victim.keeps, victim.job.gang.shape)
            self._reserved(victim.job.job_id, victim.keeps)

    def restart_as(self, job: TrainingJob, slots: Sequence[Slot], cause: Cause) -> None:
        """Stop a running job so that it goes on in these slots, which must fit once it has left its own."""
        self.stoppable.drop(self.stoppable.place(job))
        self._leave(job, cause, "")
        self._take(slots, job.gang.shape)
        self._reserved(job.job_id, slots)

    def spare(self, job: TrainingJob) -> None:
        """Let a running job that was to be stopped go on; its room must not be needed any more."""
        self.release(job.job_id)
        self._log(setattr, self, "stops", self.stops)
        self.stops = {job_id: order for job_id, order in self.stops.items() if job_id != job.job_id}
        self._take(job.slots, job.gang.shape)
        self.bookings.stay(job)
        self._log(self.bookings.leave, job)
        self.spared = {}
        if self.quotas is not None:
            self.quotas.spare(job)

    def hold(self, models: tuple[str, ...], shape: Shape, rows: Sequence[int], until_s: float) -> tuple[Slot, ...]:
        """Hold room for a peak of models on each host row, where it must fit in what is coming, and return where."""
        slots, before = self.room.reserve(rows, shape), self.holds
        if slots:
            self._log(self.room.expect, slots, shape)
            self._note((), [Release(inf, slots, shape)])
            self._log(setattr, self, "holds", before)
            self.holds = _with(before, PeakHold(models, shape, slots, until_s))
        return slots

    def book(self, job: TrainingJob) -> None:
        """Book room for a blocked job from when on its whole gang fits, unless there are bookings enough."""
        if self.bookings.book(job):
            self._log(self.bookings.withdraw, job)

    def withdraw_booking(self, job: TrainingJob) -> None:
        """Take back a job's booking, if it has one."""
        for booked in self.bookings.withdraw(job):
            self._log(self.bookings.restore, booked)

    def place(self, job: TrainingJob) -> None:
        """Let the order of the queue know that a job whose reservation stands had its turn."""
        if job.job_id not in self.placed:
            self.placed.add(job.job_id)
            self._log(self.placed.discard, job.job_id)

    def may_spare(self, preemption: Preemption) -> None:
        """Have it looked at in the end whether fewer victims would do."""
        self.preemptions.append(preemption)
        self._log(self.preemptions.remove, preemption)

    def _started(self, job: TrainingJob, slots: tuple[Slot, ...]) -> None:
        if slots:
            self._log(self.room.take_back, slots, job.gang.shape)
            self._note((), [beginning_anew(job, slots, self.snapshot.taken_at_s)])
            self.place(job)
            if self.quotas is not None:
                self.quotas.start(job, slots)

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
        self.bookings.note(given, taken)
        self._log(self.bookings.note, taken, given)

    def _log(self, undo: Callable[..., object], *args: object) -> None:
        """Remember how the last change is undone, where it may have to be."""
        if self._undo is not None:
            self._undo.callback(undo, *args)


def _with(holds: tuple[PeakHold, ...], more: PeakHold) -> tuple[PeakHold, ...]:
    """Return the holds with one more; what is held for the same peak one after the other is one hold."""
    if holds and replace(holds[-1], slots=more.slots) == more:
        return (*holds[:-1], replace(more, slots=(*holds[-1].slots, *more.slots)))
    return (*holds, more)


def _expect_what_is_leaving(snapshot: Snapshot, room: Room, ended: Sequence[TrainingJob]) -> None:
    leaving = [snapshot.running.jobs[index] for index in np.flatnonzero(snapshot.running.leaving)]
    for job in (*leaving, *ended):
        room.expect(job.slots, job.gang.shape)
    shapes = {model.name: model.shape for model in snapshot.models}
    for replica in snapshot.replicas:
        if replica.state is ReplicaState.STOPPING:
            room.expect((replica.slot,), shape_held(replica, shapes))
