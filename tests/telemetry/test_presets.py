"""Queries by name, evaluated by Prometheus itself: each request once, and only those of the service."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from scheduler.cli.traffic_sources import sources_of
from scheduler.config.schema import Config, PrometheusTraffic
from scheduler.telemetry.counters import is_rated
from scheduler.telemetry.presets import PRESETS, query_of

ISTIO = 'istio_requests_total{reporter="%s",destination_service_namespace="%s",destination_service_name="%s"%s}'
NEW = (
    "kn_serving_invocation_duration_seconds_count"
    '{k8s_namespace_name="edit",kn_configuration_name="%s",k8s_pod_name="%s"}'
)
OLD = 'revision_app_request_count{namespace_name="edit",configuration_name="check-predictor",pod_name="p"}'
KSERVE = 'request_predict_seconds_count{namespace="%s",model_name="%s",pod="%s"}'
SERIES = {
    "istio": {
        ISTIO % ("source", "edit", "check-predictor-00001", ""): 60,
        ISTIO % ("source", "edit", "check-predictor-00002-private", ',response_code="500"'): 30,
        ISTIO % ("destination", "edit", "check-predictor-00001", ""): 60,  # the same requests, seen again
        ISTIO % ("source", "edit", "check-predictor-grpc", ""): 600,
        ISTIO % ("source", "other", "check-predictor", ""): 600,
    },
    "knative": {NEW % ("check-predictor", "a"): 60, OLD: 30, NEW % ("tone-predictor", "c"): 600},
    "kserve": {
        KSERVE % ("edit", "check", "a"): 60,
        KSERVE % ("edit", "check", "b"): 30,
        KSERVE % ("other", "check", "c"): 600,
    },
}
"""Series and the requests a minute that each grows by; those of 600 are somebody else's."""
SERVICE = {"istio": "check-predictor", "knative": "check-predictor", "kserve": "check"}


def asked_of_prometheus(folder: Path, query: str, series: dict[str, int]) -> "subprocess.CompletedProcess[str]":
    """Let Prometheus say whether a query yields 1.5 requests per second of such series after ten minutes."""
    inputs = [{"series": name, "values": f"0+{grows}x10"} for name, grows in series.items()]
    expected = [{"expr": query, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1.5}]}]
    test = {"tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": expected}]}
    (folder / "test.json").write_text(json.dumps(test))  # JSON is YAML
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs the program promtool")
    command = [promtool, "test", "rules", str(folder / "test.json")]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_counts_each_request_of_its_service_once(preset: str, tmp_path: Path) -> None:
    query = query_of(preset, "edit", SERVICE[preset])
    tested = asked_of_prometheus(tmp_path, query, SERIES[preset])
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert is_rated(query)


@pytest.mark.parametrize("preset", PRESETS)
def test_what_belongs_to_others_would_be_seen(preset: str, tmp_path: Path) -> None:
    others = {
        name.replace("other", "edit").replace("-grpc", "").replace("tone", "check"): grows
        for name, grows in SERIES[preset].items()
    }
    assert asked_of_prometheus(tmp_path, query_of(preset, "edit", SERVICE[preset]), others).returncode != 0


def test_every_preset_that_may_be_written_is_there() -> None:
    field = PrometheusTraffic.model_fields["preset"]
    assert {name for name in get_args(field.annotation) if name} == set(PRESETS)


def test_a_preset_of_the_configuration_is_the_query_that_is_asked() -> None:
    traffic = {"kind": "prometheus", "url": "http://127.0.0.1:1", "preset": "knative", "namespace": "a", "service": "b"}
    backend = {"kind": "local", "hosts": [{"name": "h"}]}
    config = Config.model_validate({"cluster": "c", "backend": backend, "traffic": {"t": traffic}})
    source = sources_of(config)["t"]
    assert getattr(source, "_query") == query_of("knative", "a", "b")  # noqa: B009  # no part of its interface
