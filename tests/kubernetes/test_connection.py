"""Requests to an API server: deadlines, manners, and errors that say what, where and what to do."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scheduler.backends.kubernetes import connection as module
from scheduler.backends.kubernetes.connection import Connection, Form, Refused
from scheduler.model.errors import ConfigError, Superseded, Unreachable

Answer = tuple[int, dict[str, str], bytes]


class Api:
    """A server of which each test says how it answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str, bytes]] = []
        self.answer: Callable[[], Answer] = lambda: (200, {}, b"{}")
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                api.requests.append((self.command, self.path, self.headers.get("Content-Type", ""), body))
                status, headers, content = api.answer()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), "Connection": "close", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  # names of the library

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """End it; a second time nothing happens."""
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def api() -> Iterator[Api]:
    server = Api()
    yield server
    server.close()


@pytest.fixture
def connection(api: Api) -> Iterator[Connection]:
    opened = Connection.to(api.url)
    yield opened
    opened.close()


def status(code: int, reason: str, message: str, **more: Any) -> Answer:
    return code, {}, json.dumps({"kind": "Status", "reason": reason, "message": message, **more}).encode()


def test_a_patch_says_of_what_kind_it_is_and_returns_the_object(api: Api, connection: Connection) -> None:
    api.answer = lambda: (200, {}, b'{"kind": "Job"}')
    operations = [{"op": "test", "path": "/spec/suspend", "value": True}]
    assert connection.patch("/apis/batch/v1/namespaces/ml/jobs/a", operations) == {"kind": "Job"}
    connection.patch("/api/v1/nodes/a", {"spec": {}}, Form.MERGE, {"dryRun": "All"})
    (_, path, form, body), (_, second, other, _) = api.requests
    assert path == "/apis/batch/v1/namespaces/ml/jobs/a?fieldManager=headroom"
    assert form == "application/json-patch+json"
    assert json.loads(body) == operations
    assert (second, other) == ("/api/v1/nodes/a?fieldManager=headroom&dryRun=All", "application/merge-patch+json")


def test_a_refusal_says_what_was_asked_and_why_not(api: Api, connection: Connection) -> None:
    causes = {"causes": [{"message": "field is immutable"}]}
    api.answer = lambda: status(422, "Invalid", "Job is invalid", details=causes)
    with pytest.raises(Refused, match=r"refuses PATCH /x: Job is invalid \(422\)") as caught:
        connection.patch("/x", [])
    assert (caught.value.status, caught.value.reason, caught.value.causes) == (422, "Invalid", ("field is immutable",))


def test_an_answer_in_plain_text_is_a_refusal_too(api: Api, connection: Connection) -> None:
    api.answer = lambda: (404, {}, b"404 page not found\n")
    with pytest.raises(Refused, match="404 page not found") as caught:
        connection.get("/apis/nope/v1/x")
    assert caught.value.status == 404


@pytest.mark.parametrize("code", [401, 500, 503, 504])
def test_who_cannot_answer_is_unreachable(api: Api, connection: Connection, code: int) -> None:
    api.answer = lambda: status(code, "Whatever", "etcdserver: request timed out")
    with pytest.raises(Unreachable, match="etcdserver"):
        connection.get("/api/v1/pods")


def test_a_request_is_sent_again_when_the_server_asks_to_come_later(api: Api, connection: Connection) -> None:
    answers = iter([(429, {"Retry-After": "0"}, b"Too many requests, please try again later.\n"), (200, {}, b"{}")])
    api.answer = lambda: next(answers)
    assert connection.get("/api/v1/pods") == {}
    assert len(api.requests) == 2


def test_who_is_asked_to_come_later_again_and_again_gives_up(
    api: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    api.answer = lambda: (429, {"Retry-After": "7"}, b"Too many requests, please try again later.\n")
    with pytest.raises(Unreachable, match="Too many requests"):
        connection.get("/api/v1/pods")
    assert waited == [7.0, 7.0, 7.0]


def test_a_server_that_does_not_answer_is_not_asked_again_within_the_pause(
    api: Api, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_PAUSE_S", 1e9)
    connection.get("/version")
    connection.get("/version")
    api.close()
    for _ in range(3):
        with pytest.raises(Unreachable, match=f"{api.url} does not answer"):
            connection.get("/version")
    asked_s = connection._asked_at_s
    with pytest.raises(Unreachable, match="does not answer"):
        connection.get("/version")
    assert connection._asked_at_s == asked_s, "it is said at once, without a request"
    monkeypatch.setattr(module, "AWAY_PAUSE_S", 0.0)
    with pytest.raises(Unreachable):
        connection.get("/version")
    assert connection._asked_at_s > asked_s


def test_who_may_not_act_sends_nothing(api: Api) -> None:
    def superseded() -> None:
        raise Superseded("another one leads")

    connection = Connection.to(api.url, superseded)
    assert connection.get("/api/v1/pods") == {}
    for write in (connection.post, connection.patch, connection.delete):
        with pytest.raises(Superseded):
            write("/api/v1/namespaces/ml/pods", {})
    assert [method for method, *_ in api.requests] == ["GET"]
    connection.close()


def test_a_watch_yields_events_and_ends_with_the_stream(api: Api, connection: Connection) -> None:
    lines = b'{"type": "ADDED", "object": {"a": 1}}\n{"type": "BOOKMARK", "object": {}}\n'
    api.answer = lambda: (200, {}, lines)
    events = list(connection.watch("/api/v1/pods", {"resourceVersion": "5"}, 5.0))
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
    assert "watch=true" in api.requests[0][1]


def test_a_watch_that_falls_silent_is_taken_for_dead(api: Api, connection: Connection) -> None:
    api.answer = lambda: (200, {"Content-Length": "1000"}, b'{"type": "ADDED", "object": {}}\n')
    with pytest.raises(Unreachable, match="broke off"):
        list(connection.watch("/api/v1/pods", {}, 0.1))


def test_a_watch_that_is_refused_says_why(api: Api, connection: Connection) -> None:
    api.answer = lambda: status(403, "Forbidden", "pods is forbidden")
    with pytest.raises(Refused, match="pods is forbidden"):
        list(connection.watch("/api/v1/pods", {}, 5.0))


def test_a_kubeconfig_that_is_not_there_is_the_operators_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no way to a Kubernetes cluster") as caught:
        Connection.open(str(tmp_path / "none"))
    assert "backend.kubeconfig" in caught.value.faults[0].help
