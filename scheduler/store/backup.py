"""A store as one file, taken while it is in use, and put back where no control plane runs."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from scheduler.control.private_files import close, private_file, private_folder
from scheduler.model.errors import ConfigError, Conflict
from scheduler.store.engine import answering, parsed, postgresql_engine, reading, shown, writing
from scheduler.store.marker import Held, damaged, held_in, marker_beside
from scheduler.store.migrations import newest, revision_in, upgrade
from scheduler.store.opening import open_engine, prepare, refuse_newer
from scheduler.store.ownership import Candidacy
from scheduler.store.tables import identity, leadership, metadata

ROWS: Final = 500
"""Copied at once."""
_OWN: Final = (identity.name, leadership.name)
"""Tables of who leads, which is never what it was when the backup was taken."""


def back_up(url: str, file: Path) -> Held:
    """Write one consistent state of a store to a new SQLite file that only its owner may read.

    Args:
        url: of the store, as `SqlStore` takes it; it may be in use.
        file: appears whole or not at all.

    Returns:
        What it holds.

    Raises:
        ConfigError: the file exists, or cannot be written; or the store is damaged.
        Unreachable: the store does not answer.
    """
    known = parsed(url)
    if file.exists():
        raise ConfigError(f"{file} exists", help="a backup is never overwritten: choose another name")
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        private_file(draft)
        _copy_file(known, draft) if known.get_backend_name() == "sqlite" else _copy_server(known, draft)
        held = _verified(draft)
        os.link(draft, file)
    except OSError as error:
        raise ConfigError(f"cannot write {file}: {error.strerror}", help="choose a folder with room") from error
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                Path(f"{draft}{ending}").unlink()
    return held


def restore(url: str, file: Path, *, force: bool = False) -> Held:
    """Put a backup in the place of a store that no control plane uses.

    Args:
        url: of the store, as `SqlStore` takes it.
        file: as `back_up` wrote it, by this Headroom or an older one.
        force: also where the store holds something already; a SQLite file that was there is kept under another name.

    Returns:
        What the store holds now.

    Raises:
        ConfigError: the file is no backup, or is damaged; or the store holds something and `force` is not given.
        Conflict: a control plane runs on the store.
        Unreachable: the store does not answer.
    """
    known = parsed(url)
    _verified(file)
    if known.get_backend_name() == "sqlite":
        return _replace_file(known, file, force=force)
    with Candidacy(url, holder="headroom restore", address="") as candidacy:
        candidacy.insist()
        return _replace_rows(known, file, force=force)


def _copy_file(url: URL, draft: Path) -> None:
    if not Path(str(url.database)).is_file():
        raise ConfigError(f"there is no store {url.database} yet", help="start the control plane once")
    try:
        with closing(sqlite3.connect(str(url.database))) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.DatabaseError as error:
        raise damaged(str(url.database), str(error)) from error


def _copy_server(url: URL, draft: Path) -> None:
    with ExitStack() as stack:
        server = postgresql_engine(url, isolation_level="REPEATABLE READ")
        stack.callback(server.dispose)
        target = stack.enter_context(_file_engine(draft))
        stack.enter_context(answering(url))
        source, sink = stack.enter_context(server.connect()), stack.enter_context(target.begin())
        source.execute(text("SET LOCAL statement_timeout = 0"))
        _insist_on_ours(source, url)
        upgrade(sink)
        for table in metadata.sorted_tables:
            _copy_rows(source, sink, table)


def _insist_on_ours(connection: Connection, url: URL) -> None:
    """Let rows be copied that are as we know them.

    Raises:
        ConfigError: a Headroom with another schema wrote them.
    """
    where = f"store {shown(url)}"
    refuse_newer(connection, where)
    if revision_in(connection) != newest():
        raise ConfigError(
            f"{where} is empty, or an older Headroom wrote it",
            help="back it up with that Headroom, or start this control plane once",
        )


def _copy_rows(source: Connection, sink: Connection, table: Table) -> None:
    rows = source.execution_options(yield_per=ROWS).execute(select(table))
    for group in rows.mappings().partitions(ROWS):
        sink.execute(insert(table), [dict(row) for row in group])


@contextmanager
def _file_engine(path: Path) -> Iterator[Engine]:
    """Open a plain SQLite file without WAL, so that it stays one file."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    try:
        yield engine
    finally:
        engine.dispose()


def _verified(file: Path) -> Held:
    """Return what a backup holds.

    Raises:
        ConfigError: it is none, is damaged, or is of a newer Headroom.
    """
    if not file.is_file():
        raise ConfigError(f"there is no file {file}", help="give a file that headroom backup wrote")
    try:
        with _file_engine(file) as engine, engine.connect() as connection:
            found = connection.execute(text("PRAGMA quick_check(1)")).scalar()
            if found != "ok":
                raise ConfigError(f"{file} is damaged: {found}", help="take another backup")
            refuse_newer(connection, str(file))
            return held_in(connection)
    except DBAPIError as error:
        raise ConfigError(
            f"{file} is no backup: {error.orig}", help="give a file that headroom backup wrote"
        ) from error


def _replace_file(url: URL, file: Path, *, force: bool) -> Held:
    from fcntl import LOCK_EX, LOCK_NB, flock  # noqa: PLC0415  # beside its one use

    path = Path(str(url.database))
    if not path.parent.exists():
        private_folder(path.parent)
    with private_file(Path(f"{path}.lock")).open("a") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"a control plane uses the store {path}", help="stop it first") from error
        fence = _refuse_to_overwrite(path, force=force)
        draft = path.with_name(f".{path.name}.restoring")
        draft.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(private_file(draft))) as target:
            source.backup(target)
        held = _made_ours(draft, fence)
        _put_in_place(draft, path)
        marker_beside(url).write(held)
    return held


def _refuse_to_overwrite(path: Path, *, force: bool) -> int:
    """Return the fencing number of the store that is there, 0 without one.

    Raises:
        ConfigError: it holds something, or nobody can say, and `force` is not given.
    """
    if not path.exists() or not path.stat().st_size:
        return 0
    try:
        with _file_engine(path) as engine, engine.connect() as connection:
            held, fence = held_in(connection), int(connection.scalar(select(identity.c.fence)) or 0)
    except DBAPIError as error:
        if not force:
            raise ConfigError(f"what {path} holds cannot be read: {error.orig}", help=_FORCE) from error
        return 0
    if (held.job or held.cycle) and not force:
        raise ConfigError(f"store {path} holds {held}", help=_FORCE)
    return fence


_FORCE: Final = "--force puts the backup in its place; the old file is kept beside it"


def _made_ours(draft: Path, fence: int) -> Held:
    """Bring a copied backup up to our schema; nobody leads it, and whoever does next has a number above all others."""
    with _file_engine(draft) as engine:
        prepare(engine)
        with engine.begin() as connection:
            newest = max(fence, int(connection.scalar(select(identity.c.fence)) or 0))
            connection.execute(update(identity).values(fence=newest))
            connection.execute(delete(leadership))
            return held_in(connection)


def _put_in_place(draft: Path, path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        old = Path(f"{path}{ending}")
        if old.exists():
            old.replace(f"{path}.replaced{ending}")
    draft.replace(path)
    close(path)


def _replace_rows(url: URL, file: Path, *, force: bool) -> Held:
    engine = open_engine(url.render_as_string(hide_password=False))
    copy = file.with_name(f".{file.name}.{os.getpid()}.restoring")
    try:
        with reading(engine) as connection:
            held = held_in(connection)
        if (held.job or held.cycle) and not force:
            raise ConfigError(f"store {shown(url)} holds {held}", help="--force overwrites it: back it up first")
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(private_file(copy))) as target:
            source.backup(target)
        _made_ours(copy, 0)
        with _file_engine(copy) as backup, backup.connect() as source, writing(engine) as sink:
            sink.execute(text("SET LOCAL statement_timeout = 0"))
            return _rows_put_back(source, sink)
    finally:
        copy.unlink(missing_ok=True)
        engine.dispose()


def _rows_put_back(source: Connection, sink: Connection) -> Held:
    """Replace all rows but those of who leads; the store is the one of the backup from now on."""
    tables = [table for table in metadata.sorted_tables if table.name not in _OWN]
    for table in reversed(tables):
        sink.execute(delete(table))
    for table in tables:
        _copy_rows(source, sink, table)
        if table.autoincrement_column is not None:
            _count_on(sink, table)
    sink.execute(update(identity).values(owner=source.scalar(select(identity.c.owner))))
    return held_in(sink)


def _count_on(sink: Connection, table: Table) -> None:
    """Let a server give numbers beyond those that were put in."""
    sequence = sink.scalar(select(func.pg_get_serial_sequence(table.name, "id"))) if "id" in table.c else None
    newest = sink.scalar(select(func.max(table.c.id))) if sequence else None
    if newest:
        sink.execute(select(func.setval(sequence, newest)))
