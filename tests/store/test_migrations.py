"""A database that an older Headroom wrote opens, has everything it had, and takes what is new."""

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from pydantic import TypeAdapter
from sqlalchemy import Connection, Engine, create_engine, text

from scheduler.control.records import AttemptRecord, AttemptTotal, CycleRecord, EventKind, EventRecord, Once, Outcome
from scheduler.model.demand import Demand
from scheduler.model.errors import ConfigError, Conflict
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause, Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.backup import back_up, restore
from scheduler.store.engine import engine_of, parsed, reading, writing
from scheduler.store.marker import Held, Marker, marker_beside
from scheduler.store.migrations import newest, revision_in, upgrade
from scheduler.store.opening import open_engine
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore
from scheduler.store.tables import metadata
from tests.store.recorded import ONCE, content, fill

SPEC = JobSpec("lm", "python train.py", Gang(1, Shape(1000, 1024, 1)))
SCHEMA_2: Final = """
CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE jobs (id {number}, spec TEXT NOT NULL, state VARCHAR(16) NOT NULL, wish VARCHAR(8) NOT NULL,
    submitted_at_s FLOAT NOT NULL, finished_at_s FLOAT, hold_reason TEXT NOT NULL, not_before_s FLOAT NOT NULL);
CREATE TABLE attempts (job_id INTEGER NOT NULL, number INTEGER NOT NULL, outcome VARCHAR(16) NOT NULL,
    stop_cause VARCHAR(16) NOT NULL, saved BOOLEAN NOT NULL, lost_gpu_s FLOAT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (job_id, number));
CREATE TABLE events (id {number}, at_s FLOAT NOT NULL, cycle INTEGER NOT NULL, kind VARCHAR(16) NOT NULL,
    subject VARCHAR(255) NOT NULL, title TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE host_marks (host VARCHAR(255) NOT NULL, state VARCHAR(16) NOT NULL, reason TEXT NOT NULL,
    since_s FLOAT NOT NULL, deadline_s FLOAT, PRIMARY KEY (host));
INSERT INTO schema_version VALUES (2);
INSERT INTO events (at_s, cycle, kind, subject, title, detail) VALUES (5.0, 3, 'training', '1', 'lm accepted', 'normal')
"""
"""Tables of schema 2, as far as it had them when it wrote this."""


def attempt(number: int, outcome: Outcome, lost_gpu_s: float) -> AttemptRecord:
    cause = Cause.SERVING if outcome is Outcome.PREEMPTED else None
    slots = (Slot("a", (0,)),)
    return AttemptRecord(JobId("1"), number, slots, 1.0, outcome=outcome, stop_cause=cause, lost_gpu_s=lost_gpu_s)


ATTEMPTS = (attempt(1, Outcome.PREEMPTED, 60.0), attempt(2, Outcome.PREEMPTED, 30.0), attempt(3, Outcome.OPEN, 0.0))


def write_old_database(url: str) -> None:
    known = parsed(url)
    if known.get_backend_name() == "sqlite":
        Path(str(known.database)).parent.mkdir(parents=True, exist_ok=True)
    number = "INTEGER PRIMARY KEY AUTOINCREMENT" if known.get_backend_name() == "sqlite" else "SERIAL PRIMARY KEY"
    engine = create_engine(known)
    with engine.begin() as connection:
        for statement in SCHEMA_2.format(number=number).split(";"):
            connection.execute(text(statement))
        columns = "spec, state, wish, submitted_at_s, hold_reason, not_before_s"
        job = f"INSERT INTO jobs ({columns}) VALUES (:spec, :state, 'run', 4.0, '', 0.0)"  # noqa: S608  # our own words
        connection.execute(
            text(job), {"spec": TypeAdapter(JobSpec).dump_json(SPEC).decode(), "state": JobState.RUNNING.value}
        )
        for one in ATTEMPTS:
            row = "INSERT INTO attempts VALUES (1, :number, :outcome, :cause, FALSE, :lost, :body)"
            body = TypeAdapter(AttemptRecord).dump_json(one).decode()
            values = {"number": one.number, "outcome": one.outcome.value, "cause": one.stop_cause or ""}
            connection.execute(text(row), {**values, "lost": one.lost_gpu_s, "body": body})
    engine.dispose()


@pytest.fixture
def old_url(url: str) -> str:
    """The URL of a database that schema 2 wrote."""
    write_old_database(url)
    return url


def test_an_older_database_opens_with_all_it_had(old_url: str, open_store: Callable[[str], SqlStore]) -> None:
    store = open_store(old_url)
    (job,) = store.jobs()
    assert (job.spec, job.state, job.attempts) == (SPEC, JobState.RUNNING, ATTEMPTS)
    assert store.events() == (EventRecord(5.0, 3, EventKind.TRAINING, "1", "lm accepted", "normal", 1),)
    assert set(store.attempt_totals()) == {
        AttemptTotal(Outcome.PREEMPTED, Cause.SERVING, saved=False, attempts=2, lost_gpu_s=90.0),
        AttemptTotal(Outcome.OPEN, None, saved=False, attempts=1, lost_gpu_s=0.0),
    }


def test_an_older_database_takes_what_is_new(old_url: str, open_store: Callable[[str], SqlStore]) -> None:
    store = open_store(old_url)
    once = Once("ada", "k1", "d1", 100.0)
    first = store.accept(SPEC, 6.0, once=once)
    store.record(EventRecord(6.0, 3, EventKind.HOST, "a", "a cordoned", actor="ada"))
    assert first.job_id == "2"
    again = open_store(old_url)
    assert again.accept(SPEC, 7.0, once=once).job_id == "2"
    assert [event.actor for event in again.events()] == ["", "ada"]


RECORDED: Final = sorted({path.name.partition(".")[0] for path in (Path(__file__).parent / "schemas").glob("*.sql")})
"""Schemas that were released, as the Headroom of each wrote them down."""


def write_recorded(name: str, url: str) -> None:
    """Make a database as an older Headroom left it."""
    known = parsed(url)
    script = (Path(__file__).parent / "schemas" / f"{name}.{known.get_backend_name()}.sql").read_text(encoding="utf-8")
    if known.get_backend_name() == "sqlite":
        file = Path(str(known.database))
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)
    else:
        import psycopg  # noqa: PLC0415  # an optional driver

        with psycopg.connect(url) as connection:
            connection.execute(script)


@pytest.mark.parametrize("name", RECORDED)
def test_all_that_a_released_headroom_kept_is_there(
    name: str, url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    write_recorded(name, url)
    fresh = open_store(f"sqlite:///{tmp_path}/fresh/headroom.db")
    fill(fresh)
    migrated = open_store(url)
    assert content(migrated) == content(fresh)
    assert migrated.accept(SPEC, 6.0, once=ONCE).job_id == "1", "a submission sent again is that job still"
    assert migrated.accept(SPEC, 6.0).job_id == "6", "numbers go on"
    migrated.record(EventRecord(6.0, 3, EventKind.HOST, "a", "a cordoned", actor="ada"))
    assert migrated.events()[-1].event_id == 3


@pytest.mark.parametrize("name", [*RECORDED, None])
def test_however_a_schema_came_about_it_is_the_same(name: str | None, url: str) -> None:
    if name is not None:
        write_recorded(name, url)
    engine = open_engine(url)
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert revision_in(connection) == newest()
    engine.dispose()


@pytest.mark.parametrize("name", RECORDED)
def test_a_migration_that_fails_leaves_everything_as_it_was(
    name: str, url: str, open_store: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recorded(name, url)

    def fail(connection: Connection) -> None:
        upgrade(connection)
        raise RuntimeError

    monkeypatch.setattr("scheduler.store.opening.upgrade", fail)
    with pytest.raises(RuntimeError):
        SqlStore(url)
    engine = engine_of(parsed(url))
    with writing(engine) as connection:
        assert revision_in(connection) is None
        assert connection.scalar(text("SELECT version FROM schema_version")) == int(name)
    engine.dispose()
    monkeypatch.undo()
    assert len(open_store(url).jobs(open_only=False)) == 5


@pytest.mark.parametrize("name", RECORDED)
def test_a_store_that_an_older_headroom_works_with_is_left_to_it(name: str, url: str) -> None:
    write_recorded(name, url)
    engine = create_engine(parsed(url))
    with _older_leads(url, engine), pytest.raises(Conflict, match="older Headroom uses the store"):
        SqlStore(url)
    with engine.connect() as connection:
        assert revision_in(connection) is None
    engine.dispose()
    with Candidacy(url, holder="ours", address="") as candidacy:
        assert candidacy.insist().fence.number == 2


@contextmanager
def _older_leads(url: str, engine: Engine) -> Iterator[None]:
    """Lead a store as an older Headroom does: by a lock, or by a row that is renewed."""
    if engine.dialect.name == "sqlite":
        with Path(f"{parsed(url).database}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with engine.begin() as connection:
        connection.execute(text("UPDATE leadership SET until_s = extract(epoch FROM clock_timestamp()) + 60"))
    yield
    with engine.begin() as connection:
        connection.execute(text("UPDATE leadership SET until_s = 0"))


@pytest.mark.parametrize("name", RECORDED)
def test_a_backup_of_an_older_headroom_is_restored(
    name: str, url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    file = tmp_path / "old.backup"
    write_recorded(name, f"sqlite:///{file}")
    assert str(restore(url, file)) == "jobs up to 5 and cycles up to 3"
    fresh = open_store(f"sqlite:///{tmp_path}/fresh/headroom.db")
    fill(fresh)
    assert content(open_store(url)) == content(fresh)


@pytest.mark.parametrize("name", RECORDED)
def test_a_server_that_an_older_headroom_wrote_is_not_backed_up_in_part(
    name: str, postgresql_url: str, tmp_path: Path
) -> None:
    write_recorded(name, postgresql_url)
    with pytest.raises(ConfigError, match="an older Headroom wrote it"):
        back_up(postgresql_url, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []
    open_engine(postgresql_url).dispose()
    assert back_up(postgresql_url, tmp_path / "b").job == 5


def test_the_marker_of_an_older_headroom_counts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/headroom.db"
    write_recorded("4", url)
    marker_beside(parsed(url)).path.write_text(
        '{"store": "6b80b02d-25b5-431f-8d19-c2ed25f20dba", "version": 4, "job": 9, "cycle": 3}', encoding="ascii"
    )
    with pytest.raises(
        ConfigError, match=r"has lost what was written last: it holds jobs up to 5 .*and held jobs up to 9"
    ):
        SqlStore(url)
    assert Marker(tmp_path / "headroom.db.held").read() == Held("6b80b02d-25b5-431f-8d19-c2ed25f20dba", 9, 3)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_store_from_before_the_journal_of_changes_is_taken_over(
    version: int, url: str, open_store: Callable[[str], SqlStore]
) -> None:
    write_recorded("4", url)
    engine = create_engine(parsed(url))
    with engine.begin() as connection:
        for table in ("cycle_changes", "attempt_sums", "submissions"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("ALTER TABLE events DROP COLUMN actor"))
        connection.execute(text("DELETE FROM cycles"))
        connection.execute(text("UPDATE schema_version SET version = :v"), {"v": version})
    engine.dispose()
    store = open_store(url)
    for number in (1, 2):
        store.journal(CycleRecord(number, 1.0, Snapshot.of(), Demand(), Plan(number), 0.0))
    assert [cycle.number for cycle in store.cycles()] == [1, 2]
    assert {(total.outcome, total.attempts) for total in store.attempt_totals()} == {
        (Outcome.PREEMPTED, 1), (Outcome.OPEN, 1), (Outcome.SUCCEEDED, 1), (Outcome.FAILED, 1),
    }  # fmt: skip
