"""A cache that knows how old it is, driven by a server that is told what to answer."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from scheduler.backends.kubernetes import reflector as module
from scheduler.backends.kubernetes.connection import Refused
from scheduler.backends.kubernetes.reflector import Reflector, Resource, key_of, version_of
from scheduler.model.errors import Unreachable


@dataclass(frozen=True)
class Thing:
    """What is kept."""

    key: str
    version: int
    colour: str


def cut(content: Mapping[str, Any]) -> Thing | None:
    colour = content.get("colour", "")
    return Thing(key_of(content), version_of(content), colour) if colour != "hidden" else None


def thing(name: str, version: int, colour: str = "red") -> dict[str, Any]:
    return {"metadata": {"namespace": "ml", "name": name, "resourceVersion": str(version)}, "colour": colour}


class Server:
    """Answers lists from `pages`, and watches with what is put into `events`; "end" ends one."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.version = 1
        self.page = 2
        self.asked: list[dict[str, str]] = []
        self.watched: list[str] = []
        self.events: queue.Queue[Any] = queue.Queue()
        self.refusal: Exception | None = None

    def get(self, _path: str, query: Mapping[str, str]) -> dict[str, Any]:
        self.asked.append(dict(query))
        if self.refusal:
            raise self.refusal
        start = int(query.get("continue", 0))
        more = str(start + self.page) if start + self.page < len(self.items) else None
        metadata = {"resourceVersion": str(self.version), **({"continue": more} if more else {})}
        return {"metadata": metadata, "items": self.items[start : start + self.page]}

    def watch(self, _path: str, query: Mapping[str, str], _timeout_s: float) -> Iterator[dict[str, Any]]:
        self.watched.append(query["resourceVersion"])
        while (event := self.events.get()) != "end":
            if isinstance(event, Exception):
                raise event
            yield event

    def tell(self, kind: str, content: Mapping[str, Any]) -> None:
        self.events.put({"type": kind, "object": content})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def cache(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reflector[Thing]]:
    monkeypatch.setattr(module, "SHORTEST_WATCH_S", 0.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.05)
    kept = Reflector(server, Resource("things", "/things", cut))  # type: ignore[arg-type]  # what is used of it
    yield kept
    kept.close()
    server.refusal = Unreachable("over")
    server.events.put("end")


def until(holds: Callable[[], object]) -> None:
    for _ in range(2000):
        if holds():
            return
        time.sleep(0.005)
    pytest.fail("waited in vain")


def shown(cache: Reflector[Thing]) -> dict[str, str]:
    return {key: kept.colour for key, kept in cache.objects().items()}


def synced(cache: Reflector[Thing]) -> bool:
    try:
        cache.objects()
    except Unreachable:
        return False
    return True


def test_nothing_is_said_before_everything_was_listed(cache: Reflector[Thing], server: Server) -> None:
    with pytest.raises(Unreachable, match="things is not known: it has not been listed yet"):
        cache.objects()
    assert cache.is_listing
    server.items = [thing(f"t{n}", n) for n in range(5)]
    cache.start()
    until(lambda: synced(cache))
    assert len(cache.objects()) == 5
    assert not cache.is_listing
    assert [query.get("continue") for query in server.asked] == [None, "2", "4"]


def test_events_change_the_cache_and_what_did_not_change_stays_the_same_object(
    cache: Reflector[Thing], server: Server
) -> None:
    server.items, server.version = [thing("a", 1), thing("b", 2), thing("c", 3, "hidden")], 3
    cache.start()
    until(lambda: synced(cache))
    first = cache.objects()
    assert cache.objects() is first
    server.tell("MODIFIED", thing("a", 4, "blue"))
    server.tell("DELETED", thing("b", 5))
    server.tell("ADDED", thing("d", 6))
    server.tell("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
    server.events.put("end")
    until(lambda: len(server.watched) == 2)
    assert server.watched == ["3", "9"], "it goes on where the bookmark was"
    assert shown(cache) == {"ml/a": "blue", "ml/d": "red"}
    server.events.put({"type": "ERROR", "object": {"code": 410}})
    server.items, server.version = [thing("a", 4, "blue"), thing("e", 11)], 12
    until(lambda: len(server.watched) == 3)
    assert shown(cache) == {"ml/a": "blue", "ml/e": "red"}, "a version that is too old: everything is listed again"


def test_what_has_become_hidden_is_dropped(cache: Reflector[Thing], server: Server) -> None:
    server.items = [thing("a", 1)]
    cache.start()
    until(lambda: synced(cache))
    server.tell("MODIFIED", thing("a", 2, "hidden"))
    until(lambda: not cache.objects())


def test_an_answer_of_ours_counts_at_once_and_is_not_undone_by_what_is_older(
    cache: Reflector[Thing], server: Server
) -> None:
    server.items, server.version = [thing("a", 5)], 5
    cache.start()
    until(lambda: synced(cache))
    cache.learn(thing("a", 9, "blue"))
    server.tell("MODIFIED", thing("a", 7, "green"))
    server.tell("BOOKMARK", {"metadata": {"resourceVersion": "8"}})
    server.events.put({"type": "ERROR", "object": {"code": 410}})
    server.version = 8
    until(lambda: len(server.watched) == 2)
    assert shown(cache) == {"ml/a": "blue"}
    server.tell("DELETED", thing("a", 10))
    until(lambda: not cache.objects())
    cache.learn(thing("a", 9, "blue"))
    assert not cache.objects(), "the answer came later than the deletion"
    cache.learn(thing("a", 12, "new"))
    assert shown(cache) == {"ml/a": "new"}, "another one of that name"


def test_a_server_that_has_gone_back_is_believed(cache: Reflector[Thing], server: Server) -> None:
    server.items, server.version = [thing("a", 500, "blue")], 500
    cache.start()
    until(lambda: synced(cache))
    server.items, server.version = [thing("a", 3, "red")], 4
    server.events.put({"type": "ERROR", "object": {"code": 410}})
    until(lambda: shown(cache) == {"ml/a": "red"})


def test_a_kind_that_the_cluster_does_not_know_has_no_objects(cache: Reflector[Thing], server: Server) -> None:
    server.refusal = Refused("GET /things", 404, {"message": "404 page not found"})
    cache.start()
    until(lambda: synced(cache))
    assert cache.objects() == {}


def test_where_it_may_not_be_read_nothing_is_known(cache: Reflector[Thing], server: Server) -> None:
    server.refusal = Refused("GET /things", 403, {"message": 'things is forbidden: User "x" cannot list'})
    cache.start()
    until(lambda: len(server.asked) > 1)
    assert not cache.is_listing, "it is no use to wait"
    with pytest.raises(Unreachable, match="cannot list"):
        cache.objects()


def test_what_was_heard_too_long_ago_does_not_count(
    cache: Reflector[Thing], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.items = [thing("a", 1)]
    cache.start()
    until(lambda: synced(cache))
    monkeypatch.setattr(module, "STALE_S", -1.0)
    with pytest.raises(Unreachable, match="nothing was heard of it for"):
        cache.objects()


def test_a_server_that_does_not_answer_is_noticed_before_the_cache_is_old(
    cache: Reflector[Thing], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.items = [thing("a", 1)]
    cache.start()
    until(lambda: synced(cache))
    monkeypatch.setattr(module, "BROKEN_S", -1.0)
    server.events.put(Unreachable("connection refused"))
    until(lambda: not synced(cache))
    with pytest.raises(Unreachable, match="connection refused"):
        cache.objects()
    server.tell("MODIFIED", thing("a", 2, "blue"))
    until(lambda: synced(cache))
    assert shown(cache) == {"ml/a": "blue"}


def test_whoever_waits_is_woken_by_a_change(server: Server) -> None:
    woken = threading.Event()
    kept = Reflector(server, Resource("things", "/things", cut), woken.set)  # type: ignore[arg-type]  # as above
    kept.start()
    assert woken.wait(5)
    woken.clear()
    server.tell("ADDED", thing("a", 2))
    assert woken.wait(5)
    kept.close()
    server.refusal = Unreachable("over")
    server.events.put("end")
