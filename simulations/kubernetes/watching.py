"""Watches: where a stream begins, which events it has, bookmarks, and versions that are too old."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from simulations.kubernetes.events import converted
from simulations.kubernetes.failures import Json, Refused
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.listing import Selection, number, option_refused, selection_of, too_large
from simulations.kubernetes.representations import View, represent, view_of
from simulations.kubernetes.requests import Request
from simulations.kubernetes.store import Change, Entry, Store, slice_of

INITIAL_END = "k8s.io/initial-events-end"
FIRST_BOOKMARK_S, BOOKMARKS_S, LAST_BOOKMARK_S = 60.0, 60.0, 2.0
LONGEST_S = 1_800.0  # a real server ends a watch without timeoutSeconds after 30 to 60 minutes


@dataclass
class Watch:
    """One open watch: events are taken from it until it has ended."""

    store: Store
    kind: Kind
    namespace: str
    selection: Selection
    revision: int
    bookmarks: bool
    seconds: float
    view: View
    served: Callable[[], bool] = lambda: True
    initial: bool = False
    marks_initial: bool = False
    ended: bool = False
    first: list[Json] = field(default_factory=list)

    def start(self) -> list[bytes]:
        """Return the lines that a stream opens with."""
        with self.store.lock:
            if self.first:
                self.ended = True
                return [line({"type": "ERROR", "object": self.first[0]})]
            if not self.initial:
                return []
            self.revision = self.store.revision
            keys = slice_of(self.store.table(self.kind.table).order, self.namespace)
            entries = (self.store.table(self.kind.table).entries[key] for key in keys)
            lines = [self._line("ADDED", entry) for entry in entries if self.selection.takes(entry)]
            return [*lines, self.bookmark(INITIAL_END)] if self.marks_initial else lines

    def take(self) -> list[bytes]:
        """Return the lines of all that happened since the last call."""
        with self.store.lock:
            if self.revision < self.store.started_at:
                return []  # from before a restart: the connection is dead, and only a clock notices
            if self.store.unwatchable(self.kind.table, self.revision):
                self.ended = True
                return [line({"type": "ERROR", "object": expired(self.revision, self.store)})]
            changes = self.store.table(self.kind.table).since(self.revision)
            self.ended = not self.served()
            if changes:
                self.revision = changes[-1].revision
            else:
                self.revision = max(self.revision, self.store.revision)
            return [made for change in changes for made in self._lines(change)]

    def _lines(self, change: Change) -> Iterator[bytes]:
        if self.namespace and change.entry.key[0] != self.namespace:
            return
        now = change.type != "DELETED" and self.selection.takes(change.entry)
        before = self.selection.takes(change.before)
        if now:
            yield self._line("MODIFIED" if before else "ADDED", change.entry)
        elif before:
            yield self._line("DELETED", change.entry)

    def _line(self, word: str, entry: Entry) -> bytes:
        if self.kind.plural == "events" or self.view.form:
            return line({"type": word, "object": self._shown(entry)})
        return b'{"type":"' + word.encode() + b'","object":' + entry.body + b"}\n"

    def _shown(self, entry: Entry) -> Json:
        body = converted(self.kind, entry.object()) if self.kind.plural == "events" else entry.object()
        return represent(self.view, body)

    def bookmark(self, annotation: str = "") -> bytes:
        """Return a bookmark: all up to this version was sent."""
        metadata: Json = {"resourceVersion": str(self.revision)}
        if annotation:
            metadata["annotations"] = {annotation: "true"}
        shown = {"kind": self.kind.kind, "apiVersion": self.kind.api_version, "metadata": metadata}
        return line({"type": "BOOKMARK", "object": shown})


def line(event: Json) -> bytes:
    """Return an event as the line of a stream."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def watch_of(store: Store, kind: Kind, namespace: str, request: Request, now: datetime) -> Watch:
    """Return the watch that a request asks for; too old a version is an event in it, not a status."""
    _check_options(request)
    selection = selection_of(kind, request)
    text = request.query.get("resourceVersion", "")
    try:
        version = number(text)
    except Refused as refused:
        raise Refused(
            500, None, refused.message.removeprefix("invalid resource version: resourceVersion: ")
        ) from refused
    sends_initial = request.flag("sendInitialEvents")
    made = Watch(
        store, kind, namespace, selection, version, request.flag("allowWatchBookmarks"), _seconds(request),
        view_of(kind, request, now), initial=version == 0 or sends_initial, marks_initial=sends_initial,
    )  # fmt: skip
    if version and not sends_initial and store.unwatchable(kind.table, version):
        made.first = [expired(version, store)]
    if sends_initial and version > store.revision:
        made.first = [too_large(version, store.revision).body()]
    return made


def expired(version: int, store: Store) -> Json:
    """Return the Status inside the ERROR event for a version that is too old."""
    floor = max(store.started_at, store.compacted, 1)
    message = f"too old resource version: {version} ({floor})"
    return Refused(410, "Expired", message).body()


def _seconds(request: Request) -> float:
    return min(float(request.query.get("timeoutSeconds") or LONGEST_S), LONGEST_S)


def _check_options(request: Request) -> None:
    match, initial = request.query.get("resourceVersionMatch", ""), "sendInitialEvents" in request.query
    if initial and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise option_refused("resourceVersionMatch", why)
    if match and not initial:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise option_refused("resourceVersionMatch", why)
