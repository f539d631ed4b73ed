"""What the store promises: what it has said yes to is there after a crash, whole, in order, and bounded."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from scheduler.control.records import (
    AttemptRecord,
    AttemptTotal,
    CycleRecord,
    DesiredState,
    EventKind,
    EventRecord,
    HostMark,
    JobRecord,
    Outcome,
    StrayOrder,
    StrayVerb,
)
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.errors import ConfigError, NotFound, Unreachable
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan, PreemptJob, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Moved
from scheduler.store.migrations import newest
from scheduler.store.sql import SqlStore

SPEC = JobSpec(
    name="wikitext-lm",
    entrypoint="python train.py",
    gang=Gang(2, Shape(4000, 8192, 1, gpu_models=frozenset({"MI210", "MI300X"}), host_labels=(("pool", "gpu"),))),
    env=(("SEED", "7"),),
    checkpoint_interval_s=600.0,
)
SLOTS = (Slot("a", (0,)), Slot("b", (1,)))


def event(title: str, subject: str = "1") -> EventRecord:
    return EventRecord(5.0, 3, EventKind.TRAINING, subject, title, "detail")


def cycle(number: int, *promises: Reservation) -> CycleRecord:
    demand = Demand((ModelDemand("edit-check", 1, 2, 3),))
    return CycleRecord(number, 10.0 * number, Snapshot.of(version=number), demand, Plan(number, (), promises), 0.01)


def test_an_accepted_job_has_a_number_and_comes_back_as_it_was(store: SqlStore, url: str) -> None:
    job = store.accept(SPEC, 100.0)
    other = SqlStore(url)
    assert job == JobRecord(JobId("1"), SPEC, JobState.PENDING, DesiredState.RUN, 100.0)
    assert other.job(JobId("1")) == job
    assert other.spec(JobId("1")) == SPEC
    other.close()


def test_numbers_grow_and_are_never_given_twice(store: SqlStore) -> None:
    assert [store.accept(SPEC, float(at)).job_id for at in range(12)] == [str(n) for n in range(1, 13)]


def test_attempts_come_back_in_order_and_whole(store: SqlStore) -> None:
    job = store.accept(SPEC, 0.0)
    first = AttemptRecord(
        job.job_id,
        1,
        SLOTS,
        1.0,
        2.0,
        3.0,
        Outcome.PREEMPTED,
        "for edit-check",
        2.5,
        Cause.SERVING,
        0,
        40,
        2.2,
        100,
        1.6,
    )
    changed = replace(job, state=JobState.RUNNING, attempts=(first, AttemptRecord(job.job_id, 2, SLOTS, 9.0)))
    store.save(changed)
    store.save(replace(changed, not_before_s=4.0))
    assert store.job(job.job_id) == replace(changed, not_before_s=4.0)


def test_attempts_are_counted_by_how_they_ended(store: SqlStore) -> None:
    job = store.accept(SPEC, 0.0)
    preempted = AttemptRecord(
        job.job_id,
        1,
        SLOTS,
        1.0,
        outcome=Outcome.PREEMPTED,
        stop_cause=Cause.SERVING,
        checkpoint_step=4,
        lost_gpu_s=2.5,
    )
    killed = replace(preempted, number=3, checkpoint_step=None, lost_gpu_s=60.0)
    store.save(replace(job, attempts=(preempted, replace(preempted, number=2), killed)))
    store.save(replace(store.accept(SPEC, 1.0), attempts=(AttemptRecord(JobId("2"), 1, SLOTS, 2.0),)))
    assert set(store.attempt_totals()) == {
        AttemptTotal(Outcome.PREEMPTED, Cause.SERVING, saved=True, attempts=2, lost_gpu_s=5.0),
        AttemptTotal(Outcome.PREEMPTED, Cause.SERVING, saved=False, attempts=1, lost_gpu_s=60.0),
        AttemptTotal(Outcome.OPEN, None, saved=False, attempts=1, lost_gpu_s=0.0),
    }


def test_final_jobs_are_listed_only_when_asked_for(store: SqlStore) -> None:
    jobs = [store.accept(SPEC, float(at)) for at in range(3)]
    store.save(replace(jobs[1], state=JobState.SUCCEEDED, finished_at_s=9.0))
    assert [job.job_id for job in store.jobs()] == ["1", "3"]
    assert [job.job_id for job in store.jobs(open_only=False)] == ["1", "2", "3"]
    assert [job.job_id for job in store.jobs(open_only=False, limit=2)] == ["2", "3"]


@pytest.mark.parametrize("name", ["471", "abc", "", "-1", "1; drop table jobs"])
def test_a_job_that_is_not_there_is_not_found(store: SqlStore, name: str) -> None:
    with pytest.raises(NotFound, match="no job"):
        store.job(JobId(name))


def test_saving_several_is_all_or_nothing(store: SqlStore) -> None:
    job = store.accept(SPEC, 0.0)
    stranger = replace(job, job_id=JobId("99"))
    with pytest.raises(NotFound):
        store.save_all([replace(job, state=JobState.RUNNING), stranger], [event("never told")])
    assert store.job(job.job_id) == job
    assert store.events() == ()


def test_events_come_oldest_first_can_be_followed_and_filtered(store: SqlStore) -> None:
    store.record(event("one"), event("two", "2"), event("three"))
    ids = [found.event_id for found in store.events()]
    assert ids == sorted(ids)
    assert [found.title for found in store.events(limit=2)] == ["two", "three"]
    assert [found.title for found in store.events(after_id=ids[0])] == ["two", "three"]
    assert [found.title for found in store.events(subject="1")] == ["one", "three"]
    assert replace(store.events(limit=1)[0], event_id=0) == event("three")


def test_events_and_cycles_are_bounded(store: SqlStore) -> None:
    for number in range(1, 31):
        store.record(event(str(number)))
        store.journal(cycle(number))
    assert [found.title for found in store.events(limit=100)] == [str(number) for number in range(11, 31)]
    assert [found.number for found in store.cycles()] == [26, 27, 28, 29, 30]
    assert [found.number for found in store.cycles(limit=2)] == [29, 30]


def test_a_journalled_cycle_replaces_the_promises_and_its_own_number(store: SqlStore) -> None:
    promise = Reservation("edit-check", SLOTS, 1.0, 900.0)
    store.journal(cycle(1, promise, Reservation("7", SLOTS[:1], 2.0, 800.0)))
    assert store.reservations() == (promise, Reservation("7", SLOTS[:1], 2.0, 800.0))
    store.journal(cycle(1))
    assert store.reservations() == ()
    assert store.cycles() == (cycle(1),)


def test_moves_outlive_their_cycles_and_are_forgotten_in_time(store: SqlStore) -> None:
    def moving(number: int, at_s: float, *job_ids: str) -> CycleRecord:
        stops = tuple(PreemptJob(JobId(job_id), 1, 30.0, Cause.CONSOLIDATION, "9") for job_id in job_ids)
        other = PreemptJob(JobId("8"), 1, 30.0, Cause.PRIORITY, "9")
        return replace(cycle(number), at_s=at_s, plan=Plan(number, (*stops, other)))

    store.journal(moving(1, 100.0, "5"))
    store.journal(moving(2, 200.0, "3", "4"))
    for number in range(3, 30):
        store.journal(replace(cycle(number), at_s=200.0 + number))
    assert store.moves(0.0) == (Moved(JobId("5"), 100.0), Moved(JobId("3"), 200.0), Moved(JobId("4"), 200.0))
    assert store.moves(150.0) == (Moved(JobId("3"), 200.0), Moved(JobId("4"), 200.0))
    store.journal(moving(29, 300.0, "5"))
    store.journal(moving(29, 300.0))
    assert store.moves(250.0) == (), "a cycle of the same number is replaced with its moves"
    store.journal(moving(30, 9 * 86_400.0, "6"))
    assert store.moves(0.0) == (Moved(JobId("6"), 9 * 86_400.0),)


def test_marks_of_hosts_replace_each_other_and_go(store: SqlStore) -> None:
    store.mark_host(HostMark("b", HostState.CORDONED, "disk", 1.0))
    store.mark_host(HostMark("a", HostState.CORDONED, "", 1.0))
    drain = HostMark("b", HostState.DRAINING, "power supply swap", 2.0, 500.0)
    store.mark_host(drain)
    assert store.host_marks() == (HostMark("a", HostState.CORDONED, "", 1.0), drain)
    store.unmark_host("b")
    store.unmark_host("b")
    assert [mark.host for mark in store.host_marks()] == ["a"]


def test_many_threads_lose_nothing(store: SqlStore) -> None:
    def submit() -> None:
        for _ in range(10):
            store.accept(SPEC, 0.0)
            store.record(event("accepted"))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.job_id for job in store.jobs()}) == 40


def test_a_database_of_a_newer_headroom_is_left_alone(url: str) -> None:
    SqlStore(url).close()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigError, match=f"has schema 9999, this Headroom knows {newest()}"):
        SqlStore(url)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("nonsense", "is not a URL"),
        ("mysql://localhost/x", "mysql is not known"),
        ("sqlite://", "would lose every job"),
        ("sqlite:///:memory:", "would lose every job"),
    ],
)
def test_a_store_we_cannot_keep_a_promise_on_is_refused(bad: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SqlStore(bad)


@pytest.mark.filterwarnings("ignore:.*BaseConnection.__del__:pytest.PytestUnraisableExceptionWarning")  # psycopg's own
def test_a_database_that_does_not_answer_is_unreachable_and_keeps_its_password_to_itself() -> None:
    with pytest.raises(Unreachable, match="does not answer") as caught:
        SqlStore("postgresql://headroom:secret@127.0.0.1:1/headroom")
    assert "secret" not in str(caught.value)
    gc.collect()  # now, not in the middle of another test


def test_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/headroom.db")
    with store.engine.connect() as connection:
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in PRAGMAS}
    store.close()
    assert asked == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5_000}

KILLED = """
import os, signal, sys
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.store.sql import SqlStore
store = SqlStore(sys.argv[1])
for at in range(5):
    print(store.accept(JobSpec("job", "true", Gang(1, Shape(1000))), at).job_id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_accepted_survives_kill_9(url: str, open_store: Callable[[str], SqlStore]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, url], capture_output=True, text=True, check=False)
    assert done.returncode == -9
    assert done.stdout.split() == ["1", "2", "3", "4", "5"]
    assert [job.job_id for job in open_store(url).jobs()] == done.stdout.split()


def test_open_jobs_are_remembered_as_the_database_has_them_and_stay_the_same_objects(store: SqlStore, url: str) -> None:
    for number in range(4):
        store.accept(replace(SPEC, name=f"job{number}"), float(number))
    first = store.jobs()
    store.save(replace(first[1], state=JobState.HELD, desired=DesiredState.HOLD))
    store.save(replace(first[2], state=JobState.STOPPED, finished_at_s=9.0))
    store.accept(SPEC, 5.0)
    again = store.jobs()
    other = SqlStore(url)
    assert again == other.jobs()
    other.close()
    assert again[0] is first[0]
    assert [job.job_id for job in again] == ["1", "2", "4", "5"]
    assert store.job(JobId("2")) is again[1]


def test_after_a_write_that_failed_jobs_are_what_the_database_has(store: SqlStore) -> None:
    job = store.accept(SPEC, 1.0)
    store.jobs()
    stranger = replace(job, job_id=JobId("99"))
    with pytest.raises(NotFound):
        store.save_all([replace(job, state=JobState.HELD), stranger], [])
    assert store.jobs() == (job,)


def test_a_job_that_is_open_again_stands_where_it_stood(store: SqlStore) -> None:
    jobs = [store.accept(SPEC, float(number)) for number in range(3)]
    store.jobs()
    store.save(replace(jobs[0], state=JobState.FAILED, finished_at_s=9.0))
    store.save(jobs[0])
    assert store.jobs() == tuple(jobs)


def test_orders_about_strays_are_kept_until_they_are_dropped(store: SqlStore) -> None:
    orders = [StrayOrder(name, StrayVerb.EVICT, "ada", 1.0) for name in ("b", "a" * 400)]
    for order in orders:
        store.order_stray(order)
    store.order_stray(replace(orders[0], verb=StrayVerb.ADOPT))
    assert store.stray_orders() == (orders[1], replace(orders[0], verb=StrayVerb.ADOPT))
    store.drop_stray_order("b")
    store.drop_stray_order("never there")
    assert store.stray_orders() == (orders[1],)
