"""Nobody who goes first delays a booking, and no gang waits for ever behind any stream of small jobs."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from types import SimpleNamespace

import numpy as np
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.ledgers.bookings import Bookings
from scheduler.planning.placement.availability import expected_end_s
from scheduler.planning.planner import plan
from scheduler.planning.queueing.place_training import place_training

HOUR_S = 3600.0
RUNTIMES_S = (None, None, 100.0, 900.0, 4000.0, 6000.0, 20_000.0)


@dataclass(frozen=True)
class Use:
    """Somebody in some slots, from a time to another."""

    slots: tuple[Slot, ...]
    shape: Shape
    from_s: float
    until_s: float


def uses_of(draft: Draft, starts: Iterable[StartJob]) -> list[Use]:
    """Everything that the plan expects: what runs and stays, what starts, what is reserved, and what is booked."""
    now_s, jobs = draft.snapshot.taken_at_s, draft.snapshot.by_id
    running = [
        Use(job.slots, job.gang.shape, now_s, expected_end_s(job, now_s))
        for job in draft.snapshot.running.jobs
        if job.state is not JobState.PREEMPTING and job.job_id not in draft.stops
    ]
    given_room = [(jobs[start.job_id], start.slots) for start in starts]
    given_room += [(jobs[JobId(holder)], slots) for holder, _, slots in draft.reservations.holders()]
    started = [Use(slots, job.gang.shape, now_s, now_s + job.runtime_s) for job, slots in given_room]
    booked = [Use(b.slots, b.job.gang.shape, b.start_s, b.end_s) for b in draft.bookings]
    return [*running, *started, *booked]


def is_sound(ledger: Ledger) -> bool:
    devices = ledger.gpu_milli[ledger.table.device_exists]
    return min(ledger.cpu_milli.min(), ledger.memory_mib.min(), devices.min()) >= 0


@settings(max_examples=100)
@given(rng=st.randoms(use_true_random=True), bookings=st.integers(1, 5))
def test_everybody_fits_together_at_all_times(kit: SimpleNamespace, rng: Random, bookings: int) -> None:
    snapshot = kit.crowded(rng).snapshot
    jobs = [replace(job, max_runtime_s=rng.choice(RUNTIMES_S)) for job in snapshot.jobs]
    snapshot = kit.again(snapshot, jobs=jobs, models=(), replicas=())
    draft = Draft.of(snapshot, policy_from_names(bookings=bookings))
    starts = place_training(draft)
    event(f"bookings: {len(draft.bookings)}, starts in their shadow: {min(2, len(starts)) if draft.bookings else 0}")
    uses = uses_of(draft, starts)
    assert len(draft.bookings) <= bookings
    for at_s in {snapshot.taken_at_s, *chain.from_iterable((use.from_s, use.until_s) for use in uses)}:
        there = [use for use in uses if use.from_s <= at_s < use.until_s]
        assert is_sound(Ledger.of(snapshot.hosts, ((slot, use.shape) for use in there for slot in use.slots)))
    for booking in draft.bookings:
        assert booking.start_s >= snapshot.taken_at_s
        assert len(booking.slots) == booking.job.gang.workers


def rooms_at(bookings: Bookings) -> dict[JobId, list[int]]:
    """Return what is free when each booking begins, by who has booked."""
    return {
        booking.job.job_id: np.concatenate([room.cpu_milli, room.memory_mib, room.gpu_milli.ravel()]).tolist()
        for booking, room in bookings._at
    }


@settings(max_examples=40)
@given(rng=st.randoms(use_true_random=True))
def test_one_booking_is_taken_back_alone_and_put_back_as_it_was(kit: SimpleNamespace, rng: Random) -> None:
    snapshot = kit.crowded(rng).snapshot
    jobs = [replace(job, max_runtime_s=rng.choice(RUNTIMES_S)) for job in snapshot.jobs]
    snapshot = kit.again(snapshot, jobs=jobs, models=(), replicas=())
    draft = Draft.of(snapshot, policy_from_names(bookings=4))
    place_training(draft)
    bookings = draft.bookings
    before = rooms_at(bookings)
    event(f"bookings: {len(before)}")
    for booking, _ in list(bookings._at):
        withdrawn = bookings.withdraw(booking.job)
        without = rooms_at(bookings)
        assert without.keys() == before.keys() - {booking.job.job_id}
        for other, _ in bookings._at:
            meets = booking.start_s <= other.start_s < booking.end_s
            freed = np.subtract(without[other.job.job_id], before[other.job.job_id])
            assert freed.min() >= 0
            assert bool(freed.any()) is meets
        bookings.restore(*withdrawn)
        assert rooms_at(bookings) == before
    assert not any(bookings.withdraw(job) for job in snapshot.running.jobs)


class Stream:
    """Two hosts of four devices, a gang that needs six, and small jobs that keep every device busy for ever.

    No two of these end at once: six devices are never free together by chance.
    """

    def __init__(self, rng: Random, bookings: int, ahead: int = 0) -> None:
        """`ahead`: points by which the priority of the small jobs exceeds the gang's at most."""
        self.now_s, self.rng, self.ahead = 0.0, rng, ahead
        self.policy = policy_from_names(bookings=bookings, may_preempt="never")
        self.hosts = [Host(name, 64_000, 65_536, tuple(Device(d) for d in range(4))) for name in "ab"]
        self.jobs: dict[str, TrainingJob] = {}
        self.ends_s: dict[str, float] = {}
        self.submitted = 0
        for _ in range(8):
            self.submit_small()
        self.gang = self.submit(Gang(3, Shape(gpu_count=2)), None)

    def submit(self, gang: Gang, says_s: float | None, priority: int = 50) -> JobId:
        self.submitted += 1
        job_id = JobId(str(self.submitted))
        self.jobs[job_id] = TrainingJob(
            job_id, "j", gang, priority=priority, submitted_at_s=self.now_s, max_runtime_s=says_s
        )
        return job_id

    def submit_small(self) -> None:
        lasts_s = self.rng.choice((600.0, 1800.0, HOUR_S, 2 * HOUR_S)) * self.rng.uniform(0.9, 1.1)
        says_s = self.rng.choice((None, lasts_s, 2 * lasts_s))
        job_id = self.submit(Gang(1, Shape(gpu_count=1)), says_s, 50 + self.rng.randint(0, self.ahead))
        self.ends_s[job_id] = lasts_s

    def turn(self) -> bool:
        """Plan, start what starts, let the next job end and another come; return whether the gang has started."""
        made = plan(
            Snapshot.of(taken_at_s=self.now_s, hosts=self.hosts, jobs=self.jobs.values()), Demand(), self.policy
        )
        for start in made.actions:
            assert isinstance(start, StartJob)
            job = self.jobs[start.job_id]
            self.jobs[start.job_id] = replace(
                job, state=JobState.RUNNING, slots=start.slots, attempt=1, started_at_s=self.now_s
            )
        if self.jobs[self.gang].state is JobState.RUNNING:
            return True
        running = [job for job in self.jobs.values() if job.state is JobState.RUNNING]
        ends_s = [(job.started_at_s + self.ends_s[job.job_id], job.job_id) for job in running]
        step_s = self.now_s + 300.0
        self.now_s = min([step_s, *(at_s for at_s, _ in ends_s)])
        for at_s, job_id in ends_s:
            if at_s <= self.now_s:
                del self.jobs[job_id]
        while sum(job.state.is_waiting for job in self.jobs.values()) < 4:
            self.submit_small()
        return False

    def waits_s(self, most_s: float) -> float | None:
        """Return how long the gang waits, or None when it is longer than `most_s`."""
        while self.now_s <= most_s:
            if self.turn():
                return self.now_s
        return None


RNGS = st.randoms(use_true_random=True)


@settings(max_examples=12)
@given(rng=RNGS, bookings=st.integers(1, 4))
def test_no_gang_waits_for_ever_behind_small_jobs(rng: Random, bookings: int) -> None:
    waited_s = Stream(rng, bookings).waits_s(12 * HOUR_S)
    assert waited_s is not None
    event(f"waited {waited_s // HOUR_S:.0f} h")


@settings(max_examples=4)
@example(rng=Random(839))  # noqa: S311  # a world, not a secret
@given(rng=RNGS)
def test_without_bookings_it_does(rng: Random) -> None:
    assert Stream(rng, bookings=0).waits_s(12 * HOUR_S) is None


@settings(max_examples=3)
@given(rng=RNGS)
def test_nor_behind_small_jobs_of_a_priority_that_waiting_makes_up_for(rng: Random) -> None:
    assert Stream(rng, bookings=2, ahead=6).waits_s(18 * HOUR_S) is not None
