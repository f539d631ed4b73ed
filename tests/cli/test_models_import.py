"""`headroom models import`: what it prints is what `cluster.yaml` takes, and what it leaves out is said."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from scheduler.config.loading import load_config

Headroom = Callable[..., Any]

HEAD = "cluster: c\nbackend: {kind: kubernetes}\n"
SERVICE: dict[str, Any] = {
    "apiVersion": "serving.kserve.io/v1beta1",
    "kind": "InferenceService",
    "metadata": {"name": "tone", "namespace": "edit"},
    "spec": {"predictor": {"maxReplicas": 3, "model": {"resources": {"requests": {"cpu": "1500m", "memory": "2Gi"}}}}},
}


def service(name: str, namespace: str = "edit", **annotations: str) -> dict[str, Any]:
    return {**SERVICE, "metadata": {"name": name, "namespace": namespace, "annotations": annotations}}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("objects.yaml").write_text(yaml.safe_dump({"kind": "List", "items": [SERVICE, service("check")]}))


class Api:
    """A server that has services, one a page, and does not know other kinds."""

    def __init__(self) -> None:
        self.pages: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.forbidden = "nothing"

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        self.asked.append(parts.path)
        if self.forbidden in parts.path:
            return 403, {"message": "may not list", "reason": "Forbidden"}
        if parts.path not in self.pages:
            return 404, {"message": "no such kind"}
        at = int(parse_qs(parts.query).get("continue", ["0"])[0])
        further = {"continue": str(at + 1)} if at + 1 < len(self.pages[parts.path]) else {}
        items = self.pages[parts.path][at : at + 1]
        return 200, {"kind": "InferenceServiceList", "metadata": further, "items": items}


@pytest.fixture
def api() -> Iterator[Api]:
    served = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = served.answer(self.path)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {}}]
        config = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "x"}
        Path("config").write_text(yaml.safe_dump(config))
        yield served
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("preset", ["istio", "knative", "kserve"])
def test_cluster_yaml_takes_what_it_prints(preset: str, headroom: Headroom) -> None:
    shown = headroom("models", "import", "-f", "objects.yaml", "-o", "yaml", "--preset", preset, "--rps", "4")
    Path("cluster.yaml").write_text(HEAD + shown.out)
    config = load_config(Path("cluster.yaml"))
    assert [(model.name, model.owner, model.max_replicas) for model in config.models] == [
        ("check", "edit", 3),
        ("tone", "edit", 3),
    ]
    assert {model.resources.cpus for model in config.models} == {1.5}
    assert {model.capacity.model_dump()["rps_per_replica"] for model in config.models} == {4.0}
    source = config.traffic["tone"].model_dump()
    assert (source["preset"], source["namespace"]) == (preset, "edit")
    assert source["service"] == ("tone" if preset == "kserve" else "tone-predictor")


def test_what_was_assumed_stands_beside_the_model(headroom: Headroom) -> None:
    shown = headroom("models", "import", "-f", "objects.yaml", "-o", "yaml")
    assert "  # rps_per_replica 10 is assumed: it has no target of requests\n" in shown.out
    assert "warm_up 1m is assumed" in headroom("models", "import", "-f", "objects.yaml").out


def test_a_program_gets_the_same(headroom: Headroom) -> None:
    found = json.loads(headroom("models", "import", "-f", "objects.yaml", "-o", "json").out)
    assert [model["name"] for model in found["models"]] == ["check", "tone"]
    assert found["traffic"]["check"]["service"] == "check-predictor"
    assert found["leftOut"] == []
    assert headroom("models", "import", "-f", "objects.yaml", "-o", "name").out == "check\ntone\n"


def test_a_pipe_is_read_like_a_file(headroom: Headroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{json.dumps(SERVICE)}\n---\n{json.dumps(service('check'))}"))
    assert headroom("models", "import", "-f", "-", "-o", "name").out == "check\ntone\n"


def test_what_is_left_out_is_said_with_the_reason(headroom: Headroom) -> None:
    odd = service("odd", **{"headroom/warm-up": "soon"})
    Path("odd.yaml").write_text(yaml.safe_dump_all([odd, {"kind": "LLMInferenceService", "metadata": {"name": "llm"}}]))
    shown = headroom("models", "import", "-f", "odd.yaml")
    assert shown.code == 0
    assert shown.err.splitlines() == [
        "0 models, 2 left out",
        "LLMInferenceService default/llm: models are not made of LLMInferenceService; its pods count as other work",
        'InferenceService edit/odd: warm_up "soon" is not a duration',
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "is not YAML"), ("- 1\n", "something else than objects"), ("", "something else than objects")],
)
def test_a_file_that_has_no_objects_is_refused(text: str, said: str, headroom: Headroom) -> None:
    Path("bad.yaml").write_text(text)
    shown = headroom("models", "import", "-f", "bad.yaml")
    assert (shown.code, shown.out) == (2, "")
    assert said in shown.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--kubeconfig", "nowhere.yaml"],
        ["-f", "nowhere.yaml"],
        ["-f", "objects.yaml", "-n", "edit"],
        ["-f", "objects.yaml", "--warm-up", "soon"],
    ],
)
def test_a_line_that_cannot_be_carried_out_is_refused(flags: list[str], headroom: Headroom) -> None:
    shown = headroom("models", "import", *flags)
    assert (shown.code, shown.out) == (2, "")
    assert "help: " in shown.err


def test_a_cluster_is_asked_when_no_file_is_given(headroom: Headroom, api: Any) -> None:
    api.pages["/apis/serving.kserve.io/v1beta1/namespaces/edit/inferenceservices"] = [SERVICE, service("check")]
    assert headroom("models", "import", "-n", "edit", "--kubeconfig", "config", "-o", "name").out == "check\ntone\n"
    assert [path for path in api.asked if "namespaces/edit" not in path] == []
    assert api.asked.count("/apis/serving.kserve.io/v1beta1/namespaces/edit/inferenceservices") == 2, "two pages"
    shown = headroom("models", "import", "--kubeconfig", "config")
    assert (shown.code, shown.out.splitlines()[1:], shown.err) == (0, [], "0 models, 0 left out\n")


def test_what_may_not_be_read_is_said(headroom: Headroom, api: Any) -> None:
    api.forbidden = "inferenceservices"
    shown = headroom("models", "import", "--kubeconfig", "config")
    assert shown.code != 0
    assert "may not list" in shown.err
