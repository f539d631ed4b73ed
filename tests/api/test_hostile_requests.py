"""Whatever is in a request, the answer is one of the form of all answers, and never that the server is at fault."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.store.sql import SqlStore
from scheduler.wire.base import ErrorAnswer

PLACES = {"job_id": "1", "number": "1", "name": "ml-serve1012", "model": "edit-check", "digest": "0" * 64} | {
    "question": "w1"
}
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "40"))
"""More of them when somebody asks for it: one costs a plan or a page."""
JSON = {"Content-Type": "application/json"}
ENTRYPOINT = {"entrypoint": "python train.py"}
KEYS = (
    *("job", "working_dir", "reason", "priority", "deadline_s", "force", "dry_run", "name", "entrypoint", "resources"),
    *("workers", "max_workers_per_host", "prefer_same", "require_same", "queue", "preemptible", "max_runtime"),
    *("checkpoint_interval", "grace", "env", "cpus", "memory", "gpus", "gpu_model", "gpu_memory", "host_labels"),
)
PARAMETERS = ("limit", "after", "tail", "attempt", "until", "quantiles", "state", "queue", "owner", "all", "model",
              "gpu", "subject", "follow", "range", "lost")  # fmt: skip
NASTY = (
    *(
        "\ud800",
        "a\udc00b",
        "\0",
        "x\0y",
        "\x1b[2J",
        "A=B",
        "=",
        "",
        " ",
        "\u202e",
        "${PATH}",
        "/nope",
        "9" * 400 + "Gi",
    ),
    *("9" * 400 + "s", "1e400", "nan", "-inf", "9" * 400, "x" * 70_000, "'; drop table jobs; --", "../../etc", "%00"),
)
texts = st.one_of(
    st.sampled_from(NASTY), st.text(st.characters(codec=None), max_size=30), st.sampled_from(("2-8", "4", "1h", "8Gi"))
)
scalars = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(),
    st.sampled_from((10**18, 2**63, -(2**63) - 1, 10**400, -(10**40), 1e308, -1e308)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(texts, st.sampled_from(KEYS)), inner, max_size=3)
    ),
    max_leaves=8,
)
orders = st.dictionaries(st.one_of(st.sampled_from(KEYS), texts), values, max_size=6)
jobs = st.one_of(
    orders,
    orders.map(lambda order: ENTRYPOINT | order),
    orders.map(lambda order: order | ENTRYPOINT),
    orders.map(lambda order: {"job": order | ENTRYPOINT}),
    st.dictionaries(texts, scalars, max_size=3).map(lambda env: ENTRYPOINT | {"env": env}),
    st.dictionaries(st.sampled_from(KEYS), values, max_size=3).map(lambda inner: ENTRYPOINT | {"resources": inner}),
)
bodies = st.one_of(
    jobs.map(lambda order: json.dumps(order).encode()),
    jobs.map(lambda order: json.dumps(order, ensure_ascii=False).encode(errors="surrogatepass")),
    values.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=50),
    st.sampled_from((
        *(b"[" * 9000, b'{"job":' * 9000, b'{"a":' * 500 + b"1" + b"}" * 500, b'{"entrypoint": ' + b"9" * 9000 + b"}"),
        *(b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"entrypoint": "\xff"}', b"NaN", b"-Infinity", b"1e999", b""),
        json.dumps({**ENTRYPOINT, **{f"k{number}": 1 for number in range(20_000)}}).encode(),
        json.dumps({**ENTRYPOINT, "env": {f"k {number}": 1 for number in range(20_000)}}).encode(),
    )),
)  # fmt: skip


@pytest.fixture(params=["memory", "database"])
def app(request: pytest.FixtureRequest, world: Any, tmp_path: Path) -> Iterator[FastAPI]:
    """A control plane of the evening, with jobs in memory or in a database."""
    if request.param == "memory":
        yield world.app()
        return
    store = SqlStore(f"sqlite:///{tmp_path / 'state.db'}")
    world.store = world.service.store = store
    yield world.app()
    store.close()


def client_of(world: Any, app: FastAPI) -> httpx.Client:
    http: httpx.Client = world.http()
    http._transport = type(http._transport)(app)
    return http


def routes(app: FastAPI) -> list[tuple[str, str]]:
    return sorted(
        (method, found.path)
        for included in app.routes
        if hasattr(included, "effective_route_contexts")
        for found in included.effective_route_contexts()
        for method in found.methods
        if not found.path.endswith("/stream") and not found.path.endswith("/logs")
    )


def is_answered(answer: httpx.Response) -> bool:
    """Whether an answer is one of the API's own, and can be read."""
    if answer.status_code < 400:
        return True
    assert answer.status_code < 500 or answer.json()["error"]["code"] == "Unreachable", answer.text
    if answer.headers["content-type"].startswith("text/html"):
        return answer.status_code < 500
    said = ErrorAnswer.model_validate_json(answer.content)
    assert len(said.errors) <= 101
    return bool(said.error.message)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=bodies, dry=st.booleans(), kind=st.sampled_from((JSON, {}, {"Content-Type": "text/plain"})))
def test_no_submission_is_the_server_s_fault(
    world: Any,
    app: FastAPI,
    body: bytes,
    kind: dict[str, str],
    dry: bool,  # noqa: FBT001  # drawn by chance
) -> None:
    http = client_of(world, app)
    answer = http.post("/api/v1/jobs/outlook" if dry else "/api/v1/jobs", content=body, headers=kind)
    assert is_answered(answer)
    if answer.status_code == 201:
        job = answer.json()["item"]["id"]
        assert http.get(f"/api/v1/jobs/{job}").status_code == 200
        assert http.get(f"/jobs/{job}").status_code == 200, "the page shows it as well"
        world.store.save(world.store.job(job))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_text_anywhere_is_the_server_s_fault(world: Any, app: FastAPI, data: st.DataObject) -> None:
    http = client_of(world, app)
    body = data.draw(bodies)
    method, path = data.draw(st.sampled_from(routes(app)))
    places = {name: data.draw(st.one_of(st.just(usual), quoted)) for name, usual in PLACES.items()}
    query = data.draw(st.dictionaries(st.sampled_from(PARAMETERS), st.one_of(quoted, numbers), max_size=3))
    target = path.format(**places) + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    answer = http.request(method, httpx.URL(f"http://127.0.0.1:8321{target}"), content=body, headers=JSON)
    assert is_answered(answer)


@pytest.mark.parametrize("number", ["9" * 23, "9" * 5000], ids=["64 bits", "digits"])
def test_no_number_in_a_path_or_query_is_beyond_the_server(world: Any, app: FastAPI, number: str) -> None:
    """On a real database, too: it has numbers that are too large for it and not for Python."""
    http = client_of(world, app)
    query = "&".join(f"{name}={number}" for name in ("after", "cursor", "attempt", "tail"))
    asked = [(method, path.format(**dict.fromkeys(PLACES, number))) for method, path in routes(app) if "{" in path]
    asked += [("GET", f"/api/v1/{path}?{query}") for path in ("events", "jobs", "jobs/1/logs", "page/update")]
    for method, target in asked:
        answer = http.request(method, httpx.URL(f"http://127.0.0.1:8321{target}"), headers=JSON)
        assert is_answered(answer), (method, target[:80])


quoted = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: "".join(f"%{c:02X}" for c in text.encode())),
    st.sampled_from(("%00", "a%00b", "%ff%fe", "%ED%A0%80", "..%2F..", "x" * 3000, "%2500", "-1", "1e9", "0", "")),
)
numbers = st.sampled_from(("9" * 5000, "-" + "9" * 40, str(2**63), str(2**31), "nan", "inf", "-inf", "1e400", "0x10"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"entrypoint": "a\\ud800"}', "U+D800"),
        (b'{"entrypoint": "a\\u0000"}', "U+0000"),
        (b'{"entrypoint": "x", "env": {"A\\u0000": "1"}}', "U+0000"),
        (b'{"entrypoint": "x", "max_runtime": NaN}', "NaN is no number"),
        (b'{"entrypoint": "x", "max_runtime": -Infinity}', "-Infinity is no number"),
        (b'{"entrypoint": "x", "max_runtime": 1e999}', "too large a number"),
        (b'{"entrypoint": "x", "workers": 90071992547409930}', "too large a number"),
        (b'{"entrypoint": "\xff"}', "error parsing the body"),
        (b'{"entrypoint": "x", "env": ' + b"[" * 4000 + b"]" * 4000 + b"}", "error parsing the body"),
        (b'{"entrypoint": "x", "env": ' + b"[" * 60 + b"]" * 60 + b"}", "nested too deeply"),
    ],
)
def test_what_nothing_can_carry_is_named(world: Any, body: bytes, words: str) -> None:
    answer = world.http().post("/api/v1/jobs", content=body, headers=JSON)
    assert answer.status_code in {400, 422}
    assert words in answer.json()["error"]["message"]


def test_honest_text_of_every_script_goes_through(world: Any) -> None:
    env = {"GREETING": "grüß 你好 🎉\tand\na line", "MODEL": "x" * 30_000}
    answer = world.http().post("/api/v1/jobs", json={"entrypoint": "echo 'naïve'\nexit 0", "env": env})
    assert answer.status_code == 201
    assert dict(world.store.job(answer.json()["item"]["id"]).spec.env) == env


@pytest.mark.parametrize("order", [{"reason": "a\ud800"}, {"reason": "\0"}, {"reason": 3}, [], "x", None])
@pytest.mark.parametrize("path", ["/api/v1/jobs/401/hold", "/api/v1/hosts/ml-serve1012/cordon"])
def test_orders_are_read_as_carefully_as_jobs(world: Any, path: str, order: object) -> None:
    answer = world.http().post(path, content=json.dumps(order).encode(), headers=JSON)
    assert answer.status_code == (200 if order is None else 422)


def test_a_package_is_no_json_whatever_its_head_says(world: Any) -> None:
    put: Callable[..., httpx.Response] = world.http().put
    answer = put(f"/api/v1/packages/sha256:{'0' * 64}", content=b"[" * 9000, headers=JSON)
    assert answer.status_code == 422
    assert "digest" in answer.json()["error"]["message"]
