"""Who may do what with models over HTTP, and what is shown to whom."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from scheduler.config.schema import Token
from scheduler.control.model_records import Publication
from scheduler.model.workloads import JobId
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


def test_what_a_job_published_is_shown_and_deployed(ask: Any, world: Any, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("v2")
    artifact = world.service.models.form.artifacts.take_in(tmp_path, "model")
    job = {"entrypoint": "true", "publishes": {"model": "tone", "deploy": "automatically", "data_version": "11"}}
    number = ask("sue", "POST", "/jobs", json=job).json()["item"]["id"]
    waits = ask("vera", "GET", f"/jobs/{number}").json()["item"]["publishes"]
    assert (waits["model"], waits["deploys"], waits["at"]) == ("tone", True, None)
    world.store.publish(Publication(JobId(number), 1, "tone", "sue", 5.0, artifact.digest, 2, 1, "11"))
    shown = ask("vera", "GET", f"/jobs/{number}").json()["item"]["publishes"]
    assert (shown["digest"], shown["files"], shown["size_bytes"], shown["data_version"]) == (
        artifact.digest,
        1,
        2,
        "11",
    )
    page = world.http("vera", tokens=TOKENS).get(f"/jobs/{number}").text
    assert artifact.digest in page
    assert "1 file, 2 bytes, data 11" in page
    ask("olga", "POST", "/models", json={"model": ARGUED})
    order = {"model": {"name": "tone"}, "from_job": number}
    assert ask("sue", "POST", "/models", json=order).status_code == 403
    assert ask("olga", "POST", "/models", json=order).json()["item"]["revision"] == 2
    newest = ask("vera", "GET", "/models/tone/revisions").json()["item"]["revisions"][-1]
    assert (newest["artifact"], newest["source"]) == (artifact.digest, f"job {number} attempt 1")
    assert ask("olga", "POST", "/models", json=order | {"model": ARGUED}).status_code == 422
    assert ask("olga", "POST", "/models", json=order | {"from_job": "x"}).status_code == 404
