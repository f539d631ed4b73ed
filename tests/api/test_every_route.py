# ruff: noqa: S104  # a wildcard address is what is tested
"""Rights of every route there is, found in the application itself: a new one is closed until it is opened here."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.api.access import SAFE_METHODS
from scheduler.client import Client
from scheduler.config.schema import Token
from scheduler.model.errors import NotFound
from scheduler.wire.base import Single
from scheduler.wire.hosts import Host
from scheduler.wire.whatif import WhatIfOrder
from tests.api.test_all_weather import TONE

OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/login"), ("POST", "/login")}
"""What answers without a token: life signs, and the form where a browser shows one."""
PLACES = {
    "job_id": "401",
    "name": "ml-serve1012",
    "model": "edit-check",
    "question": "w1",
    "digest": "0" * 64,
    "number": "1",
}
SECRET = "v-secret"  # noqa: S105  # of a test's viewer
VIEWER = Token(name="somebody", role="viewer", sha256=hashlib.sha256(SECRET.encode()).hexdigest())


def routes(world: Any) -> set[tuple[str, str]]:
    """Return method and path of every route below the root, its parameters filled in."""
    return {
        (method, found.path.format(**PLACES))
        for included in world.app().routes
        if hasattr(included, "effective_route_contexts")
        for found in included.effective_route_contexts()
        for method in found.methods
    }


def test_only_life_signs_and_the_sign_in_form_answer_without_a_token(world: Any) -> None:
    found = routes(world)
    assert len(found) > 25
    assert found >= OPEN
    for token in ("", "wrong"):
        http = world.http(token, bind_host="0.0.0.0", tokens=[VIEWER])
        refused = {(method, path): http.request(method, path).status_code for method, path in found - OPEN}
        assert set(refused.values()) == {401}, refused


def test_a_viewer_may_send_nothing_that_changes(world: Any) -> None:
    changing = {(method, path) for method, path in routes(world) - OPEN if method not in SAFE_METHODS}
    assert len(changing) > 7
    http = world.http(SECRET, bind_host="0.0.0.0", tokens=[VIEWER])
    refused = {(method, path): http.request(method, path, json={}).status_code for method, path in changing}
    assert set(refused.values()) == {403}, refused


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_no_route_of_an_open_api_serves_a_foreign_page(world: Any, header: dict[str, str]) -> None:
    by_name = "Host" in header
    asked = {(method, path) for method, path in routes(world) - OPEN if by_name or method not in SAFE_METHODS}
    refused = {(method, path): world.http().request(method, path, headers=header).status_code for method, path in asked}
    assert set(refused.values()) == {403}, refused


def test_a_cookie_changes_nothing_on_any_route(world: Any) -> None:
    changing = {(method, path) for method, path in routes(world) - OPEN if method not in SAFE_METHODS}
    operator = Token(name="boss", role="operator", sha256=VIEWER.sha256)
    http = world.http(bind_host="0.0.0.0", tokens=[operator])
    cookie = {"Cookie": f"headroom_token={SECRET}"}
    assert http.get("/api/v1/jobs", headers=cookie).status_code == 200
    refused = {(method, path): http.request(method, path, headers=cookie).status_code for method, path in changing}
    assert set(refused.values()) == {401}, refused


def test_the_sdk_has_a_method_for_every_call_of_the_api(world: Any, tmp_path: Path) -> None:
    asked: set[tuple[str, str]] = set()

    def answering(request: httpx.Request) -> httpx.Response:
        path = re.sub("sha256:[0-9a-f]{64}", PLACES["digest"], request.url.path.replace("%3A", ":"))
        asked.add((request.method, path))
        return httpx.Response(404)

    client = Client("http://127.0.0.1:8321", transport=httpx.MockTransport(answering))
    job, host, model = PLACES["job_id"], PLACES["name"], PLACES["model"]
    calls: tuple[Callable[[], object], ...] = (
        lambda: client.submit(entrypoint="python train.py"),
        lambda: client.try_out(entrypoint="python train.py"),
        lambda: client.upload(tmp_path),
        client.jobs,
        lambda: client.job(job),
        lambda: list(client.logs(job)),
        lambda: client.stop(job),
        lambda: client.hold(job),
        lambda: client.resume(job),
        lambda: client.set_priority(job, "low"),
        client.hosts,
        lambda: client.get(f"/hosts/{host}", Single[Host]),
        lambda: client.cordon(host),
        lambda: client.uncordon(host),
        lambda: client.drain(host),
        client.strays,
        lambda: client.adopt("theirs"),
        lambda: client.evict_strays("theirs"),
        client.models,
        lambda: client.deploy(TONE),
        lambda: client.try_model(TONE),
        lambda: client.model_history(model),
        lambda: client.steer(model, "undo"),
        lambda: client.remove_model(model),
        lambda: client.propose(TONE),
        client.proposals,
        lambda: client.approve(model),
        lambda: client.reject(model),
        client.queues,
        client.capacity,
        lambda: client.forecast(model),
        client.events,
        client.status,
        lambda: client.backup(tmp_path / "backup"),
        client.reload,
        lambda: client.ask(WhatIfOrder()),
        client.questions,
        lambda: client.answer_to("w1"),
    )
    for call in calls:
        with pytest.raises(NotFound):
            call()
    offered = {(method, path) for method, path in routes(world) if path.startswith("/api/v1/")}
    told_by_jobkit = ("POST", f"/api/v1/jobs/{job}/attempts/1/progress")
    assert asked == offered - {("GET", "/api/v1/stream"), told_by_jobkit}
