# ruff: noqa: S104  # secrets and wildcards are what is tested
"""Who may do what: the whole matrix, and what keeps foreign pages away from an open API."""

import hashlib
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.api.access import Guard, is_loopback
from scheduler.config.schema import Token

SECRETS = {"viewer": "v-secret", "submitter": "s-secret", "operator": "o-secret"}
TOKENS = tuple(
    Token(name=f"some-{role}", role=role, sha256=hashlib.sha256(secret.encode()).hexdigest())  # type: ignore[arg-type]
    for role, secret in SECRETS.items()
)
ORDER = {"entrypoint": "python train.py"}
READS = (
    "/api/v1/jobs",
    "/api/v1/hosts",
    "/api/v1/models",
    "/api/v1/capacity",
    "/api/v1/events",
    "/api/v1/status",
    "/metrics",
    "/",
)
OPERATIONS = (
    ("POST", "/api/v1/hosts/ml-serve1012/cordon"),
    ("POST", "/api/v1/hosts/ml-serve1012/uncordon"),
    ("POST", "/api/v1/hosts/ml-serve1012/drain"),
)
CHANGES = (
    ("POST", "/api/v1/jobs/401/stop", None),
    ("POST", "/api/v1/jobs/401/hold", {"reason": ""}),
    ("POST", "/api/v1/jobs/401/resume", None),
    ("PUT", "/api/v1/jobs/401/priority", {"priority": "low"}),
)


def guarded(world: Any, role: str) -> httpx.Client:
    return world.http(SECRETS.get(role, role), bind_host="0.0.0.0", tokens=TOKENS, metrics=lambda: b"up 1\n")


@pytest.mark.parametrize("path", READS)
def test_reading_takes_any_role_and_no_less(world: Any, path: str) -> None:
    for role in SECRETS:
        assert guarded(world, role).get(path).status_code == 200
    for nobody in ("", "wrong"):
        answer = guarded(world, nobody).get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "Unauthenticated"
        assert answer.json()["error"]["message"] == (
            "this token is not known" if nobody else "a bearer token is needed"
        )


def test_health_and_static_files_need_no_token(world: Any) -> None:
    http = guarded(world, "")
    assert http.get("/healthz").text == "ok\n"
    assert http.get("/login").status_code == 200


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_hosts_are_the_operators(world: Any, method: str, path: str) -> None:
    for role in ("viewer", "submitter"):
        answer = guarded(world, role).request(method, path, json={})
        assert answer.status_code == 403
        assert "operator needed" in answer.json()["error"]["message"]
    assert world.store.host_marks() == ()
    assert guarded(world, "operator").request(method, path, json={}).status_code == 200


def test_submitting_takes_a_submitter_who_then_owns_the_job(world: Any) -> None:
    assert guarded(world, "viewer").post("/api/v1/jobs", json=ORDER).status_code == 403
    assert guarded(world, "viewer").put(f"/api/v1/packages/{'0' * 64}", content=b"x").status_code == 403
    for role in ("submitter", "operator"):
        answer = guarded(world, role).post("/api/v1/jobs", json=ORDER)
        assert answer.status_code == 201
        assert answer.json()["item"]["owner"] == f"some-{role}"


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_jobs_are_changed_by_their_owner_and_by_operators(world: Any, method: str, path: str, body: Any) -> None:
    before = world.store.job("401")
    for role in ("viewer", "submitter"):
        assert guarded(world, role).request(method, path, json=body).status_code == 403
    assert world.store.job("401") == before
    own = guarded(world, "submitter").post("/api/v1/jobs", json=ORDER).json()["item"]["id"]
    assert guarded(world, "submitter").request(method, path.replace("401", own), json=body).status_code == 200
    assert guarded(world, "operator").request(method, path, json=body).status_code == 200


def test_a_queue_for_some_takes_jobs_of_nobody_else_whatever_their_role(world: Any) -> None:
    world.service._site_limits = replace(
        world.service._site_limits, submitters={"research": ("some-submitter", "somebody")}
    )
    order = {**ORDER, "queue": "research", "resources": {"gpus": 1}}
    refused = guarded(world, "operator").post("/api/v1/jobs", json=order)
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert (fault["code"], fault["field"]) == ("NotPermitted", "queue")
    assert fault["message"] == "some-operator may not submit to queue research"
    assert guarded(world, "operator").post("/api/v1/jobs", json={**order, "queue": "default"}).status_code == 201
    taken = guarded(world, "submitter").post("/api/v1/jobs", json=order)
    assert (taken.status_code, taken.json()["item"]["owner"]) == (201, "some-submitter")


def test_nobody_submits_in_the_name_of_somebody_else(world: Any) -> None:
    answer = guarded(world, "submitter").post("/api/v1/jobs", json={**ORDER, "owner": "some-operator"})
    assert answer.status_code == 422


def test_tokens_count_on_loopback_too_once_there_are_any(world: Any) -> None:
    assert world.http(tokens=TOKENS).get("/api/v1/jobs").status_code == 401
    assert world.http().get("/api/v1/jobs").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "192.168.0.7", ""])
def test_an_open_api_does_not_answer_under_a_foreign_name(http: httpx.Client, host: str) -> None:
    assert http.get("/api/v1/jobs", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1"])
def test_an_open_api_is_not_changed_from_a_foreign_page(world: Any, origin: str) -> None:
    answer = world.http().post("/api/v1/jobs/401/stop", headers={"Origin": origin})
    assert answer.status_code == 403
    assert world.store.job("401").desired == "run"


def test_the_pages_own_origin_and_programs_without_one_may_change_things(http: httpx.Client) -> None:
    own = {"Origin": "http://127.0.0.1:8321"}
    assert http.post("/api/v1/jobs/401/hold", headers=own).status_code == 200
    assert http.post("/api/v1/jobs/401/resume").status_code == 200


def test_a_browser_signs_in_once_and_its_cookie_is_good_for_reading_only(world: Any) -> None:
    http = guarded(world, "")
    sent_on = http.get("/", headers={"Accept": "text/html"})
    assert (sent_on.status_code, sent_on.headers["location"]) == (303, "/login")
    assert http.post("/login", data={"token": "wrong"}).status_code == 401
    welcome = http.post("/login", data={"token": SECRETS["operator"]})
    assert welcome.status_code == 303
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert http.get("/").status_code == 200
    assert http.post("/api/v1/jobs/401/stop").status_code == 401


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        *[(name, True) for name in ("127.0.0.1", "127.9.9.9", "localhost", "::1", "[::1]")],
        *[(name, False) for name in ("0.0.0.0", "10.0.0.1", "example.org", "", "localhost.evil")],
    ],
)
def test_only_this_machine_is_loopback(host: str, ours: bool) -> None:  # noqa: FBT001  # a table
    assert is_loopback(host) is ours
    assert Guard(host).is_open is ours


def test_tokens_are_known_by_their_digest_only() -> None:
    guard = Guard("127.0.0.1", TOKENS)
    assert guard.knows(SECRETS["viewer"])
    assert not guard.knows(TOKENS[0].sha256)
    assert not guard.knows("")
