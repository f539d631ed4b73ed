"""How long replicas took to start, the newest of each model on each kind of host."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from scheduler.control.records import STARTS_KEPT, StartRecord
from scheduler.store.tables import replica_starts


def starts_in(connection: Connection) -> tuple[StartRecord, ...]:
    """Return all that are kept, oldest first."""
    rows = connection.execute(select(replica_starts).order_by(replica_starts.c.id))
    return tuple(StartRecord(row.model, row.kind, row.at_s, row.took_s) for row in rows)


def add_starts(connection: Connection, starts: Sequence[StartRecord]) -> None:
    """Add some, and drop those beyond `STARTS_KEPT` of their kind."""
    rows = [{"model": one.model, "kind": one.kind, "at_s": one.at_s, "took_s": one.took_s} for one in starts]
    connection.execute(insert(replica_starts), rows)
    table = replica_starts.c
    for model, kind in dict.fromkeys((one.model, one.kind) for one in starts):
        alike = (table.model == model) & (table.kind == kind)
        newest = select(table.id).where(alike).order_by(table.id.desc()).limit(STARTS_KEPT)
        connection.execute(delete(replica_starts).where(alike, table.id.not_in(newest)))
