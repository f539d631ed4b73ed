"""Ray's REST API as we call it, against a server that only pretends."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scheduler.backends.ray import machine
from scheduler.backends.ray.rest import RayRest
from scheduler.model.errors import ActionFailed, Unreachable


class Dashboard(BaseHTTPRequestHandler):
    """Answers what the server's table says, 404 otherwise, and notes what was asked."""

    def answer(self) -> None:
        """Answer any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, json.loads(body) if body else None))
        status, content = self.server.table.get((self.command, self.path), (404, "unknown"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  # the library's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A dashboard on a free port."""

    def __init__(self) -> None:
        """Listen."""
        super().__init__(("127.0.0.1", 0), Dashboard)
        self.table: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []


@pytest.fixture
def server() -> Iterator[Server]:
    """A dashboard that knows nothing yet."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dashboard(server: Server) -> Iterator[RayRest]:
    """A client of it."""
    with contextlib.closing(RayRest(f"http://127.0.0.1:{server.server_port}")) as client:
        yield client


def test_what_ray_does_not_know_is_nothing_and_no_error(dashboard: RayRest) -> None:
    assert dashboard.job("x") is None
    assert not dashboard.logs("x")
    dashboard.stop("x")
    dashboard.delete("x")


def test_a_job_is_submitted_as_it_is(dashboard: RayRest, server: Server) -> None:
    server.table["POST", "/api/jobs/"] = (200, {"submission_id": "x"})
    dashboard.submit({"entrypoint": "true", "submission_id": "x"})
    assert server.asked == [("POST", "/api/jobs/", {"entrypoint": "true", "submission_id": "x"})]


def test_a_refusal_says_what_ray_says(dashboard: RayRest, server: Server) -> None:
    server.table["POST", "/api/jobs/"] = (400, "Traceback\\n  File x\\nValueError: bad entrypoint")
    with pytest.raises(ActionFailed, match=r"400 to POST /api/jobs/.*ValueError: bad entrypoint"):
        dashboard.submit({})


def test_a_job_without_output_has_empty_output(dashboard: RayRest, server: Server) -> None:
    server.table["GET", "/api/jobs/x/logs"] = (200, {"logs": None})
    assert not dashboard.logs("x")


def test_a_configuration_is_put_whole(dashboard: RayRest, server: Server) -> None:
    server.table["PUT", "/api/serve/applications/"] = (200, None)
    dashboard.serve_config({"applications": []})
    assert server.asked == [("PUT", "/api/serve/applications/", {"applications": []})]


def test_nobody_there_is_unreachable() -> None:
    url = f"http://127.0.0.1:{machine.free_ports(1)[0]}"
    with contextlib.closing(RayRest(url)) as client, pytest.raises(Unreachable, match=url):
        client.jobs()
