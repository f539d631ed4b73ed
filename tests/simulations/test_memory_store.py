"""Promises of the store that forgets: the protocol's, but for surviving."""

from dataclasses import replace

import pytest

from scheduler.control.ports import Store
from scheduler.control.records import CycleRecord, EventKind, EventRecord, HostMark, JobRecord
from scheduler.model.demand import Demand
from scheduler.model.errors import NotFound
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan, PreemptJob, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Moved
from simulations.memory_store import CYCLES_KEPT, MemoryStore


@pytest.fixture
def store() -> Store:
    return MemoryStore()


def accept(store: Store, name: str = "job", at_s: float = 5.0) -> JobRecord:
    return store.accept(JobSpec(name, "run", Gang(1, Shape())), at_s)


def test_an_accepted_job_is_there_with_a_decimal_id(store: Store) -> None:
    first, second = accept(store), accept(store, "other")
    assert (first.job_id, second.job_id) == ("1", "2")
    assert first.state is JobState.PENDING
    assert store.job(first.job_id) == first
    assert store.spec(second.job_id).name == "other"
    assert store.jobs() == (first, second)


def test_what_was_never_accepted_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="7"):
        store.job(JobId("7"))
    with pytest.raises(NotFound):
        store.spec(JobId("7"))


def test_final_jobs_leave_the_open_ones_but_not_the_store(store: Store) -> None:
    jobs = [accept(store) for _ in range(4)]
    done = replace(jobs[1], state=JobState.SUCCEEDED, finished_at_s=9.0)
    store.save_all([done], [])
    assert [job.job_id for job in store.jobs()] == ["1", "3", "4"]
    assert [job.job_id for job in store.jobs(open_only=False)] == ["1", "2", "3", "4"]
    assert store.job(done.job_id) == done
    assert [job.job_id for job in store.jobs(limit=2)] == ["3", "4"]
    assert store.jobs(limit=0) == ()


def test_events_are_numbered_and_found_by_subject_and_number(store: Store) -> None:
    store.record(*(EventRecord(float(n), 1, EventKind.CONTROL, "ab"[n % 2], f"event {n}") for n in range(6)))
    assert [event.event_id for event in store.events()] == [1, 2, 3, 4, 5, 6]
    assert [event.title for event in store.events(subject="b")] == ["event 1", "event 3", "event 5"]
    assert [event.event_id for event in store.events(after_id=2, limit=2)] == [5, 6]


def test_marks_come_and_go_by_host(store: Store) -> None:
    store.mark_host(HostMark("b", HostState.CORDONED, "fan", 1.0))
    store.mark_host(HostMark("a", HostState.CORDONED, "disk", 2.0))
    store.mark_host(HostMark("b", HostState.DRAINING, "fan", 3.0))
    assert [(mark.host, mark.state) for mark in store.host_marks()] == [
        ("a", HostState.CORDONED),
        ("b", HostState.DRAINING),
    ]
    store.unmark_host("b")
    store.unmark_host("b")
    assert [mark.host for mark in store.host_marks()] == ["a"]


def test_the_last_plan_leaves_its_reservations_and_old_cycles_go(store: Store) -> None:
    for number in range(1, CYCLES_KEPT + 11):
        promise = Reservation("m", (Slot("a", (0,)),), 0.0, float(number))
        store.journal(CycleRecord(number, 0.0, Snapshot.of(), Demand(), Plan(0, reservations=(promise,)), 0.0))
    assert [cycle.number for cycle in store.cycles(limit=2)] == [CYCLES_KEPT + 9, CYCLES_KEPT + 10]
    assert len(store.cycles(limit=10 * CYCLES_KEPT)) == CYCLES_KEPT
    assert store.reservations() == (promise,)


def test_moves_of_jobs_are_remembered(store: Store) -> None:
    stops = (
        PreemptJob(JobId("5"), 1, 30.0, Cause.CONSOLIDATION, "9"),
        PreemptJob(JobId("6"), 1, 30.0, Cause.SERVING, "m"),
    )
    store.journal(CycleRecord(1, 100.0, Snapshot.of(), Demand(), Plan(0, stops), 0.0))
    store.journal(CycleRecord(2, 200.0, Snapshot.of(), Demand(), Plan(0), 0.0))
    assert store.moves(100.0) == (Moved(JobId("5"), 100.0),)
    assert store.moves(101.0) == ()
