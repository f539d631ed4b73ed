"""After any sequence of verbs, tried or kept, all ledgers of a draft agree with a draft that is counted anew."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.ledger import Trial
from scheduler.model.plan import Cause
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import JobState, ReplicaState, TrainingJob
from scheduler.planning.draft.changes import Preemption
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.quotas import Quotas
from scheduler.planning.placement.availability import Release, beginning_anew, going_on
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import need_of
from scheduler.planning.placement.placing import hosts_for_gang
from scheduler.planning.placement.room import fits_in
from scheduler.planning.preemption.candidates import Victim, worth_stopping

NOW_S = 10_000.0
RUNTIMES_S = (None, 100.0, 900.0, 4000.0, 20_000.0)
QUEUES = ("default", "a", "b")


@dataclass
class Told:
    """What was asked of a draft, one thing after the other: who started where, whose replica went."""

    started: list[tuple[TrainingJob, tuple[Slot, ...]]] = field(default_factory=list)
    served: list[tuple[tuple[Slot, ...], Shape]] = field(default_factory=list)
    left: list[tuple[Slot, Shape]] = field(default_factory=list)
    spared: set[str] = field(default_factory=set)

    def copy(self) -> "Told":
        """Return an independent copy."""
        return Told(list(self.started), list(self.served), list(self.left), set(self.spared))


def scene(rng: Random, kit: SimpleNamespace) -> Snapshot:
    snapshot: Snapshot = kit.crowded(rng).snapshot
    jobs = [replace(job, queue=rng.choice(QUEUES), max_runtime_s=rng.choice(RUNTIMES_S)) for job in snapshot.jobs]
    queues = tuple(
        Queue(name, Amounts(gpu_milli=rng.choice([None, 1000, 2000])), borrow_limit=Amounts(gpu_milli=8000))
        for name in QUEUES
    )
    again: Snapshot = kit.again(snapshot, jobs=jobs, queues=queues if rng.random() < 0.7 else ())
    return again


class Actor:
    """Somebody who asks a draft for anything at all that it allows."""

    def __init__(self, draft: Draft, rng: Random) -> None:
        """Begin with a new draft."""
        self.draft, self.rng, self.told = draft, rng, Told()
        self.verbs: list[Callable[[], None]] = [
            self.start, self.start, self.reserve, self.reserve, self.release, self.start_reserved, self.stop, self.stop,
            self.restart, self.spare, self.hold, self.start_replica, self.stop_replica, self.book, self.book,
            self.withdraw, self.leave, self.leave, self.attempt, self.attempt,
        ]  # fmt: skip

    def act(self) -> None:
        """Do one thing, if it is possible."""
        self.rng.choice(self.verbs)()

    def attempt(self) -> None:
        """Do several things, and keep them or not."""
        told, kept, before = self.told.copy(), self.rng.random() < 0.5, state_of(self.draft)
        with self.draft.trial() as trial:
            for _ in range(self.rng.randint(1, 4)):
                self.act()
            if kept:
                trial.keep()
        if not kept:
            self.told = told
            assert state_of(self.draft) == before

    def _waiting(self) -> list[TrainingJob]:
        started = {job.job_id for job, _ in self.told.started}
        reserved = {holder for holder, _, _ in self.draft.reservations.holders()}
        jobs = self.draft.snapshot.waiting
        return [job for job in jobs if job.job_id not in started and job.job_id not in reserved]

    def _pick(self, among: Iterable[Any]) -> list[Any]:
        listed = list(among)
        return [self.rng.choice(listed)] if listed else []

    def start(self) -> None:
        """Start a waiting job where it fits."""
        for job in self._pick(self._waiting()):
            usable = self.draft.bookings.room_for(job)
            rows = hosts_for_gang(usable, job.gang, self.draft.scorer)
            if rows is not None:
                self.draft.withdraw_booking(job)
                self.told.started.append((job, self.draft.start(job, rows, self.draft.bookings.room_for(job))))

    def reserve(self) -> None:
        """Reserve what is coming for a waiting job."""
        for job in self._pick(self._waiting()):
            usable = self.draft.bookings.coming_for(job)
            rows = hosts_for_gang(usable, job.gang, self.draft.scorer)
            if rows is not None:
                self.draft.reserve(job.job_id, rows, usable)

    def release(self) -> None:
        """Withdraw a reservation."""
        for holder, _, _ in self._pick(self.draft.reservations.holders()):
            self.draft.release(holder)

    def start_reserved(self) -> None:
        """Start somebody in a reservation."""
        by_id = self.draft.snapshot.by_id
        for holder, _, _ in self._pick(self.draft.reservations.holders()):
            if (
                holder in by_id
                and by_id[holder].state.is_waiting
                and (slots := self.draft.start_reserved(by_id[holder]))
            ):
                self.told.started.append((by_id[holder], slots))

    def stop(self) -> None:
        """Stop somebody, who goes on with some workers if that is possible."""
        candidates = self.draft.stoppable.candidates
        for index in self._pick(candidates.there.tolist()):
            victim = candidates.victim(index)
            keeps = (
                victim.job.slots[: self.rng.randint(0, len(victim.job.slots) - 1)] if len(victim.job.slots) > 1 else ()
            )
            chosen = (Victim(victim.index, victim.job, victim.cost, keeps),)
            self.draft.stop(Preemption("m0", need_of(victim.job.gang), chosen, Cause.SERVING))

    def restart(self) -> None:
        """Let somebody go on with fewer workers, or where there is room."""
        for index in self._pick(self.draft.stoppable.candidates.there.tolist()):
            job = self.draft.stoppable.candidates.victim(index).job
            rows = hosts_for_gang(self.draft.room.now, job.gang, self.draft.scorer)
            more = CachedTrial(self.draft.room.now).put(rows, job.gang.shape) if rows is not None else ()
            self.draft.restart_as(job, (*job.slots[:1], *more), Cause.GROWTH)

    def spare(self) -> None:
        """Let somebody go on who was to be stopped, if nobody needs the room."""
        by_id = self.draft.snapshot.by_id
        for job_id in self._pick(self.draft.stops):
            if fits_in(self.draft.room.coming, by_id[job_id].slots, by_id[job_id].gang.shape):
                self.draft.spare(by_id[job_id])
                self.told.spared.add(job_id)

    def hold(self) -> None:
        """Hold room for a peak."""
        shape = Shape(1000, 1024, 1)
        rows = np.flatnonzero(self.draft.room.coming.units(shape) > 0)[: self.rng.randint(1, 2)]
        self.draft.hold(("m0",), shape, rows.tolist(), self.rng.choice([0.0, 20_000.0]))

    def start_replica(self) -> None:
        """Start a replica."""
        for model in self._pick(self.draft.snapshot.models):
            rows = np.flatnonzero(self.draft.room.now.units(model.shape) > 0)[:1].tolist()
            self.told.served.append((self.draft.start_replicas(model.name, rows), model.shape))

    def stop_replica(self) -> None:
        """Stop a replica."""
        shapes = {model.name: model.shape for model in self.draft.snapshot.models}
        gone = {slot for slot, _ in self.told.left}
        for one in self._pick(one for one in self.draft.snapshot.replicas if one.slot not in gone):
            self.draft.stop_replica(one.slot, shape_held(one, shapes))
            self.told.left.append((one.slot, shape_held(one, shapes)))

    def book(self) -> None:
        """Book for somebody who waits."""
        booked = {booking.job.job_id for booking in self.draft.bookings}
        for job in self._pick(job for job in self._waiting() if job.job_id not in booked):
            self.draft.book(job)

    def withdraw(self) -> None:
        """Take a booking back."""
        for booking in self._pick(self.draft.bookings):
            self.draft.withdraw_booking(booking.job)

    def leave(self) -> None:
        """Have somebody wait on that starts or has room reserved, and give it back, or not."""
        for job_id in self._pick(self.draft.placed):
            job = self.draft.snapshot.by_id[job_id]
            one = self.draft.withdraw(job)
            self.told.started = [(other, slots) for other, slots in self.told.started if other is not job]
            if self.rng.random() < 0.5:
                self.draft.give_back(one)
                if self.draft.placed.get(job_id):
                    self.told.started.append((job, one.slots))


def arrays_of(ledger: Trial) -> list[int]:
    return np.concatenate([ledger.cpu_milli, ledger.memory_mib, ledger.gpu_milli.ravel()]).tolist()


def state_of(draft: Draft) -> dict[str, object]:
    """Return all that a draft has decided, in values that can be compared."""
    return {
        "room": [arrays_of(one) for one in (draft.room.free, draft.room.coming, draft.room.now)],
        "reservations": draft.reservations.holders(),
        "booked": [(b.job.job_id, b.start_s, b.slots) for b in draft.bookings],
        "booked room": {b.job.job_id: arrays_of(room) for b, room in draft.bookings._at},
        "accounts": accounts_of(draft.quotas),
        "stops": list(draft.stops),
        "holds": draft.holds,
        "placed": sorted(draft.placed.items()),
        "stoppable": stoppable_in(draft),
    }


def accounts_of(quotas: Quotas | None) -> object:
    if quotas is None:
        return None
    held = {name: (one.held, one.will_hold, one.reserved) for name, one in quotas._accounts.items()}
    return {name: amounts for name, amounts in held.items() if any(map(any, amounts))}, quotas._free_now


def stoppable_in(draft: Draft) -> set[str]:
    candidates = draft.stoppable.candidates
    return {candidates.victim(index).job.job_id for index in candidates.there.tolist()}


def counted_anew(draft: Draft, told: Told) -> dict[str, object]:
    """Return the room, the accounts, the room of bookings and who may be stopped, from what was decided alone."""
    snapshot = draft.snapshot
    free = snapshot.ledger.trial()
    for slots, shape in [*((slots, job.gang.shape) for job, slots in told.started), *told.served]:
        free.take_all(slots, shape)
    coming = CachedTrial(free)
    gone = [snapshot.by_id[job_id] for job_id in draft.gone]
    leaving = [
        job for job in snapshot.running.jobs if job.state is JobState.PREEMPTING and job.job_id not in draft.gone
    ]
    for job in (*gone, *leaving):
        coming.give_all(job.slots, job.gang.shape)
    shapes = {model.name: model.shape for model in snapshot.models}
    stopping = [(one.slot, shape_held(one, shapes)) for one in snapshot.replicas if one.state is ReplicaState.STOPPING]
    for slot, shape in (*stopping, *told.left):
        coming.give_all((slot,), shape)
    for slots, shape in [*((one.slots, one.shape) for one in draft.holds), *reserved_in(draft)]:
        coming.take_all(slots, shape)
    now = CachedTrial(coming)
    now.lower(np.arange(len(now.cpu_milli)), free, coming)
    stays = worth_stopping(snapshot)
    able = {job.job_id for row, job in enumerate(snapshot.running.jobs) if stays[row] and job.slots}
    return {
        "room": [arrays_of(one) for one in (free, coming, now)],
        "accounts": accounts_of(quotas_anew(draft, told, now)),
        "booked room": {b.job.job_id: booked_room(draft, told, coming, b.start_s) for b in draft.bookings},
        "stoppable": able - set(draft.gone) - told.spared,
    }


def reserved_in(draft: Draft) -> list[tuple[tuple[Slot, ...], Shape]]:
    return [(slots, shape) for _, shape, slots in draft.reservations.holders()]


def quotas_anew(draft: Draft, told: Told, now: CachedTrial) -> Quotas | None:
    snapshot = draft.snapshot
    if draft.quotas is None:
        return None
    quotas = Quotas(snapshot, now)
    quotas.stop(snapshot.by_id[job_id] for job_id in draft.gone)
    for job, slots in told.started:
        quotas.start(job, slots)
    for holder, _, slots in draft.reservations.holders():
        if holder in snapshot.by_id:
            quotas.reserve(snapshot.by_id[holder], slots)
    return quotas


def booked_room(draft: Draft, told: Told, coming: CachedTrial, at_s: float) -> list[int]:
    """Return what is free at a later moment, when all have left who will have, and those are there who have booked."""
    by_id, room = draft.snapshot.by_id, CachedTrial(coming)
    gone = {*draft.gone, *(job.job_id for job in draft.snapshot.running.jobs if job.state is JobState.PREEMPTING)}
    releases = [going_on(job, NOW_S) for job in draft.snapshot.running.jobs if job.job_id not in gone]
    releases += [beginning_anew(job, slots, NOW_S) for job, slots in told.started]
    releases += [
        beginning_anew(by_id[holder], slots, NOW_S) if holder in by_id else Release(inf, slots, shape)
        for holder, shape, slots in draft.reservations.holders()
    ]
    for each in releases:
        if each.at_s <= at_s:
            room.give_all(each.slots, each.shape)
    for other in draft.bookings:
        if other.start_s <= at_s < other.end_s:
            room.take_all(other.slots, other.job.gang.shape)
    return arrays_of(room)


@settings(max_examples=500)
@given(rng=st.randoms(use_true_random=True), steps=st.integers(1, 40))
def test_all_ledgers_agree_with_a_draft_that_is_counted_anew(kit: SimpleNamespace, rng: Random, steps: int) -> None:
    draft = Draft.of(scene(rng, kit), policy_from_names(bookings=4))
    actor = Actor(draft, rng)
    for _ in range(steps):
        actor.act()
        anew, state = counted_anew(draft, actor.told), state_of(draft)
        assert {name: state[name] for name in anew} == anew
    event(f"bookings: {len(draft.bookings)}, stops: {min(3, len(draft.stops))}, queues: {draft.quotas is not None}")
