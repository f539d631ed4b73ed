"""The journal of cycles in a database: one in so many is written whole, the others as what has changed."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, func, insert, select

from scheduler.control.records import CycleRecord
from scheduler.store.changes import Replay, encode_change
from scheduler.store.codec import encode_cycle
from scheduler.store.history import History
from scheduler.store.tables import cycle_changes, cycles

MOST_CHANGES: Final = 200
"""Cycles written as changes after one that is whole; to read the last, all of them are read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One cycle to be written.

    Attributes:
        cycle: which.
        table: where to.
        body: as JSON, compressed.
        changes: how many entries came after the last that is whole, this one included.
        lasting: the same for the history; None where it does not keep this cycle.
    """

    cycle: CycleRecord
    table: Table
    body: bytes
    changes: int
    lasting: bytes | None


class Journal:
    """Writes and reads cycles within transactions of others, for one process that leads."""

    def __init__(self, kept: int) -> None:
        """Keep so many of the newest cycles."""
        self._kept = kept
        self._last: Entry | None = None
        self._history = History()

    def entry(self, cycle: CycleRecord) -> Entry:
        """Return a cycle as it is to be written: as a change where the last one written is the one before it."""
        last, self._last = self._last, None
        lasting = self._history.entry(cycle)
        if last is None or cycle.number != last.cycle.number + 1 or last.changes >= MOST_CHANGES:
            return Entry(cycle, cycles, lasting or zlib.compress(encode_cycle(cycle)), 0, lasting)
        change = zlib.compress(encode_change(last.cycle, cycle))
        return Entry(cycle, cycle_changes, change, last.changes + 1, lasting)

    def write(self, connection: Connection, entry: Entry) -> None:
        """Append an entry, in place of one of the same number and of all changes after that; drop the oldest."""
        number = entry.cycle.number
        connection.execute(delete(cycles).where(cycles.c.number == number))
        connection.execute(delete(cycle_changes).where(cycle_changes.c.number >= number))
        connection.execute(insert(entry.table).values(number=number, at_s=entry.cycle.at_s, body=entry.body))
        base = _whole_before(connection, number - self._kept + 1)
        for table in (cycles, cycle_changes) if base is not None else ():
            connection.execute(delete(table).where(table.c.number < base))
        self._history.write(connection, entry.cycle, entry.lasting)

    def written(self, entry: Entry) -> None:
        """Take note that an entry is on disk: the next may be a change after it."""
        self._last = entry
        self._history.written(entry.cycle, entry.lasting)

    def read(self, connection: Connection, limit: int) -> tuple[CycleRecord, ...]:
        """Return the newest `limit` cycles, of those that are kept, oldest first."""
        numbers = sorted(
            number for table in (cycles, cycle_changes) for number in connection.scalars(select(table.c.number))
        )[-self._kept :]
        wanted = numbers[max(0, len(numbers) - limit) :]
        if not wanted:
            return ()
        return tuple(_replayed(_rows_since(connection, wanted[0]), set(wanted)))


def read_between(connection: Connection, from_s: float, to_s: float) -> Iterator[CycleRecord]:
    """Yield the cycles of a time, oldest first; the connection is not used any more once this has returned."""
    wanted = sorted(
        number
        for table in (cycles, cycle_changes)
        for number in connection.scalars(select(table.c.number).where(table.c.at_s >= from_s, table.c.at_s <= to_s))
    )
    return _replayed(_rows_since(connection, wanted[0]) if wanted else [], set(wanted))


def _whole_before(connection: Connection, number: int) -> int | None:
    """Return the number of the last whole cycle up to a number, or None when there is none."""
    found: int | None = connection.scalar(select(func.max(cycles.c.number)).where(cycles.c.number <= number))
    return found


def _rows_since(connection: Connection, number: int) -> list[tuple[Row[Any], bool]]:
    """Return what a cycle and those after it are put together from, in order, and of each row whether it is whole."""
    base = _whole_before(connection, number) or 0
    rows = [
        (row, table is cycles)
        for table in (cycles, cycle_changes)
        for row in connection.execute(select(table).where(table.c.number >= base))
    ]
    return sorted(rows, key=lambda pair: pair[0].number)


def _replayed(rows: Sequence[tuple[Row[Any], bool]], wanted: set[int]) -> Iterator[CycleRecord]:
    """Yield the wanted cycles, put together from rows in order, of each of which it is said whether it is whole."""
    replay = None
    for row, whole in rows:
        body = zlib.decompress(row.body)
        if whole:
            replay = Replay(body)
        elif replay is not None:
            replay.follow(body)
        if replay is not None and row.number in wanted:
            yield replay.record()
