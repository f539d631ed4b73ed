"""Who may do what with models over HTTP, and what is shown to whom."""

import hashlib
from typing import Any

import pytest

from scheduler.config.schema import Token
from tests.api.test_all_weather import TONE

TOKENS = tuple(
    Token(name=name, role=role, sha256=hashlib.sha256(name.encode()).hexdigest())
    for name, role in (("vera", "viewer"), ("sue", "submitter"), ("olga", "operator"))
)
ARGUED = TONE | {"application": {"import_path": "tone.app:build", "args": {"weights": "v1"}}}


@pytest.fixture
def ask(world: Any) -> Any:
    """Ask as somebody."""

    def asked(who: str, method: str, path: str, **parts: Any) -> Any:
        return world.http(who, tokens=TOKENS).request(method, f"/api/v1{path}", **parts)

    return asked


def test_operators_deploy_and_others_may_not(ask: Any) -> None:
    for who, status in (("vera", 403), ("sue", 403), ("olga", 201)):
        assert ask(who, "POST", "/models", json={"model": TONE}).status_code == status
    for who in ("vera", "sue"):
        for method, path in (("DELETE", "/models/tone"), ("POST", "/models/tone/rollout")):
            assert ask(who, method, path, json={"action": "undo"}).status_code == 403


def test_submitters_propose_community_models_and_operators_decide(ask: Any) -> None:
    assert ask("vera", "POST", "/proposals", json={"model": TONE}).status_code == 403
    proposed = ask("sue", "POST", "/proposals", json={"model": TONE, "source": "tone.yaml"})
    assert (proposed.status_code, proposed.json()["item"]["model"]["community"]) == (201, True)
    assert ask("sue", "POST", "/proposals/tone/approve").status_code == 403
    assert ask("olga", "POST", "/proposals/tone/approve").json()["item"]["revision"] == 1
    (revision,) = ask("olga", "GET", "/models/tone/revisions").json()["item"]["revisions"]
    assert (revision["by"], revision["source"]) == ("olga", "tone.yaml of sue")
    assert ask("vera", "GET", "/proposals").json()["items"] == []


def test_who_only_looks_on_sees_no_arguments(ask: Any) -> None:
    ask("olga", "POST", "/models", json={"model": ARGUED})
    ask("sue", "POST", "/proposals", json={"model": ARGUED | {"name": "other"}})
    for path in ("/models/tone/revisions", "/proposals"):
        assert 'v1"' in ask("sue", "GET", path).text.replace("headroom/v1", "")
        assert "weights" not in ask("vera", "GET", path).text


def test_faults_name_the_field_and_what_is_allowed(ask: Any) -> None:
    answer = ask("olga", "POST", "/models", json={"model": TONE | {"traffic": "wikipedia-em"}})
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (422, "traffic")
    assert error["help"] == 'did you mean "wikipedia-en"? sources: wikipedia-en'
