"""A database that falls silent holds nobody up for long: each call ends, and says which store does not answer."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from scheduler.control.records import EventKind, EventRecord
from scheduler.model.errors import Unreachable
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobState
from scheduler.store import engine as opening
from scheduler.store import silence
from scheduler.store.engine import reading
from scheduler.store.sql import SqlStore

pytestmark = pytest.mark.timeout(90)
SPEC = JobSpec("lm", "true", Gang(1, Shape(1000)))
EVENT = EventRecord(1.0, 1, EventKind.CONTROL, "cluster", "said")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on a silent server sooner than in life."""
    monkeypatch.setattr(silence, "SILENCE_S", 1.0)
    monkeypatch.setitem(silence.CONNECT_ARGUMENTS, "connect_timeout", 2)


def _family_of(store: SqlStore) -> list[int]:
    """Return the server's own process and those it began, which answer its clients."""
    with reading(store.engine) as connection:
        parent = int(connection.execute(text("SELECT pg_read_file('postmaster.pid')")).scalar_one().split()[0])
    return [parent, *map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split())]


@contextmanager
def stopped(store: SqlStore) -> Iterator[None]:
    """Stop the server of a store as a machine does that is out of memory: its connections stay open."""
    family = _family_of(store)
    for process in family:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            os.kill(process, signal.SIGCONT)


@contextmanager
def black_hole() -> Iterator[tuple[int, list[socket.socket]]]:
    """Take connections on a port and say nothing; give the port and the connections."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    taken.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield listener.getsockname()[1], taken
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    for connection in taken:
        connection.close()


CALLS: dict[str, Callable[[SqlStore], object]] = {
    "save": lambda store: store.save(replace(store.jobs()[0], state=JobState.RUNNING)),
    "accept": lambda store: store.accept(SPEC, 1.0),
    "events": lambda store: store.events(),
    "totals": lambda store: store.attempt_totals(),
}


@pytest.mark.usefixtures("soon")
def test_every_call_to_a_stopped_server_ends_and_all_goes_on_when_it_does(
    postgresql_url: str, open_store: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "AGAIN_AFTER_S", 0.0)
    store = open_store(postgresql_url)
    first = store.accept(SPEC, 0.0)
    store.jobs()
    with stopped(store):
        for call in CALLS.values():
            with pytest.raises(Unreachable, match=r"store postgresql.*does not answer"):
                call(store)
    assert store.jobs()[0] == first
    store.record(EVENT)
    assert [replace(event, event_id=0) for event in store.events()] == [EVENT]


@pytest.mark.usefixtures("soon")
def test_open_jobs_are_known_while_a_write_waits_for_a_silent_server(
    postgresql_url: str, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(postgresql_url)
    known = store.accept(SPEC, 0.0)
    store.jobs()
    refused: list[Unreachable] = []

    def submit() -> None:
        try:
            store.accept(SPEC, 1.0)
        except Unreachable as error:
            refused.append(error)

    with stopped(store):
        writer = threading.Thread(target=submit)
        writer.start()
        assert store.jobs() == (known,)
        assert store.job(known.job_id) == known
        assert writer.is_alive()
        writer.join()
    assert len(refused) == 1


def test_a_port_that_swallows_everything_is_no_database() -> None:
    with black_hole() as (port, taken), pytest.raises(Unreachable) as raised:
        SqlStore(f"postgresql://headroom:secret@127.0.0.1:{port}/headroom?application_name=me")
    assert taken
    said = f"store postgresql+psycopg://headroom:***@127.0.0.1:{port}/headroom does not answer: "
    assert raised.value.faults[0].message.startswith(said), "neither its password nor how we connect"
    assert "\n" not in raised.value.faults[0].message


def test_one_waits_for_a_silent_database_and_all_others_are_told_at_once(
    postgresql_url: str, open_store: Callable[[str], SqlStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "AGAIN_AFTER_S", 3600.0)
    store = open_store(postgresql_url)
    with black_hole() as (port, taken):
        elsewhere = opening.postgresql_engine(store.engine.url.set(port=port))
        for _ in range(20):
            with pytest.raises(Unreachable, match="does not answer"), reading(elsewhere):
                pytest.fail("answered")
        assert len(taken) == 1
        elsewhere.dispose()


def test_what_a_server_refuses_is_no_silence(postgresql_url: str, open_store: Callable[[str], SqlStore]) -> None:
    store = open_store(postgresql_url)
    with pytest.raises(Unreachable, match="statement timeout"), reading(store.engine) as connection:
        connection.execute(text("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(60)"))
    assert store.events() == ()


def test_the_server_too_is_told_to_end_what_lasts_too_long(
    postgresql_url: str, open_store: Callable[[str], SqlStore]
) -> None:
    asked = "SELECT current_setting('{}')"
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with reading(open_store(postgresql_url).engine) as connection:
        assert [connection.execute(text(asked.format(name))).scalar() for name in names] == ["5s", "3s", "1min"]
    own = open_store(f"{postgresql_url}?options=-c%20statement_timeout%3D7s")
    with reading(own.engine) as connection:
        assert connection.execute(text(asked.format("statement_timeout"))).scalar() == "7s"


def test_nobody_waits_for_ever_for_a_connection_that_others_hold(
    postgresql_url: str, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(postgresql_url)
    few = opening.postgresql_engine(store.engine.url, pool_size=1, max_overflow=0)
    few.pool._timeout = 0.1
    with (
        reading(few),
        pytest.raises(Unreachable, match="QueuePool limit"),
        reading(few),
    ):
        pytest.fail("there is but one connection")
    few.dispose()
