"""Connections to a database so that what was committed survives, and no wait is endless."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from scheduler.control.private_files import private_file, private_folder
from scheduler.model.errors import ConfigError, Unreachable
from scheduler.store.fencing import check_fence
from scheduler.store.marker import check_file, marker_beside

BUSY_TIMEOUT_MS = 5_000
POOL_TIMEOUT_S: Final = 3.0
"""Longest wait for a connection that others hold."""
AGAIN_AFTER_S: Final = 2.0
"""A database that did not answer is asked again after so long; until then whoever asks is told at once."""
_WRITES = "headroom_writes"
_silent: WeakKeyDictionary[Engine, tuple[float, Unreachable]] = WeakKeyDictionary()
"""Databases that did not answer: when that was found (monotonic seconds), and what was said."""
_silent_lock = threading.Lock()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that is on disk when the block is left, or undone when it raises.

    Raises:
        Superseded: the engine carries a fencing number (`fenced`), and there is a newer one; nothing is written.
    """
    with asking(engine), engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        check_fence(connection)
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database."""
    with asking(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def asking(engine: Engine) -> Iterator[None]:
    """Ask a database something, unless it has just not answered somebody else: not everybody need wait for it.

    Raises:
        Unreachable: it does not answer, or did not a moment ago.
    """
    _refuse_in_silence(engine)
    try:
        with answering(engine.url):
            yield
    except Unreachable as error:
        if _is_silence(engine, error.__cause__):
            with _silent_lock:
                _silent[engine] = (time.monotonic(), error)
        raise
    with _silent_lock:
        _silent.pop(engine, None)


def _refuse_in_silence(engine: Engine) -> None:
    """Let one ask a silent database now and then, and tell all others at once."""
    now_s = time.monotonic()
    with _silent_lock:
        at_s, said = _silent.get(engine, (0.0, None))
        if said is None:
            return
        if now_s - at_s >= AGAIN_AFTER_S:
            _silent[engine] = (now_s, said)
            return
    raise Unreachable(*said.faults)


def _is_silence(engine: Engine, cause: BaseException | None) -> bool:
    """Whether a database was not heard at all, which a file always is; what a server has refused bears a code."""
    said = getattr(cause, "orig", None)
    return engine.dialect.name != "sqlite" and getattr(said, "sqlstate", None) is None


@contextmanager
def answering(url: URL) -> Iterator[None]:
    """Turn a database that does not answer into `Unreachable`."""
    try:
        yield
    except (DBAPIError, PoolExhausted) as error:
        why = " ".join(str(getattr(error, "orig", None) or error).split())
        raise Unreachable(f"store {shown(url)} does not answer: {why}", help="is it up, is the disk full?") from error


def shown(url: URL) -> str:
    """Return where a store is, for people: without its password, and without how we connect to it."""
    return url.set(query={}).render_as_string(hide_password=True)


def parsed(url: str) -> URL:
    """Return a URL of a store we know.

    Raises:
        ConfigError: it is none, or its data would not survive.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f'store "{url}" is not a URL', help="sqlite:////var/lib/headroom/state.db") from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"store {parsed.get_backend_name()} is not known", help="use sqlite or postgresql")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError("a store in memory would lose every job", help="sqlite:////var/lib/headroom/state.db")
    return parsed


def engine_of(url: URL) -> Engine:
    """Return the engine of a parsed URL, whatever its database holds.

    Raises:
        ConfigError: a file that is damaged or has lost something, or a driver that is missing.
        Unreachable: a file that may not be opened.
    """
    if url.get_backend_name() != "sqlite":
        return postgresql_engine(url)
    path = Path(str(url.database))
    try:
        if not path.parent.exists():
            private_folder(path.parent)
        check_file(url, marker_beside(url))
        for ending in ("", "-wal", "-shm"):
            if not ending or Path(f"{path}{ending}").exists():
                private_file(Path(f"{path}{ending}"))
    except OSError as error:
        raise Unreachable(f"store {path} cannot be opened: {error.strerror}", help="may we write there?") from error
    engine = create_engine(url)
    event.listen(engine, "connect", _harden_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def postgresql_engine(url: URL, **options: Any) -> Engine:
    """Return an engine none of whose connections waits for ever; `options` are those of `create_engine`.

    Raises:
        ConfigError: its driver is not installed.
    """
    try:
        from scheduler.store.silence import CONNECT_ARGUMENTS, PatientConnection  # noqa: PLC0415  # an optional driver

        arguments = {name: value for name, value in CONNECT_ARGUMENTS.items() if name not in url.query}
        engine = create_engine(url, pool_pre_ping=True, pool_timeout=POOL_TIMEOUT_S, connect_args=arguments, **options)
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigError(
            f"no driver for {url.drivername}", help="pip install headroom-scheduler[postgresql]"
        ) from error

    @event.listens_for(engine, "do_connect")
    def _connected(_dialect: object, _record: object, arguments: Any, named: dict[str, Any]) -> Any:
        return PatientConnection.connect(*arguments, **named)

    return engine


def _harden_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # else the driver begins transactions at moments of its own
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start: a transaction that reads and then writes could not get it later."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
