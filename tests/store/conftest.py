"""Databases to test against: SQLite always, PostgreSQL where its programs are installed."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scheduler.store.sql import SqlStore


def _program(name: str) -> str | None:
    newest_first = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, newest_first), None)


def _as_user() -> list[str]:
    """Return the words before a command, for PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return ["runuser", "-u", "postgres", "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _server() -> Iterator[tuple[int, Callable[[], None]]]:
    """Run a PostgreSQL server; give its port, and what starts it anew."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("needs PostgreSQL's initdb and pg_ctl")
    user, port = _as_user(), _free_port()
    with TemporaryDirectory(prefix="headroom-postgresql-") as folder:  # pytest's own is closed to other users
        if user:
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        _run(*user, initdb, "-D", data, "-U", "headroom", "--auth=trust", "-E", "UTF8", "--no-sync")
        # no test takes the power away: what the system has been given outlives every process
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        _run(*user, pg_ctl, "-D", data, "-o", options, "-l", f"{folder}/log", "-w", "start")
        yield port, lambda: _run(*user, pg_ctl, "-D", data, "-m", "fast", "-w", "restart")
        _run(*user, pg_ctl, "-D", data, "-m", "immediate", "stop")


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[int]:
    """Run a PostgreSQL server for the session; give its port."""
    with _server() as (port, _):
        yield port


@pytest.fixture
def own_postgresql() -> Iterator[tuple[str, Callable[[], None]]]:
    """Run a PostgreSQL server for one test; give the URL of a database, and what starts the server anew."""
    with _server() as (port, restart):
        yield f"postgresql://headroom@127.0.0.1:{port}/postgres", restart


def _run(*command: str) -> None:
    """Run a program that keeps no pipe of ours open."""
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def postgresql_url(postgresql_server: int, request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database."""
    import psycopg  # noqa: PLC0415  # an optional driver

    name = f"t{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(
        f"host=127.0.0.1 port={postgresql_server} user=headroom dbname=postgres", autocommit=True
    ) as c:
        c.execute(f"CREATE DATABASE {name}")
    return f"postgresql://headroom@127.0.0.1:{postgresql_server}/{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/headroom.db"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """Open a store on an empty database."""
    opened = SqlStore(url, cycles_kept=5, events_kept=20)
    yield opened
    opened.close()


@pytest.fixture
def open_store() -> Iterator[Callable[[str], SqlStore]]:
    """Open stores that are closed at the end of the test."""
    opened: list[SqlStore] = []

    def open_one(url: str) -> SqlStore:
        opened.append(SqlStore(url))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
