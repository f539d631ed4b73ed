"""A database that an older Headroom wrote opens, has everything it had, and takes what is new."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from pydantic import TypeAdapter
from sqlalchemy import create_engine, text

from scheduler.control.records import AttemptRecord, AttemptTotal, EventKind, EventRecord, Once, Outcome
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.engine import parsed
from scheduler.store.sql import SqlStore
from scheduler.store.tables import SCHEMA_VERSION

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
    with again._engine.connect() as connection:
        assert connection.execute(text("SELECT version FROM schema_version")).scalars().all() == [SCHEMA_VERSION]
