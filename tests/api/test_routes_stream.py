"""The stream over a real connection: an event per cycle, resumed where the browser was, quiet when nothing is new."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.api.routes.stream import cycle_of


class Events:
    """Server-sent events as they come in."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.iter_lines()

    def next(self) -> tuple[str, dict[str, Any]]:
        """Return the id and the data of the next event."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            if line and name:
                fields[name] = value.strip()
            elif "data" in fields:
                return fields["id"], json.loads(fields["data"])
        message = "the stream ended"
        raise AssertionError(message)


@pytest.fixture
def url(world: Any, serve: Any) -> str:
    return serve(world.app())


def stream(url: str, **options: Any) -> Any:
    return httpx.stream("GET", f"{url}/api/v1/stream", timeout=20, **options)


def later(world: Any) -> Any:
    report = world.board.report
    return replace(report, cycle=replace(report.cycle, number=report.cycle.number + 1))


def test_a_newcomer_is_sent_everything_then_each_cycle(world: Any, url: str) -> None:
    with stream(url) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = Events(answer)
        number, update = events.next()
        assert number == "18422"
        assert "verdict" in update["panels"]
        world.publish(later(world))
        number, update = events.next()
        assert (number, set(update["panels"])) == ("18423", {"fresh"})


def test_a_page_that_has_the_last_cycle_waits_for_the_next(world: Any, url: str) -> None:
    with stream(url, params={"after": "18422"}) as answer:
        world.publish(later(world))
        assert Events(answer).next()[0] == "18423"


def test_a_browser_that_was_cut_off_goes_on_from_its_last_event(world: Any, url: str) -> None:
    httpx.get(f"{url}/")
    for _ in range(3):
        world.publish(later(world))
    with stream(url, params={"after": "1"}, headers={"Last-Event-ID": "18422"}) as answer:
        number, update = Events(answer).next()
    assert (number, set(update["panels"])) == ("18425", {"fresh"})


def test_a_held_up_loop_is_told_without_a_cycle(world: Any, url: str) -> None:
    with stream(url) as answer:
        events = Events(answer)
        events.next()
        world.board.degrade("Ray does not answer, try 3")
        number, update = events.next()
    assert number == "18422.1"
    assert "Ray does not answer" in update["panels"]["verdict"]


def test_a_stream_needs_a_token_where_reading_does(world: Any, serve: Any) -> None:
    url = serve(world.app(bind_host="0.0.0.0"))  # noqa: S104  # as if; it is bound to loopback
    with stream(url) as answer:
        assert answer.status_code == 401


def test_polling_gives_the_same_and_nothing_when_nothing_is_new(http: httpx.Client) -> None:
    whole = http.get("/page/update").json()
    assert whole["stamp"] == "18422"
    assert http.get("/page/update", params={"after": "18422"}).json() is None


@pytest.mark.parametrize(("stamp", "cycle"), [("18422", 18422), ("18422.3", 18422), ("", 0), ("²", 0), ("-1", 0)])
def test_a_stamp_begins_with_its_cycle(stamp: str, cycle: int) -> None:
    assert cycle_of(stamp) == cycle
