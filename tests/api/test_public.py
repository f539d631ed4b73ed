# ruff: noqa: S104  # a wildcard address is what is tested
"""What is shown without a token where `api.public` is on: which routes, which fields, and to whom nothing else."""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import httpx
import pytest
from pydantic_core import PydanticUndefined
from starlette.requests import Request

from scheduler.api.access import SAFE_METHODS, Guard
from scheduler.api.public_fields import RULES, WITHHELD, public
from scheduler.api.redacting import Rule, redacted
from scheduler.wire.base import Resource, Why
from scheduler.wire.forecasts import ForecastPoint
from scheduler.wire.hosts import Host
from scheduler.wire.jobs import Event
from tests.api.test_access import SECRETS, TOKENS
from tests.api.test_every_route import routes

SHOWN = {
    "/",
    "/healthz",
    "/readyz",
    "/login",
    "/jobs/401",
    "/metrics",
    "/page/chart",
    "/page/chart/data",
    "/page/chart/table",
    "/page/update",
    "/api/v1/jobs",
    "/api/v1/jobs/401",
    "/api/v1/hosts",
    "/api/v1/hosts/ml-serve1012",
    "/api/v1/models",
    "/api/v1/queues",
    "/api/v1/capacity",
    "/api/v1/forecast/edit-check",
    "/api/v1/status",
    "/api/v1/stream",
}

OPEN = {"/healthz", "/readyz", "/login"}
"""Of these what answers whatever is public."""


@pytest.fixture
def stranger(world: Any) -> httpx.Client:
    """Ask without a token where a part is public."""
    return public_http(world)


def public_http(world: Any, token: str = "", **changes: Any) -> httpx.Client:
    parts = {"bind_host": "0.0.0.0", "tokens": TOKENS, "public": True, "metrics": lambda: b"up 1\n"}
    return world.http(token, **(parts | changes))


def test_what_is_public_answers_without_a_token_and_all_else_asks_for_one(world: Any, stranger: httpx.Client) -> None:
    found = {path for method, path in routes(world) if method == "GET"}
    assert found >= SHOWN
    never_ends = {"/api/v1/stream"}
    answers = {path: stranger.get(path).status_code for path in found - never_ends}
    assert {path for path, status in answers.items() if status == 200} == SHOWN - never_ends
    assert set(answers.values()) == {200, 401}


def test_nothing_is_changed_without_a_token(world: Any, stranger: httpx.Client) -> None:
    changing = {(method, path) for method, path in routes(world) if method not in SAFE_METHODS} - {("POST", "/login")}
    refused = {(method, path): stranger.request(method, path, json={}).status_code for method, path in changing}
    assert set(refused.values()) == {401}, refused


@pytest.mark.parametrize(
    "headers",
    [
        *({"Authorization": said} for said in ("Bearer wrong", "Bearer ", "", "Basic eDp5")),
        *({"Cookie": f"headroom_token={kept}"} for kept in ("wrong", "")),
    ],
)
def test_a_wrong_token_is_refused_and_not_shown_what_is_public(
    world: Any, stranger: httpx.Client, headers: dict[str, str]
) -> None:
    for path in sorted(SHOWN - OPEN):
        answer = stranger.get(path, headers=headers)
        assert answer.status_code == 401, path
        assert answer.json()["error"]["code"] == "Unauthenticated"
    assert public_http(world, "wrong").get("/", headers={"Accept": "text/html"}).headers["location"] == "/login"


def test_it_is_closed_unless_somebody_opens_it(world: Any) -> None:
    closed = public_http(world, public=False)
    assert {closed.get(path).status_code for path in SHOWN - OPEN} == {401}
    assert not Guard("0.0.0.0", TOKENS).is_stranger(_request())
    assert Guard("0.0.0.0", TOKENS, public=True).is_stranger(_request())
    assert not Guard("127.0.0.1", public=True).is_stranger(_request())


def _request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})


def test_with_a_token_all_is_shown_and_nobody_keeps_it_for_another(world: Any, stranger: httpx.Client) -> None:
    """The two views of one address, in turns: neither is what the other one was given."""
    for _ in range(2):
        for role in SECRETS:
            mine = public_http(world, SECRETS[role])
            assert "moderation" in mine.get("/").text
            assert mine.get("/api/v1/jobs/398").json()["item"]["owner"] == "moderation"
        assert "moderation" not in stranger.get("/").text
        answer = stranger.get("/api/v1/jobs/398")
        assert answer.json()["item"]["owner"] == ""
        assert answer.headers["cache-control"] == "no-store"
        assert {"authorization", "cookie"} <= {name.strip().lower() for name in answer.headers["vary"].split(",")}


def test_a_browser_that_signs_in_is_sent_all_panels_anew(world: Any, stranger: httpx.Client) -> None:
    seen = stranger.get("/page/update").json()
    assert seen["stamp"] == "18422.public"
    assert stranger.get("/page/update", params={"after": seen["stamp"]}).json() is None
    mine = public_http(world, SECRETS["viewer"]).get("/page/update", params={"after": seen["stamp"]}).json()
    assert set(mine["panels"]) == set(seen["panels"])


def test_jobs_are_not_found_by_what_is_not_shown_of_them(world: Any, stranger: httpx.Client) -> None:
    for more in ({}, {"limit": 5}, {"all": True, "limit": 5}):
        asked = {"owner": "moderation", **more}
        assert stranger.get("/api/v1/jobs", params=asked).json()["items"] == []
        assert public_http(world, SECRETS["viewer"]).get("/api/v1/jobs", params=asked).json()["items"] != []


def test_the_page_says_what_it_does_not_show_and_offers_nothing_that_is_refused(stranger: httpx.Client) -> None:
    page = stranger.get("/").text
    assert "This is what everybody may see" in page
    assert "Events are told with a token only." in page
    assert "/events" not in page
    job = stranger.get("/jobs/424").text
    assert "headroom logs" not in job
    assert "python train.py" not in job
    assert "wait for new labels" not in page + job


def test_with_a_token_the_page_says_nothing_of_it(world: Any) -> None:
    page = public_http(world, SECRETS["viewer"]).get("/").text
    assert 'id="public"' not in page
    assert "/events" in page


def test_a_browser_whose_token_is_known_no_longer_is_told_so_and_may_go_on_without(
    world: Any, stranger: httpx.Client
) -> None:
    stale = {"Cookie": "headroom_token=wrong"}
    assert stranger.get("/", headers=stale | {"Accept": "text/html"}).headers["location"] == "/login"
    form = stranger.get("/login", headers=stale)
    assert "What everybody may see" in form.text
    assert 'headroom_token="";' in form.headers["set-cookie"]
    kept = stranger.get("/login", headers={"Cookie": f"headroom_token={SECRETS['viewer']}"})
    assert "set-cookie" not in kept.headers
    assert "What everybody may see" not in public_http(world, public=False).get("/login").text


def test_a_refusal_says_that_a_token_would_help(stranger: httpx.Client) -> None:
    error = stranger.get("/api/v1/jobs/401/logs").json()["error"]
    assert error["message"] == "this is not shown without a token"
    assert "HEADROOM_TOKEN" in error["help"]


# --- fields ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_of_every_field_somebody_has_decided_whether_everybody_may_see_it(kind: type[Resource]) -> None:
    """A field that was added lately is hidden; say in `public_fields` that it is, or show it."""
    rule = RULES[kind]
    assert rule.decided == set(kind.model_fields)
    assert len(rule.shown) + len(rule.hidden) + len(rule.instead) == len(rule.decided)


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_in_place_of_what_is_hidden_stands_a_value_of_its_type(kind: type[Resource]) -> None:
    for name in RULES[kind].hidden:
        declared = kind.model_fields[name]
        assert declared.annotation is str or declared.default is not PydanticUndefined or declared.default_factory


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
def test_resources_in_shown_fields_have_rules_of_their_own(kind: type[Resource]) -> None:
    for name in RULES[kind].shown:
        inner = {one for one in _types(kind.model_fields[name].annotation) if issubclass(one, Resource)}
        assert inner <= set(RULES), name


def _types(annotation: Any) -> Iterator[type]:
    if get_origin(annotation) is None and isinstance(annotation, type):
        yield annotation
    for inner in get_args(annotation):
        yield from _types(inner)


def test_a_field_that_nobody_thought_of_is_hidden() -> None:
    class Later(Resource):
        name: str
        added: str = ""
        needed: str

    rules = {Later: Rule(frozenset({"name"}))}
    assert redacted(Later(name="a", added="b", needed="c"), rules).model_dump() == {
        "name": "a",
        "added": "",
        "needed": "",
    }


def test_a_type_that_nobody_thought_of_is_not_shown_at_all() -> None:
    event = Event(id=1, at="2026-11-23T17:24:00Z", cycle=1, kind="host", subject="a", title="b")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        public(event)


@pytest.mark.parametrize(
    ("code", "shown"),
    [("InsufficientDevices", "m"), ("HeldByOwner", "held"), ("NoHostMatches", WITHHELD), ("Anything", WITHHELD)],
)
def test_sentences_are_shown_where_nobody_can_have_written_them(code: str, shown: str) -> None:
    assert public(Why(code=code, message="m")).message == shown


def test_a_resource_with_nothing_to_hide_is_as_it_was(world: Any) -> None:
    mine, theirs = public_http(world, SECRETS["viewer"]), public_http(world)
    for path in ("/api/v1/capacity", "/api/v1/forecast/edit-check", "/api/v1/queues"):
        assert mine.get(path).json() == theirs.get(path).json()


def test_quantiles_that_the_reader_asked_for_are_shown_beside_the_usual_ones_and_nothing_else_is() -> None:
    usual = {"at": "2026-11-23T17:24:00Z", "p10": 1.0, "p50": 2.0, "p90": 3.0, "p99": 4.0}
    shown = public(ForecastPoint(**usual, **{"p99.9": 5.0}, more="words"))  # type: ignore[arg-type]  # read from texts
    assert shown.model_dump(mode="json") == usual | {"p99.9": 5.0}


def test_hosts_keep_why_they_are_out_and_how_they_are_labelled_to_themselves(
    world: Any, stranger: httpx.Client
) -> None:
    path = "/api/v1/hosts/ml-serve1014"
    mine = Host(**public_http(world, SECRETS["viewer"]).get(path).json()["item"])
    theirs = Host(**stranger.get(path).json()["item"])
    assert (mine.reason, theirs.reason) == ("power supply swap", "")
    assert theirs == mine.model_copy(update={"reason": "", "labels": {}})
