"""A cache of one kind of object, kept by a list and a watch, that knows how old it is.

Absence from a list means deletion, so a cache that is not sure of itself is never handed out. A healthy server that has
nothing to say sends a bookmark within 120 s and at the latest before a watch ends; one that is going away leaves its
watches open and silent. Only a clock notices that.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

from scheduler.backends.kubernetes.connection import Connection, Object, Refused
from scheduler.model.errors import HeadroomError, Unreachable

PAGE: Final = 500
WATCH_S: Final = 90
"""Seconds after which the server is asked to end a watch; it says how far it is before it does."""
SILENT_S: Final = 110.0
"""Wall seconds of silence after which the connection of a watch is taken for dead."""
STALE_S: Final = 150.0
"""Wall seconds after which nothing that a cache says counts, unless something was heard."""
BROKEN_S: Final = 5.0
"""Likewise while the server cannot be asked at all."""
SHORTEST_WATCH_S: Final = 1.0
LONGEST_PAUSE_S: Final = 5.0
MISSING_PAUSE_S: Final = 30.0
"""Wall seconds between two watches; between two tries at most; and for a kind that the cluster does not know."""
MOST_GONE: Final = 5000
"""Deletions that are remembered, so that a late answer to a request of ours does not bring back what is gone."""
NOT_YET: Final = "it has not been listed yet"
GONE: Final = 410
NOT_FOUND: Final = 404


class Kept(Protocol):
    """What a cache holds of an object.

    Attributes:
        key: namespace and name, or the name alone.
        version: its resourceVersion.
    """

    @property
    def key(self) -> str:
        """Return the key."""

    @property
    def version(self) -> int:
        """Return the version."""


KeptT = TypeVar("KeptT", bound=Kept)


@dataclass(frozen=True, slots=True)
class Resource(Generic[KeptT]):
    """What is watched.

    Attributes:
        name: of the cache.
        path: of the list.
        cut: returns what is kept of an object, or None for one that is not kept.
        query: selectors of the list.
    """

    name: str
    path: str
    cut: Callable[[Object], KeptT | None]
    query: tuple[tuple[str, str], ...] = ()


class Expired(Exception):
    """The server no longer knows the version from which a watch should go on."""


class Reflector(Generic[KeptT]):
    """One cache, kept by a thread of its own.

    Args:
        connection: to the API server.
        resource: what is watched.
        woken: called after each change.
    """

    def __init__(
        self, connection: Connection, resource: Resource[KeptT], woken: Callable[[], object] = lambda: None
    ) -> None:
        self.resource = resource
        self._connection, self._woken = connection, woken
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._objects: dict[str, KeptT] = {}
        self._gone: dict[str, int] = {}
        self._listed = 0
        self._shown: Mapping[str, KeptT] | None = MappingProxyType({})
        self._synced, self._trouble = False, NOT_YET
        self._heard_s = self._broken_s = time.monotonic()
        self._chance = random.Random()  # noqa: S311  # spreads requests, keeps no secret
        self._thread = threading.Thread(target=self._follow, name=f"watch-{resource.name}", daemon=True)

    def start(self) -> None:
        """Begin to list and to watch."""
        self._thread.start()

    def close(self) -> None:
        """Tell the thread to end; it does with its next event."""
        self._stop.set()

    @property
    def is_listing(self) -> bool:
        """Whether it is being listed for the first time, and nothing has gone wrong with that."""
        with self._lock:
            return not self._synced and self._trouble == NOT_YET

    def age_s(self) -> float:
        """Return the wall seconds since the server was last heard of this."""
        return time.monotonic() - self._heard_s

    def objects(self) -> Mapping[str, KeptT]:
        """Return what there is, by key; the same mapping while nothing changes.

        Raises:
            Unreachable: it was not listed yet, or is too old to go by.
        """
        with self._lock:
            now_s = time.monotonic()
            is_stale = now_s - self._heard_s > STALE_S
            if not self._synced or is_stale or (self._trouble and now_s - self._broken_s > BROKEN_S):
                why = self._trouble or f"nothing was heard of it for {now_s - self._heard_s:.0f} s"
                raise Unreachable(f"what the cluster has of {self.resource.name} is not known: {why}")
            if self._shown is None:
                self._shown = MappingProxyType(dict(self._objects))
            return self._shown

    def learn(self, answer: Object) -> None:
        """Take up what a request of ours was answered with; older events of the watch do not undo it."""
        with self._lock:
            is_new = self._put(answer)
        if is_new:
            self._woken()

    def _follow(self) -> None:
        pause_s, version = 0.0, ""
        while not self._stop.wait(pause_s * self._chance.uniform(0.5, 1.0)):
            began_s = time.monotonic()
            try:
                version = version or self._list()
                version = self._watch(version)
                pause_s = max(0.0, SHORTEST_WATCH_S - (time.monotonic() - began_s))
            except Expired:
                version, pause_s = "", min(max(pause_s * 2, 0.1), LONGEST_PAUSE_S)
            except Refused as refusal:
                version = ""
                pause_s = self._refused(refusal)
            except HeadroomError as error:
                pause_s = min(max(pause_s * 2, 0.2), LONGEST_PAUSE_S)
                self._troubled(str(error))
            except Exception as error:  # noqa: BLE001  # a cache that says nothing any more would look quiet
                version, pause_s = "", LONGEST_PAUSE_S
                self._troubled(f"an answer could not be read: {error!r}")

    def _refused(self, refusal: Refused) -> float:
        """Take a kind that is not there for empty, and return the pause before the next try."""
        if refusal.status == NOT_FOUND:
            self._replace({}, 0)
            return MISSING_PAUSE_S
        self._troubled(str(refusal))
        return LONGEST_PAUSE_S

    def _list(self) -> str:
        """List everything, page by page, and return the version from which a watch goes on."""
        found: dict[str, KeptT] = {}
        query = {**dict(self.resource.query), "limit": str(PAGE)}
        while True:
            try:
                page = self._connection.get(self.resource.path, query)
            except Refused as refusal:
                raise Expired if refusal.status == GONE else refusal from refusal
            for item in page.get("items") or ():
                kept = self.resource.cut(item)
                if kept is not None:
                    found[kept.key] = kept
            version, more = page["metadata"]["resourceVersion"], page["metadata"].get("continue")
            if not more:
                self._replace(found, int(version))
                return str(version)
            query["continue"] = more

    def _replace(self, found: dict[str, KeptT], listed: int) -> None:
        """Let a list take the place of the cache; what is not older than the list, or is the same, stays as it is."""
        with self._lock:
            if listed >= self._listed:  # otherwise the server itself has gone back, and only the list counts
                for key, old in self._objects.items():
                    new = found.get(key)
                    if old.version > listed or (new is not None and old.version >= new.version):
                        found[key] = old
            if found != self._objects:
                self._objects, self._shown = found, None
            self._synced, self._listed = True, listed
            self._hear()
        self._woken()

    def _watch(self, version: str) -> str:
        """Follow the events until the server ends the stream, and return how far it came."""
        query = {
            **dict(self.resource.query),
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
        }
        for event in self._connection.watch(self.resource.path, query, SILENT_S):
            if self._stop.is_set():
                break
            version = self._take(event) or version
        self._with_lock_hear()
        return version

    def _take(self, event: Object) -> str:
        kind, content = event["type"], event["object"]
        if kind == "ERROR":
            if content.get("code") == GONE:
                raise Expired
            raise Unreachable(f"the watch says: {content.get('message')}")
        with self._lock:
            self._hear()
            changed = kind != "BOOKMARK" and (self._drop(content) if kind == "DELETED" else self._put(content))
        if changed:
            self._woken()
        return str(content["metadata"]["resourceVersion"])

    def _put(self, content: Object) -> bool:
        """Keep an object unless a newer one is kept; one that need not be kept any more is dropped."""
        kept = self.resource.cut(content)
        if kept is None:
            return self._drop(content)
        before = self._objects.get(kept.key)
        if max(before.version if before else -1, self._gone.get(kept.key, -1)) >= kept.version:
            return False
        self._objects[kept.key], self._shown = kept, None
        return True

    def _drop(self, content: Object) -> bool:
        key, version = key_of(content), version_of(content)
        self._gone[key] = max(version, self._gone.get(key, 0))
        if len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]
        before = self._objects.get(key)
        if before is None or before.version > version:
            return False
        del self._objects[key]
        self._shown = None
        return True

    def _with_lock_hear(self) -> None:
        with self._lock:
            self._hear()

    def _hear(self) -> None:
        self._heard_s, self._trouble = time.monotonic(), ""

    def _troubled(self, why: str) -> None:
        with self._lock:
            if not self._trouble:
                self._broken_s = time.monotonic()
            self._trouble = why


def key_of(content: Mapping[str, Any]) -> str:
    """Return namespace and name of an object, or its name where it is in none."""
    metadata = content["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def version_of(content: Mapping[str, Any]) -> int:
    """Return the resourceVersion of an object as a number."""
    return int(content["metadata"]["resourceVersion"])
