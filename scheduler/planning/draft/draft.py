"""The working state of one call of `plan()`, and the only owner of its ledgers.

Room, reservations, bookings, what queues hold and who may still be stopped change together, through one verb each:
`start`, `reserve`, `release`, `stop`, `restart_as`, `spare`, `hold`, `book`. A shrink, a growth and a move are all a
stop with a reservation. What is only tried is done in a `trial()`: whatever is not kept is undone, the last change
first.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf

import numpy as np

from scheduler.model.plan import Cause, PeakHold, PreemptJob
from scheduler.model.policy import Policy
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import ReplicaState, TrainingJob
from scheduler.planning.draft.changes import Ledgers, Preemption, Withdrawn
from scheduler.planning.ledgers.bookings import Bookings
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.ledgers.reservations import Reservations
from scheduler.planning.placement.availability import Release
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.room import Room, fits_in
from scheduler.planning.preemption.stoppable import Stoppable


class Line:
    """Waiting jobs in the order in which they are tried; gone through again it is the same order."""

    def __init__(self, order: Iterable[TrainingJob]) -> None:
        """Take an order that is worked out as it is asked for."""
        self._known = list(order) if isinstance(order, tuple) else []
        self._coming = iter(()) if isinstance(order, tuple) else iter(order)

    def __iter__(self) -> Iterator[TrainingJob]:
        """Yield what was asked for before, then what comes."""
        yield from self._known
        position = len(self._known)
        while position < len(self._known) or self._ask():
            yield self._known[position]
            position += 1

    def _ask(self) -> bool:
        job = next(self._coming, None)
        if job is not None:
            self._known.append(job)
        return job is not None


class Draft(Ledgers):
    """What one planning run works on: the verbs; see the module's docstring."""

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

    def start(self, job: TrainingJob, rows: Sequence[int], usable: CachedTrial | None = None) -> tuple[Slot, ...]:
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

    def withdraw(self, job: TrainingJob) -> Withdrawn:
        """Have a waiting job wait on that starts, or has room reserved, by this plan."""
        slots = self.placed[job.job_id]
        if slots:
            self._unstarted(job, slots)
            return Withdrawn(job, slots, started=True)
        slots = self.release(job.job_id)
        self._unplace(job)
        return Withdrawn(job, slots, started=False)

    def give_back(self, one: Withdrawn) -> None:
        """Let a job have what it had, if that is free yet, its queue may hold it, and no booking is delayed."""
        job, slots = one.job, one.slots
        if self.quotas is not None and self.quotas.refusal(job):
            return
        with self.trial() as trial:
            if one.started and fits_in(self.room.now, slots, job.gang.shape):
                self.room.start_at(slots, job.gang.shape)
                self._started(job, slots)
            elif one.started or not self.reserve_at(job.job_id, slots):
                return
            if not self.bookings.are_delayed(slots):
                trial.keep()

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

    def reserve(self, holder: str, rows: Sequence[int], usable: CachedTrial | None = None) -> tuple[Slot, ...]:
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

    def may_spare(self, preemption: Preemption) -> None:
        """Have it looked at in the end whether fewer victims would do."""
        self.preemptions.append(preemption)
        self._log(self.preemptions.remove, preemption)


def _with(holds: tuple[PeakHold, ...], more: PeakHold) -> tuple[PeakHold, ...]:
    """Return the holds with one more; what is held for the same peak one after the other is one hold."""
    last = holds[-1] if holds else None
    if last is not None and (last.models, last.shape, last.until_s) == (more.models, more.shape, more.until_s):
        return (*holds[:-1], replace(more, slots=(*last.slots, *more.slots)))
    return (*holds, more)


def _expect_what_is_leaving(snapshot: Snapshot, room: Room, ended: Sequence[TrainingJob]) -> None:
    leaving = [snapshot.running.jobs[index] for index in np.flatnonzero(snapshot.running.leaving)]
    for job in (*leaving, *ended):
        room.expect(job.slots, job.gang.shape)
    shapes = {model.name: model.shape for model in snapshot.models}
    for replica in snapshot.replicas:
        if replica.state is ReplicaState.STOPPING:
            room.expect((replica.slot,), shape_held(replica, shapes))
