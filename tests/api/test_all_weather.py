"""Every route in good weather and in bad; found in the application itself, so that a new one is missed here."""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import pytest

from policies.registry import policy_from_names
from scheduler.api.site import Questions
from scheduler.config.differing import Difference
from scheduler.config.model import ModelForms
from scheduler.control.model_records import ModelRecord, Proposal, Revision
from scheduler.control.records import EventKind, EventRecord
from scheduler.control.service.progress import AttemptTokens, ProgressDesk
from scheduler.control.settings import Settings
from scheduler.control.whatif.desk import WhatIfDesk
from scheduler.control.whatif.question import Question, Rules
from scheduler.model.errors import InvariantBroken, Unreachable
from scheduler.model.observation import Stray, StrayKind
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobId
from scheduler.wire.base import ErrorAnswer

RULES = Rules(policy_from_names(), Settings())
JOB, HOST, MODEL = "401", "ml-serve1012", "edit-check"
TOKENS = AttemptTokens(b"k" * 32)
ITS_OWN = {"Authorization": f"Bearer {TOKENS.of(JobId(JOB), 1)}"}
ORDER = {"entrypoint": "python train.py", "resources": {"gpus": 1}}
STRAY = Stray("theirs", StrayKind.RUN, "b" * 36, ((Slot("ml-serve1013", (3,)), Shape(2000, 4096, 1)),), JOB, 1)


def packed() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("train.py", "")
    return file.getvalue()


PACKAGE = packed()
TONE = {
    "name": "tone",
    "resources": {"gpus": 1},
    "capacity": {"kind": "rate", "rps_per_replica": 15},
    "traffic": "wikipedia-en",
    "application": {"import_path": "tone.app:build"},
}


GOOD: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {
    ("POST", "/api/v1/jobs"): (201, {"json": ORDER}),
    ("GET", "/api/v1/jobs"): (200, {"params": {"state": "Running", "queue": "product", "limit": 5}}),
    ("POST", "/api/v1/jobs/outlook"): (200, {"json": ORDER}),
    ("GET", "/api/v1/jobs/{job_id}"): (200, {}),
    ("POST", "/api/v1/jobs/{job_id}/stop"): (200, {}),
    ("POST", "/api/v1/jobs/{job_id}/hold"): (200, {"json": {"reason": "labels"}}),
    ("POST", "/api/v1/jobs/{job_id}/resume"): (200, {}),
    ("PUT", "/api/v1/jobs/{job_id}/priority"): (200, {"json": {"priority": "low"}}),
    ("PUT", "/api/v1/packages/{digest}"): (204, {"content": PACKAGE}),
    ("GET", "/api/v1/jobs/{job_id}/logs"): (200, {"params": {"attempt": 1, "tail": 3}}),
    ("POST", "/api/v1/jobs/{job_id}/attempts/{number}/progress"): (
        204,
        {"json": {"step": 1200, "total_steps": 5000}, "headers": ITS_OWN},
    ),
    ("GET", "/api/v1/hosts"): (200, {}),
    ("GET", "/api/v1/hosts/{name}"): (200, {}),
    ("POST", "/api/v1/hosts/{name}/cordon"): (200, {"json": {"reason": "disk"}}),
    ("POST", "/api/v1/hosts/{name}/uncordon"): (200, {}),
    ("POST", "/api/v1/hosts/{name}/drain"): (200, {"json": {"dry_run": True}}),
    ("GET", "/api/v1/models"): (200, {}),
    ("POST", "/api/v1/models"): (201, {"json": {"model": TONE, "source": "tone.yaml"}}),
    ("POST", "/api/v1/models/outlook"): (200, {"json": {"model": TONE}}),
    ("GET", "/api/v1/models/{model}/revisions"): (200, {}),
    ("POST", "/api/v1/models/{model}/rollout"): (200, {"json": {"action": "undo"}}),
    ("DELETE", "/api/v1/models/{model}"): (200, {}),
    ("GET", "/api/v1/proposals"): (200, {}),
    ("POST", "/api/v1/proposals"): (201, {"json": {"model": TONE}}),
    ("POST", "/api/v1/proposals/{model}/approve"): (200, {}),
    ("POST", "/api/v1/proposals/{model}/reject"): (200, {"json": {"reason": "no licence"}}),
    ("GET", "/api/v1/queues"): (200, {}),
    ("GET", "/api/v1/capacity"): (200, {"params": {"gpu": "MI210", "until": 6}}),
    ("GET", "/api/v1/forecast/{model}"): (200, {"params": {"quantiles": "0.95", "until": 6}}),
    ("GET", "/api/v1/strays"): (200, {}),
    ("POST", "/api/v1/strays/adopt"): (200, {"json": {"names": []}}),
    ("POST", "/api/v1/strays/evict"): (200, {"json": {"names": ["theirs"]}}),
    ("GET", "/api/v1/status"): (200, {}),
    ("GET", "/api/v1/events"): (200, {"params": {"subject": JOB, "limit": 3, "after": 1}}),
    ("GET", "/api/v1/backup"): (200, {}),
    ("POST", "/api/v1/reload"): (200, {"json": {"dry_run": True}}),
    ("POST", "/api/v1/whatif"): (202, {"json": {"traffic": 1.5, "lost_hosts": [HOST], "job": ORDER, "model": TONE}}),
    ("GET", "/api/v1/whatif"): (200, {}),
    ("GET", "/api/v1/whatif/{question}"): (200, {}),
    ("GET", "/metrics"): (200, {}),
    ("GET", "/healthz"): (200, {}),
    ("GET", "/readyz"): (200, {}),
    ("GET", "/"): (200, {"params": {"range": "24h", "model": MODEL}}),
    ("GET", "/page/chart"): (200, {"params": {"theme": "dark", "narrow": "true"}}),
    ("GET", "/page/chart/data"): (200, {"params": {"model": MODEL}}),
    ("GET", "/page/chart/table"): (200, {"params": {"range": "7d"}}),
    ("GET", "/page/update"): (200, {"params": {"after": "18421"}}),
    ("GET", "/jobs/{job_id}"): (200, {}),
    ("GET", "/events"): (200, {}),
    ("GET", "/login"): (200, {}),
    ("POST", "/login"): (401, {"data": {"token": "wrong"}}),
}
"""What is asked of each route, and the status of the answer; where nobody has a token, none is right."""
STREAM = ("GET", "/api/v1/stream")
"""Its answer does not end: tests/api/test_routes_stream.py reads it."""
BAD: dict[tuple[str, str], list[tuple[int, dict[str, Any]]]] = {
    ("POST", "/api/v1/jobs"): [
        (422, {"json": ORDER | {"queue": "nowhere"}}),
        (422, {"json": {}}),
        (422, {"json": ORDER, "headers": {"Idempotency-Key": "two words"}}),
        (422, {"content": b"{"}),
        (422, {}),
    ],
    ("GET", "/api/v1/jobs"): [
        (422, {"params": {"state": "runing"}}),
        (404, {"params": {"queue": "nowhere"}}),
        (422, {"params": {"limit": 3, "cursor": "x"}}),
        (422, {"params": {"all": "perhaps"}}),
    ],
    ("POST", "/api/v1/jobs/outlook"): [(422, {"json": ORDER | {"priority": "hgih"}}), (422, {"json": [ORDER]})],
    ("PUT", "/api/v1/jobs/{job_id}/priority"): [(422, {"json": {"priority": "hgih"}}), (422, {"json": {}}), (422, {})],
    ("POST", "/api/v1/jobs/{job_id}/hold"): [(422, {"json": {"reason": 3}})],
    ("POST", "/api/v1/jobs/{job_id}/attempts/{number}/progress"): [
        (422, {"json": {"step": -1}, "headers": ITS_OWN}),
        (422, {"json": {"total_steps": 3}, "headers": ITS_OWN}),
        (422, {"json": {"step": 1e300}, "headers": ITS_OWN}),
        (422, {"headers": ITS_OWN}),
        (403, {"json": {"step": 1200}, "headers": {"Authorization": f"Bearer {TOKENS.of(JobId(JOB), 2)}"}}),
        (403, {"json": {"step": 1200}}),
    ],
    ("PUT", "/api/v1/packages/{digest}"): [(422, {"content": b"something else"}), (422, {})],
    ("POST", "/api/v1/hosts/{name}/cordon"): [(422, {"json": {"reason": ["disk"]}})],
    ("POST", "/api/v1/hosts/{name}/drain"): [
        (422, {"json": {"deadline_s": "soon"}}),
        (422, {"json": {"force": "perhaps"}}),
    ],
    ("GET", "/api/v1/capacity"): [(404, {"params": {"gpu": "H900"}}), (404, {"params": {"model": "nothing"}})],
    ("GET", "/api/v1/forecast/{model}"): [(422, {"params": {"quantiles": "1.5"}})],
    ("POST", "/api/v1/models"): [
        (422, {"json": {"model": TONE | {"capasity": 3}}}),
        (422, {"json": {"model": TONE | {"traffic": "enwki"}}}),
        (422, {"json": {"model": TONE | {"min_replicas": 3}}}),
        (422, {"json": {"model": 3}}),
        (422, {}),
    ],
    ("POST", "/api/v1/models/outlook"): [(422, {"json": {"model": {}}})],
    ("POST", "/api/v1/models/{model}/rollout"): [
        (422, {"json": {"action": "sideways"}}),
        (422, {"json": {"action": "to"}}),
        (404, {"json": {"action": "to", "revision": 9}}),
        (409, {"json": {"action": "pause"}}),
        (422, {}),
    ],
    ("POST", "/api/v1/proposals"): [(422, {"json": {"model": TONE | {"traffic": "enwki"}}}), (422, {})],
    ("POST", "/api/v1/proposals/{model}/reject"): [(422, {"json": {"reason": 3}})],
    ("POST", "/api/v1/strays/adopt"): [
        (404, {"json": {"names": ["nobody"]}}),
        (422, {"json": {"names": 3}}),
        (422, {}),
    ],
    ("POST", "/api/v1/reload"): [(422, {"json": {"dry_run": "perhaps"}}), (422, {"json": 3})],
    ("POST", "/api/v1/strays/evict"): [(404, {"json": {"names": ["nobody"]}}), (422, {})],
    ("POST", "/api/v1/whatif"): [
        (404, {"json": {"lost_hosts": ["nowhere"]}}),
        (404, {"json": {"new_hosts": [{"like": "nowhere", "count": 1}]}}),
        (409, {"json": {"model": TONE | {"name": MODEL}}}),
        (422, {"json": {"runs": 0}}),
        (422, {"json": {"traffic": "much"}}),
        (422, {"json": {"job": ORDER | {"queue": "nowhere"}}}),
        (422, {"json": {"model": TONE | {"traffic": "enwki"}}}),
        (422, {"json": {"spikes": [{"at": "soon", "lasts_s": 60, "factor": 2}]}}),
        (422, {}),
    ],
    ("GET", "/"): [(422, {"params": {"range": "a while"}})],
    ("GET", "/page/chart"): [(422, {"params": {"theme": "pink"}}), (404, {"params": {"model": "nothing"}})],
    ("GET", "/page/chart/data"): [(422, {"params": {"range": "1s"}}), (404, {"params": {"model": "nothing"}})],
    ("GET", "/page/chart/table"): [(422, {"params": {"range": "1s"}}), (404, {"params": {"model": "nothing"}})],
}
"""What is refused on each route, besides what follows from its path and from the bounds that it states."""
UNKNOWN = {"job_id": "999", "name": "nowhere", "model": "nothing", "question": "w999"}


def filled(path: str, **other: str) -> str:
    known = {
        "job_id": JOB,
        "name": HOST,
        "model": MODEL,
        "question": "w1",
        "number": "1",
        "digest": f"sha256:{sha256(PACKAGE).hexdigest()}",
    }
    return path.format(**known | other)


def offered(world: Any) -> set[tuple[str, str]]:
    return {
        (method, found.path)
        for included in world.app().routes
        if hasattr(included, "effective_route_contexts")
        for found in included.effective_route_contexts()
        for method in found.methods
    }


@pytest.fixture
def whole(world: Any) -> Any:
    """The evening with everything there is to ask for: logs, metrics, a backup, a stray."""
    report = world.board.report
    world.publish(replace(report, observation=replace(report.observation, strays=(STRAY,))))
    bodies = [
        ModelForms(("wikipedia-en",)).draft(TONE | {"name": MODEL, "warm_up": warm_up}).body for warm_up in (30, 60)
    ]
    revisions = [Revision(MODEL, number, body, "ada", 1.0, runs=number) for number, body in enumerate(bodies, 1)]
    told = EventRecord(1.0, 1, EventKind.SERVING, MODEL, "proposed")
    world.store.propose(Proposal(MODEL, bodies[0], "ana", 1.0), told)
    world.store.save_model(ModelRecord(MODEL, serving=2, runs=2, latest=2, before=1), revisions)
    return world


@pytest.fixture
def ask(whole: Any) -> Callable[..., httpx.Response]:
    """Ask one route."""

    def lines(*_: Any, **__: Any) -> Iterator[str]:
        yield "step 1"

    http = whole.http(
        logs_of=lines,
        metrics=lambda: b"headroom_up 1\n",
        backup=lambda file: file.write_bytes(b"SQLite format 3\0"),
        reload=lambda _, *, dry_run: (Difference("comes", "queue product"),) if dry_run else (),
        progress_desk=ProgressDesk(TOKENS, whole.store, whole.site.clock, Noted()),
        questions=Questions(desk := WhatIfDesk(Silent(), whole.board, lambda: RULES), lambda _: RULES),
    )
    desk.ask(Question())
    return lambda route, path="", **parts: http.request(route[0], path or filled(route[1]), **parts)


class Noted:
    """A cluster that takes the progress of attempts."""

    def report(self, *_: object) -> None:
        pass


class Silent:
    """Plays nothing."""

    def play(self, *_: object) -> Iterator[Any]:
        yield from ()

    def close(self) -> None:
        pass


def is_refused(answer: httpx.Response, status: int) -> None:
    """Check that a refusal has the form of all refusals and says what to do or what is wrong."""
    assert answer.status_code == status, answer.text
    said = ErrorAnswer.model_validate_json(answer.content)
    assert said.error == said.errors[0]
    assert said.error.code
    assert said.error.message


def test_every_route_is_asked_in_good_weather(world: Any) -> None:
    assert {*GOOD, STREAM} == offered(world)
    assert set(BAD) <= set(GOOD)


@pytest.mark.parametrize("route", GOOD, ids=" ".join)
def test_it_answers(route: tuple[str, str], ask: Any) -> None:
    status, parts = GOOD[route]
    answer = ask(route, **parts)
    assert answer.status_code == status, answer.text
    if route[1].startswith("/api/v1/") and answer.headers.get("content-type") == "application/json":
        assert answer.json()["apiVersion"] == "headroom/v1"
        assert answer.json()["cycle"] == 18422


@pytest.mark.parametrize(
    ("route", "status", "parts"), [(route, *bad) for route, bads in BAD.items() for bad in bads], ids=str
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    route: tuple[str, str], status: int, parts: dict[str, Any], ask: Any, whole: Any
) -> None:
    before = whole.store.jobs(open_only=False), whole.store.host_marks(), whole.service.strays.all()
    is_refused(ask(route, **parts), status)
    assert (whole.store.jobs(open_only=False), whole.store.host_marks(), whole.service.strays.all()) == before


@pytest.mark.parametrize("route", [each for each in GOOD if "{" in each[1]], ids=" ".join)
@pytest.mark.parametrize("name", ["", "%00", "a%20b", "-1", "9" * 60, "%F0%9F%A6%86"])
def test_a_name_that_nothing_has_is_404(route: tuple[str, str], name: str, ask: Any) -> None:
    known = {key: name or value for key, value in UNKNOWN.items()}
    if "{digest}" in route[1]:
        status = 404 if name == "%00" else 422
        is_refused(ask(route, filled(route[1], digest=name or "0" * 64), **GOOD[route][1]), status)
        return
    parts = {} if route[1].endswith("logs") else GOOD[route][1]
    is_refused(ask(route, filled(route[1], **known), **parts), 404)


def bounds(world: Any) -> list[tuple[tuple[str, str], str, object]]:
    """Return each parameter of each route with values that it says it does not take."""
    found = []
    for path, methods in world.http().get("/openapi.json").json()["paths"].items():
        for method, described in methods.items():
            for one in described.get("parameters", []):
                kinds = one["schema"].get("anyOf", [one["schema"]])
                numbers = next((kind for kind in kinds if kind["type"] in {"integer", "number"}), None)
                if one["in"] == "query" and numbers is not None:
                    wrong: list[object] = [
                        "x",
                        "1e999",
                        "",
                        numbers.get("minimum", numbers.get("exclusiveMinimum", 1) + 1) - 1,
                    ]
                    wrong += [numbers["maximum"] + 1] if "maximum" in numbers else []
                    found += [((method.upper(), path), one["name"], value) for value in wrong]
    return found


def test_every_number_has_its_bounds_and_is_held_to_them(whole: Any, ask: Any) -> None:
    asked = bounds(whole)
    assert len(asked) > 20
    for route, name, value in asked:
        answer = ask(route, params={name: value})
        is_refused(answer, 422)
        assert answer.json()["error"]["field"] == name, (route, name, value)


def test_errors_are_described_as_they_are(whole: Any) -> None:
    described = whole.http().get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            schema = one["responses"]["default"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (method, path)
    assert "HTTPValidationError" not in described["components"]["schemas"]


@pytest.mark.parametrize("route", GOOD, ids=" ".join)
def test_before_the_first_plan_it_answers_or_says_that_there_is_none(route: tuple[str, str], empty_world: Any) -> None:
    status, parts = GOOD[route]
    answer = empty_world.http().request(route[0], filled(route[1]), **parts)
    if answer.status_code != status and route[1] != "/readyz":
        is_refused(answer, answer.status_code)
    assert answer.status_code in {status, 404, 409, 503}, answer.text


@pytest.mark.parametrize("route", GOOD, ids=" ".join)
def test_a_store_that_does_not_answer_is_said_or_not_needed(
    route: tuple[str, str], ask: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> Any:
        raise Unreachable("the store does not answer")

    for name in [name for name in dir(whole.store) if not name.startswith("_")]:
        if callable(getattr(whole.store, name)):
            monkeypatch.setattr(whole.store, name, silent)
    status, parts = GOOD[route]
    answer = ask(route, **parts)
    if answer.status_code != status:
        is_refused(answer, 503)


@pytest.mark.parametrize("route", [each for each in GOOD if each[1].startswith("/api/v1/")], ids=" ".join)
def test_a_fault_of_our_own_has_the_form_of_all_errors(
    route: tuple[str, str], ask: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise InvariantBroken("two and two are five")

    monkeypatch.setattr("scheduler.api.answers._seen", broken)
    for name in ("printed_by",):
        monkeypatch.setattr(whole.service, name, broken, raising=False)
    status, parts = GOOD[route]
    answer = ask(route, **parts)
    if answer.status_code != status:
        is_refused(answer, 500)
