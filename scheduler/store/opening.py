"""Opening a store: its tables are made, an older schema is brought up to ours, and a newer one is not touched."""

import fcntl
import uuid
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, func, insert, select, text

from scheduler.model.errors import ConfigError, Conflict
from scheduler.store.engine import answering, engine_of, parsed, reading, shown, writing
from scheduler.store.fencing import leader_in
from scheduler.store.migrations import is_known, newest, revision_in, upgrade
from scheduler.store.tables import identity

PREPARING: Final = 0x4845_4144_524F_4F4D
"""Key of PostgreSQL's advisory lock under which tables are made: "HEADROOM"."""


def open_engine(url: str) -> Engine:
    """Connect, create what is missing, and bring an older schema up to ours.

    Args:
        url: a SQLAlchemy URL of SQLite (a file) or PostgreSQL.

    Raises:
        ConfigError: not such a URL, or the database has a newer schema than this Headroom knows.
        Conflict: its schema is older, and a control plane of that older Headroom works with it.
        Unreachable: the database does not answer.
    """
    engine = engine_of(parsed(url))
    try:
        with answering(engine.url):
            prepare(engine)
    except BaseException:
        engine.dispose()  # a refused store leaves no connection behind
        raise
    return engine


def prepare(engine: Engine) -> None:
    """Create what is missing, and bring an older schema up to ours.

    Raises:
        ConfigError: the schema is newer than ours.
        Conflict: it is older, and a control plane of that older Headroom works with it.
    """
    where = shown(engine.url)
    with reading(engine) as connection:
        if _is_ready(connection, where):
            return  # without a lock, which somebody who is stopped while he opens the store would keep
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(PREPARING)))  # two that make tables at once fail
            connection.execute(text("SET LOCAL statement_timeout = 0"))  # a long history takes its time
        if _is_ready(connection, where):
            return  # whoever held the lock has done it
        _refuse_in_use(connection)
        upgrade(connection)
        if connection.scalar(select(identity.c.owner)) is None:
            connection.execute(insert(identity).values(owner=str(uuid.uuid4()), fence=0))


def refuse_newer(connection: Connection, shown: str) -> None:
    """Let a schema be used that this Headroom knows.

    Raises:
        ConfigError: a newer one wrote it.
    """
    found = revision_in(connection)
    if not is_known(found):
        raise ConfigError(
            f"{shown} has schema {found}, this Headroom knows {newest()} and those before it",
            help="use the newer Headroom that wrote it",
        )


def _is_ready(connection: Connection, shown: str) -> bool:
    refuse_newer(connection, f"store {shown}")
    return revision_in(connection) == newest() and connection.scalar(select(identity.c.owner)) is not None


def _refuse_in_use(connection: Connection) -> None:
    """Let a schema be changed that nobody works with.

    Raises:
        Conflict: somebody does.
    """
    if connection.dialect.name == "sqlite":
        leads = _is_locked(Path(f"{connection.engine.url.database}.lock"))
    else:
        leads = connection.dialect.has_table(connection, "leadership") and bool(
            (led := leader_in(connection)) and led.is_alive
        )
    if leads:
        where = shown(connection.engine.url)
        raise Conflict(
            f"a control plane of an older Headroom uses the store {where}",
            help="stop it (and those that stand by), then start this one: its schema is brought up to date then",
        )


def _is_locked(path: Path) -> bool:
    """Whether a process leads the store of a file."""
    if not path.exists():
        return False
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
