"""A reload over HTTP: operators only, what it comes to, and an application that answers by the new file at once."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.api.access import Guard
from scheduler.api.app import renewal
from scheduler.config.differing import Difference
from scheduler.config.schema import Token
from scheduler.control.service.people import Person
from scheduler.model.errors import ConfigError, Fault
from tests.api.conftest import InProcess

CHANGE = Difference("goes", "queue research", ("takes no more",))


def token(name: str, role: str = "operator") -> Token:
    return Token(name=name, role=role, sha256=hashlib.sha256(name.encode()).hexdigest())


class Reads:
    """Keeps who asked, and answers as it is told to."""

    def __init__(self, *found: Difference) -> None:
        self.found, self.asked = found, list[tuple[str, bool]]()

    def __call__(self, by: Person, *, dry_run: bool) -> tuple[Difference, ...]:
        """Answer."""
        self.asked.append((by.name, dry_run))
        return self.found


@pytest.fixture
def asks(world: Any) -> Callable[..., httpx.Response]:
    """Ask for a reload with a token."""
    known = [token("ada"), token("eve", "submitter")]

    def ask(name: str, reload: Any, **body: object) -> httpx.Response:
        http = world.http(name, tokens=known, bind_host="10.0.0.1", reload=reload)
        return http.post("/api/v1/reload", json=body)  # type: ignore[no-any-return]  # httpx says so

    return ask


def test_an_operator_is_told_what_counts_from_now_on(asks: Any) -> None:
    reads = Reads(CHANGE)
    item = asks("ada", reads).json()["item"]
    change = {"kind": "goes", "what": "queue research", "details": ["takes no more"]}
    assert item == {"applied": True, "changes": [change]}
    assert asks("ada", reads, dry_run=True).json()["item"] == {"applied": False, "changes": [change]}
    assert reads.asked == [("ada", False), ("ada", True)]


def test_nothing_new_is_not_applied(asks: Any) -> None:
    assert asks("ada", Reads()).json()["item"] == {"applied": False, "changes": []}


def test_others_may_not(asks: Any) -> None:
    reads = Reads(CHANGE)
    assert asks("eve", reads).status_code == 403
    assert reads.asked == []


def test_without_a_file_there_is_nothing_to_read_again(asks: Any) -> None:
    answer = asks("ada", None)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        409,
        "this control plane was not started from a file",
    )


def test_what_is_wrong_is_answered_with_file_line_and_key(asks: Any) -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise ConfigError(Fault("NeedsRestart", "store cannot change", "/etc/cluster.yaml", 3, "store", "restart"))

    answer = asks("ada", refuse)
    assert answer.status_code == 422
    assert answer.json()["error"] == {
        "code": "NeedsRestart", "message": "store cannot change", "file": "/etc/cluster.yaml", "line": 3,
        "field": "store", "help": "restart",
    }  # fmt: skip


def test_a_renewed_application_knows_other_tokens_queues_and_priorities(world: Any) -> None:
    app = world.app(tokens=[token("ada")], bind_host="10.0.0.1")
    http = httpx.Client(transport=InProcess(app), base_url="http://10.0.0.1:8321")

    def status(name: str, path: str = "/api/v1/status") -> int:
        return http.get(path, headers={"Authorization": f"Bearer {name}"}).status_code

    assert (status("ada"), status("eve")) == (200, 401)
    assert status("ada", "/") == 200
    renew = renewal(app, replace(world.site, queues=("default", "new")), Guard("10.0.0.1", [token("eve", "viewer")]))
    assert (status("ada"), status("eve")) == (200, 401), "nothing counts before it is renewed"
    renew()
    assert (status("ada"), status("eve")) == (401, 200)
    assert status("eve", "/api/v1/jobs?queue=new") == 200
    assert status("eve", "/") == 200


def test_a_renewed_application_is_open_to_everybody_or_closed_as_the_file_says(world: Any) -> None:
    app, tokens = world.app(tokens=[token("ada")], bind_host="10.0.0.1"), [token("ada")]
    http = httpx.Client(transport=InProcess(app), base_url="http://10.0.0.1:8321")
    for public, status in ((True, 200), (False, 401), (True, 200)):
        renewal(app, world.site, Guard("10.0.0.1", tokens, public=public))()
        assert {http.get(path).status_code for path in ("/", "/api/v1/jobs", "/page/update")} == {status}
        assert "moderation" not in http.get("/").text
        assert "moderation" in http.get("/", headers={"Authorization": "Bearer ada"}).text
