"""Who sends a request byte by byte, or half of it, holds nobody up for long; who sends it whole is not hurried."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import httpx
import pytest

from scheduler.api import serving
from scheduler.api.serving import server_of

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def place(world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Serve the evening's control plane by a server that is less patient than in life."""
    monkeypatch.setattr(serving, "HEAD_S", 1.0)
    monkeypatch.setattr(serving, "BODY_SILENCE_S", 1.0)
    server, listener = server_of(world.app()), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[:2]
    server.should_exit = True
    thread.join()
    listener.close()


def answer_to(place: tuple[str, int], *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces with pauses until the other side has had enough; return all that it said."""
    with closing(socket.create_connection(place)) as connection:
        for piece in pieces:
            try:
                connection.sendall(piece)
            except OSError:
                break
            time.sleep(pause_s)
        connection.settimeout(30)
        said = b""
        try:
            while chunk := connection.recv(65536):
                said += chunk
        except ConnectionResetError:
            pass
        return said


HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [(), (b"G",), (HEAD,), (HEAD, b"X-A: 1\r\n"), tuple(HEAD[i : i + 1] for i in range(len(HEAD)))],
    ids=["nothing", "a letter", "no end", "one more line", "letter by letter"],
)
def test_a_head_that_does_not_end_is_cut(place: tuple[str, int], pieces: tuple[bytes, ...]) -> None:
    assert answer_to(place, *pieces, pause_s=0.08).startswith(b"HTTP/1.1 408 ")


def test_lines_that_keep_coming_do_not_buy_time(place: tuple[str, int]) -> None:
    endless = (HEAD, *[b"X-A: 1\r\n"] * 200)
    assert answer_to(place, *endless, pause_s=0.05).startswith(b"HTTP/1.1 408 ")


def test_a_head_after_an_answer_is_cut_as_well(place: tuple[str, int]) -> None:
    said = answer_to(place, HEAD + b"\r\n", HEAD, pause_s=0.2)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.count(b"HTTP/1.1 408 ") == 1


def test_a_body_that_stops_is_cut(place: tuple[str, int]) -> None:
    assert b" 201 " not in answer_to(place, POST, b'{"entrypoint": "', pause_s=0.1)


def test_a_slow_body_that_comes_is_taken(place: tuple[str, int]) -> None:
    body = b'{"entrypoint": "python train.py"}'
    head = POST.replace(b"999", str(len(body)).encode()).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    said = answer_to(place, head, *(body[i : i + 4] for i in range(0, len(body), 4)), pause_s=0.3)
    assert said.startswith(b"HTTP/1.1 201 ")


def test_an_answer_that_lasts_is_not_cut(place: tuple[str, int]) -> None:
    async def first_events(count: int) -> list[str]:
        url = f"http://{place[0]}:{place[1]}/api/v1/stream"
        async with httpx.AsyncClient(timeout=30) as http, http.stream("GET", url) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            await asyncio.sleep(2.5)
            return [str(answer.status_code) for _ in range(count)]

    assert asyncio.run(first_events(1)) == ["200"]


def test_many_who_dribble_leave_the_others_their_answers(place: tuple[str, int]) -> None:
    slow = [socket.create_connection(place) for _ in range(200)]
    for connection in slow:
        connection.sendall(b"GET / HT")
    assert httpx.get(f"http://{place[0]}:{place[1]}/healthz").status_code == 200
    for connection in slow:
        connection.settimeout(30)
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
        connection.close()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/jobs", {"GET", "POST"}),
        ("DELETE", "/api/v1/jobs", {"GET", "POST"}),
        ("GET", "/api/v1/jobs/401/stop", {"POST"}),
        ("POST", "/api/v1/jobs/401/priority", {"PUT"}),
        ("PATCH", "/api/v1/jobs/401", {"GET"}),
        ("DELETE", "/api/v1/hosts", {"GET"}),
        ("PUT", "/login", {"GET", "POST"}),
        ("POST", "/", {"GET"}),
        ("POST", "/healthz", {"GET"}),
        ("GET", "/api/v1/packages/sha256:0", {"PUT"}),
    ],
)
def test_what_may_not_be_done_somewhere_says_what_may(world: Any, method: str, path: str, allowed: set[str]) -> None:
    answer = world.http().request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert answer.json()["error"]["code"] == "MethodNotAllowed"


def test_every_route_names_its_methods(world: Any) -> None:
    http = world.http().request
    for path in ("/api/v1/status", "/api/v1/events", "/metrics", "/readyz", "/api/v1/backup"):
        assert http("PATCH", path).headers["Allow"] == "GET", path


def test_a_server_that_stops_is_silent_of_the_streams_that_it_cuts(
    world: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server, listener = server_of(world.app(), grace_s=1), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = "http://{}:{}/api/v1/stream".format(*listener.getsockname()[:2])
    with httpx.stream("GET", address, timeout=30) as stream:
        lines = stream.iter_lines()
        next(lines)
        server.should_exit = True
        with suppress(httpx.HTTPError):
            list(lines)
        thread.join()
    assert capsys.readouterr().err == ""
