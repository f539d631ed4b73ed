"""What all parts of a store on a database stand on: its engine, and events added within a transaction."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Engine, delete, insert, select

from scheduler.control.records import EventRecord
from scheduler.store.tables import events


class Shelf:
    """One part of a store.

    Attributes:
        engine: of the database.
        events_kept: older events are dropped.
    """

    engine: Engine
    events_kept: int

    def add(self, connection: Connection, new: Sequence[EventRecord]) -> None:
        """Add events within a transaction, and forget the oldest beyond as many as are kept."""
        if not new:
            return
        rows = [{k: v for k, v in asdict(event).items() if k != "event_id"} for event in new]
        connection.execute(insert(events), rows)
        newest = connection.scalar(select(events.c.id).order_by(events.c.id.desc()).limit(1)) or 0
        connection.execute(delete(events).where(events.c.id <= newest - self.events_kept))
