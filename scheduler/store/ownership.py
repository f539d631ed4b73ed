"""One control plane to a store: two would start the same jobs twice, each rightly by what it knows."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, func, select

from scheduler.model.errors import Conflict
from scheduler.store.engine import answering, parsed, postgresql_engine

ADVISORY_LOCK: Final = 0x4845_4144_524F_4F4D
"""Key of PostgreSQL's advisory lock: "HEADROOM"."""


@contextmanager
def sole_user(url: str) -> Iterator[None]:
    """Hold a store for this process until the block is left or the process dies, however it dies.

    Args:
        url: a SQLAlchemy URL, as `SqlStore` takes.

    Raises:
        Conflict: another process holds it.
        ConfigError: not a URL of a store we know.
        Unreachable: the database does not answer.
    """
    known = parsed(url)
    with _locked_file(known) if known.get_backend_name() == "sqlite" else _locked_database(known):
        yield


@contextmanager
def _locked_file(url: URL) -> Iterator[None]:
    path = Path(f"{url.database}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(url) from error
        yield


@contextmanager
def _locked_database(url: URL) -> Iterator[None]:
    engine = postgresql_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with answering(url):
            connection = engine.connect()
        with connection:
            if not connection.scalar(select(func.pg_try_advisory_lock(ADVISORY_LOCK))):
                raise _taken(url)
            yield
    finally:
        engine.dispose()


def _taken(url: URL) -> Conflict:
    shown = url.render_as_string(hide_password=True)
    return Conflict(f"another control plane uses the store {shown}", help="stop it, or give this one another state_dir")
