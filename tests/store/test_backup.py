"""A backup is one state of the store, taken while it is written to; restored, it is that store again."""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.control.records import AttemptRecord, EventKind, EventRecord, HostMark, JobRecord, Once, Outcome
from scheduler.model.errors import ConfigError, Conflict
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobState
from scheduler.store.backup import back_up, restore
from scheduler.store.fencing import leader_in
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore

SPEC = JobSpec("lm", "python train.py", Gang(1, Shape(1000)), owner="ada")
ONCE = Once("ada", "key", "digest", 1e12)


def fill(store: SqlStore) -> None:
    job = store.accept(SPEC, 1.0, once=ONCE)
    store.accept(SPEC, 2.0)
    attempt = AttemptRecord(job.job_id, 1, (Slot("a", (0,)),), 1.0, outcome=Outcome.FAILED, lost_gpu_s=3.0)
    store.save(replace(job, state=JobState.FAILED, finished_at_s=9.0, attempts=(attempt,)))
    store.record(EventRecord(1.0, 1, EventKind.HOST, "a", "a cordoned", "disk", actor="boss"))
    store.mark_host(HostMark("a", HostState.CORDONED, "disk", 1.0))


def content(store: SqlStore) -> tuple[object, ...]:
    return (
        store.jobs(open_only=False), store.events(), store.host_marks(), store.attempt_totals(), store.submitted(ONCE),
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path, postgresql_server: int) -> str:
    """The URL of another store, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/elsewhere/headroom.db"
    import psycopg  # noqa: PLC0415  # an optional driver

    name = f"o{abs(hash(request.node.nodeid)):x}"
    where = f"host=127.0.0.1 port={postgresql_server} user=headroom dbname=postgres"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://headroom@127.0.0.1:{postgresql_server}/{name}"


def test_a_backup_goes_from_any_store_to_any_store(
    url: str, other_url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(url)
    fill(store)
    file = tmp_path / "monday.backup"
    held = back_up(url, file)
    assert str(held) == "jobs up to 2 and cycles up to 0"
    store.accept(SPEC, 3.0)
    assert restore(other_url, file).job == 2
    restored = open_store(other_url)
    assert content(restored)[1:] == content(store)[1:]
    assert restored.jobs(open_only=False) == store.jobs(open_only=False)[:2]
    assert restored.accept(SPEC, 4.0).job_id == "3", "numbers go on"
    restored.record(EventRecord(2.0, 1, EventKind.HOST, "a", "another"))
    assert restored.events()[-1].event_id == 2


def test_a_backup_is_one_state_while_jobs_come_in(
    url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    store, stop = open_store(url), threading.Event()

    def told(job: JobRecord) -> EventRecord:
        return EventRecord(1.0, 0, EventKind.TRAINING, job.job_id, "accepted")

    def submit() -> None:
        while not stop.is_set():
            store.accept(SPEC, 0.0, told=told)

    writer = threading.Thread(target=submit)
    writer.start()
    try:
        for number in range(4):
            file = tmp_path / f"{number}.backup"
            back_up(url, file)
            assert open_backup(file) == (open_backup(file)[0],) * 2
    finally:
        stop.set()
        writer.join()


def open_backup(file: Path) -> tuple[int, int]:
    connection = sqlite3.connect(file)
    try:
        jobs = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
        events = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    finally:
        connection.close()
    return jobs, events


def test_a_backup_is_private_whole_and_never_overwritten(url: str, tmp_path: Path, store: SqlStore) -> None:
    store.accept(SPEC, 0.0)
    file = tmp_path / "b"
    before = os.umask(0)
    try:
        back_up(url, file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists"):
        back_up(url, file)
    with pytest.raises(ConfigError, match="cannot write"):
        back_up(url, tmp_path / "no" / "such" / "folder" / "b")
    assert {path.name for path in tmp_path.iterdir()} <= {"b", "state"}


def test_a_store_that_holds_something_is_overwritten_by_force_only(
    url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(url)
    fill(store)
    file = tmp_path / "b"
    back_up(url, file)
    store.accept(SPEC, 5.0)
    store.close()
    with pytest.raises(ConfigError, match="holds jobs up to 3"):
        restore(url, file)
    assert len(open_store(url).jobs()) == 2
    restore(url, file, force=True)
    again = open_store(url)
    assert [job.job_id for job in again.jobs(open_only=False)] == ["1", "2"]
    if url.startswith("sqlite"):
        old = open_store(f"{url}.replaced")
        assert [job.job_id for job in old.jobs(open_only=False)] == ["1", "2", "3"]


def test_nothing_is_restored_under_a_control_plane(
    url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    fill(open_store(url))
    file = tmp_path / "b"
    back_up(url, file)
    with Candidacy(url, holder="host-1, process 7", address="http://host-1:8321") as candidacy:
        candidacy.insist()
        for force in (False, True):
            with pytest.raises(Conflict, match=r"a(nother)? control plane uses the store"):
                restore(url, file, force=force)
    assert restore(url, file, force=True).job == 2


def test_who_leads_next_has_a_number_above_all_before(
    url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    fill(open_store(url))
    file, numbers = tmp_path / "b", []
    back_up(url, file)
    for _ in range(3):
        with Candidacy(url, holder="me", address="here") as candidacy:
            numbers.append(candidacy.insist().fence.number)
        restore(url, file, force=True)
    with Candidacy(url, holder="me", address="here") as candidacy:
        numbers.append(candidacy.insist().fence.number)
    assert numbers == sorted(set(numbers))
    with open_store(url).engine.connect() as connection:
        assert leader_in(connection).holder == "me"


def test_a_lost_or_damaged_file_is_replaced_by_its_backup(
    tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    db = tmp_path / "headroom.db"
    url = f"sqlite:///{db}"
    store = SqlStore(url)
    fill(store)
    store.close()
    back_up(url, tmp_path / "b")
    db.unlink()
    restore(url, tmp_path / "b")
    assert len(open_store(url).jobs(open_only=False)) == 2
    db.write_bytes(b"\xff" * 9000)
    with pytest.raises(ConfigError, match="cannot be read"):
        restore(url, tmp_path / "b")
    restore(url, tmp_path / "b", force=True)
    assert len(open_store(url).jobs(open_only=False)) == 2


@pytest.mark.parametrize("wrong", ["missing", "text", "empty", "foreign", "newer", "torn"])
def test_what_is_no_backup_is_not_restored(url: str, tmp_path: Path, store: SqlStore, wrong: str) -> None:
    fill(store)
    file, target = tmp_path / "b", f"sqlite:///{tmp_path}/fresh/headroom.db"
    if wrong in {"newer", "torn"}:
        back_up(url, file)
    match wrong:
        case "text":
            file.write_text("no database\n" * 1000, encoding="ascii")
        case "empty":
            file.touch()
        case "foreign" | "newer":
            connection = sqlite3.connect(file)
            change = "CREATE TABLE t (x)" if wrong == "foreign" else "UPDATE alembic_version SET version_num = '9999'"
            connection.execute(change)
            connection.commit()
            connection.close()
        case "torn":
            file.write_bytes(file.read_bytes()[:20_000])
    with pytest.raises(ConfigError):
        restore(target, file)
    assert not (tmp_path / "fresh" / "headroom.db").exists()
