"""Recorded turns of a store, read beside the control plane that uses it; nothing is written, nothing is locked."""

import zlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, func, select

from scheduler.control.records import CycleRecord
from scheduler.model.errors import ConfigError
from scheduler.store.codec import decode_cycle
from scheduler.store.engine import answering, parsed, postgresql_engine
from scheduler.store.journal import read_between
from scheduler.store.migrations import newest, revision_in
from scheduler.store.opening import refuse_newer
from scheduler.store.tables import cycle_history, cycles


def recorded_cycles(url: str, from_s: float, to_s: float) -> Iterator[CycleRecord]:
    """Yield the turns that a store has kept of a time, oldest first: its history, then its journal.

    Args:
        url: as `SqlStore` takes; the file of a backup is such a store, too.
        from_s: epoch seconds, likewise `to_s`.
        to_s: see there.

    Raises:
        ConfigError: not a URL of a store we know, there is none, or another schema than ours.
        Unreachable: the database does not answer.
    """
    known = parsed(url)
    engine = _engine_of(known)
    try:
        with answering(known):
            yield from _cycles(engine, known, from_s, to_s)
    finally:
        engine.dispose()


def _engine_of(known: URL) -> Engine:
    if known.get_backend_name() != "sqlite":
        return postgresql_engine(known)
    if not Path(str(known.database)).is_file():
        raise ConfigError(f"there is no store {known.database}", help="sqlite:////var/lib/headroom/headroom.db")
    return create_engine(known)


def _cycles(engine: Engine, known: URL, from_s: float, to_s: float) -> Iterator[CycleRecord]:
    with engine.connect() as connection, connection.begin():
        _insist_on_ours(connection, known.render_as_string())
        older = _older_than_journal(connection, from_s, to_s)
        newer = read_between(connection, from_s, to_s)
    for number in older:
        with engine.connect() as connection:
            body = connection.scalar(select(cycle_history.c.body).where(cycle_history.c.number == number))
        if body is not None:  # else it went meanwhile
            yield decode_cycle(zlib.decompress(body))
    yield from newer


def _older_than_journal(connection: Connection, from_s: float, to_s: float) -> list[int]:
    first = connection.scalar(select(func.min(cycles.c.number)))
    table = cycle_history.c
    query = select(table.number).where(table.at_s >= from_s, table.at_s <= to_s).order_by(table.number)
    return list(connection.scalars(query if first is None else query.where(table.number < first)))


def _insist_on_ours(connection: Connection, shown: str) -> None:
    refuse_newer(connection, f"store {shown}")
    if revision_in(connection) != newest():
        raise ConfigError(
            f"store {shown} is empty, or an older Headroom wrote it", help="start this control plane on it once"
        )
