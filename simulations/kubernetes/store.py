"""The objects: one revision counter, tables of objects as bytes, and a window of changes for watches and old pages."""

import json
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Any

Json = dict[str, Any]
TableKey = tuple[str, str]
ObjectKey = tuple[str, str]  # namespace (empty for cluster objects), name

WINDOW = 20_000  # changes kept a table; a real server keeps at least 100 and grows with the load


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one object; its JSON is kept as bytes, which are smaller and never change."""

    key: ObjectKey
    revision: int
    labels: dict[str, str]
    fields: dict[str, str]
    body: bytes

    def object(self) -> Json:
        """Return the object as values of one's own."""
        found: Json = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object: its version now, and the one before."""

    revision: int
    type: str
    entry: Entry
    before: Entry | None


class Table:
    """The objects of one kind in the order of their keys, and their latest changes."""

    def __init__(self) -> None:
        self.entries: dict[ObjectKey, Entry] = {}
        self.order: list[ObjectKey] = []
        self.changes: deque[Change] = deque()
        self.forgotten = 0

    def record(self, change: Change) -> None:
        """Carry a change out and remember it."""
        key = change.entry.key
        if change.type == "DELETED":
            del self.entries[key]
            del self.order[bisect_left(self.order, key)]
        else:
            if key not in self.entries:
                insort(self.order, key)
            self.entries[key] = change.entry
        self.changes.append(change)
        if len(self.changes) > WINDOW:
            self.forgotten = self.changes.popleft().revision

    def since(self, revision: int) -> list[Change]:
        """Return the changes after a revision, oldest first."""
        found: list[Change] = []
        for change in reversed(self.changes):
            if change.revision <= revision:
                break
            found.append(change)
        return found[::-1]

    def at(self, revision: int) -> tuple[list[ObjectKey], dict[ObjectKey, Entry]]:
        """Return keys in order and entries as they were at a revision."""
        later = self.since(revision)
        if not later:
            return self.order, self.entries
        entries = dict(self.entries)
        for change in reversed(later):
            if change.before is None:
                entries.pop(change.entry.key, None)
            else:
                entries[change.entry.key] = change.before
        return sorted(entries), entries


class Store:
    """All tables under one lock and one counter; who listens is told of every change."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.revision = 1
        self.compacted = 0
        self.started_at = 0
        self._tables: dict[TableKey, Table] = {}
        self._listeners: list[Callable[[TableKey], None]] = []

    def table(self, key: TableKey) -> Table:
        """Return a table, empty if nothing was ever in it."""
        return self._tables.setdefault(key, Table())

    def get(self, table: TableKey, key: ObjectKey) -> Entry | None:
        """Return an object's newest version."""
        return self.table(table).entries.get(key)

    def entries(self, table: TableKey, namespace: str = "") -> Iterator[Entry]:
        """Yield the newest versions in the order of their keys, of all namespaces or of one."""
        found = self.table(table)
        for key in slice_of(found.order, namespace):
            yield found.entries[key]

    def write(self, table: TableKey, key: ObjectKey, body: Json, fields: dict[str, str]) -> Entry:
        """Store a new version under the next revision, which the object then carries."""
        self.revision += 1
        body["metadata"]["resourceVersion"] = str(self.revision)
        labels = body["metadata"].get("labels") or {}
        entry = Entry(key, self.revision, labels, fields, _bytes(body))
        before = self.get(table, key)
        self._record(table, Change(self.revision, "MODIFIED" if before else "ADDED", entry, before))
        return entry

    def delete(self, table: TableKey, key: ObjectKey, body: Json) -> Entry:
        """Take an object out; the last version says at which revision it went."""
        self.revision += 1
        before = self.table(table).entries[key]
        body["metadata"]["resourceVersion"] = str(self.revision)
        entry = Entry(key, self.revision, before.labels, before.fields, _bytes(body))
        self._record(table, Change(self.revision, "DELETED", entry, before))
        return entry

    def _record(self, table: TableKey, change: Change) -> None:
        self.table(table).record(change)
        for listener in tuple(self._listeners):
            listener(table)

    def listen(self, listener: Callable[[TableKey], None]) -> Callable[[], None]:
        """Have every change told; return how to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def unwatchable(self, table: TableKey, revision: int) -> bool:
        """Say whether a watch can no longer begin at a revision."""
        return revision < max(self.started_at, self.compacted, self.table(table).forgotten)

    def unlistable(self, table: TableKey, revision: int) -> bool:
        """Say whether the state at a revision is no longer known."""
        return revision < max(self.compacted, self.table(table).forgotten)

    def compact(self) -> None:
        """Forget all older versions."""
        self.compacted = self.revision
        for table in self._tables.values():
            table.changes.clear()

    def restart(self) -> None:
        """Do to watches what a restart of the server does: every version from before is too old."""
        self.revision += 1
        self.started_at = self.revision

    def tables(self) -> tuple[TableKey, ...]:
        """Return the keys of all tables."""
        return tuple(self._tables)


def slice_of(order: list[ObjectKey], namespace: str) -> list[ObjectKey]:
    """Return the keys of one namespace out of ordered keys; all of them without one."""
    if not namespace:
        return order
    return order[bisect_left(order, (namespace, "")) : bisect_right(order, (namespace, "\U0010ffff"))]


def _bytes(body: Json) -> bytes:
    """Return an object's JSON, what it is in front: lists cut that off."""
    body = {"kind": body.get("kind"), "apiVersion": body.get("apiVersion")} | body
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
