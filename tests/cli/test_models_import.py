"""`headroom models import`: what it prints is what `cluster.yaml` takes, and what it leaves out is said."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scheduler.config.loading import load_config

Headroom = Callable[..., Any]

HEAD = 'cluster: c\nbackend: {kind: ray, address: "127.0.0.1:1", dashboard: "http://127.0.0.1:1"}\n'
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


@pytest.mark.parametrize("flags", [[], ["-f", "nowhere.yaml"], ["-f", "objects.yaml", "--warm-up", "soon"]])
def test_a_line_that_cannot_be_carried_out_is_refused(flags: list[str], headroom: Headroom) -> None:
    shown = headroom("models", "import", *flags)
    assert (shown.code, shown.out) == (2, "")
    assert "help: " in shown.err
