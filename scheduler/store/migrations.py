"""From the schema of an older Headroom to ours, in the transaction that opens the store."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, inspect, text

from scheduler.store.sums import count_all


def migrate(connection: Connection, found: int) -> None:
    """Bring a database of schema `found` up to ours; tables that are new were made already."""
    for version, step in STEPS.items():
        if found < version:
            step(connection)


def _name_who_acted_and_count_attempts(connection: Connection) -> None:
    if "actor" not in {column["name"] for column in inspect(connection).get_columns("events")}:
        connection.execute(text("ALTER TABLE events ADD COLUMN actor TEXT NOT NULL DEFAULT ''"))
    count_all(connection)


STEPS: Final[dict[int, Callable[[Connection], None]]] = {4: _name_who_acted_and_count_attempts}
"""What each schema needs beside new tables, oldest first."""
