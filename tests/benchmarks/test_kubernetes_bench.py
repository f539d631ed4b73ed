"""`headroom bench kubernetes` on a small cluster: every gang is let in, and all is counted."""

import json

import pytest

from benchmarks.kubernetes.measure import percentiles
from benchmarks.kubernetes.site import POD_BYTES, SPACE, Size, fill
from scheduler.cli.main import run
from simulations.kubernetes.api import Api
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client


def test_the_cluster_has_what_its_size_says() -> None:
    api = Api()
    fill(api, Size(nodes=3, pods=7, gangs=2, workers=2))
    rest = Rest(client(api))
    pods = rest.list(f"/api/v1/namespaces/{SPACE}/pods", fieldSelector="status.phase=Running")
    assert len(pods) == 8  # seven, and the one they were copied from
    assert len({each["metadata"]["uid"] for each in pods}) == 8
    assert POD_BYTES - 400 < len(json.dumps(pods[0])) < POD_BYTES + 400
    assert len(rest.list("/api/v1/nodes")) == 5
    assert all(each["spec"]["suspend"] for each in rest.list(f"/apis/batch/v1/namespaces/{SPACE}/jobs"))


def test_every_pod_is_let_in_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--nodes", "5", "--pods", "20", "--gangs", "2", "--workers", "2", "--events", "50", "--json"]
    assert run(["bench", "kubernetes", *words]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["patched_ms"]) == found["expected"] == 4
    assert all(value > 0 for value in found["patched_ms"])
    assert len(found["observed_ms"]) == 2
    assert 0 < found["events_per_s"] <= 55


def test_percentiles_are_of_the_values_themselves() -> None:
    assert percentiles((5.0,)) == (5.0, 5.0, 5.0)
    assert percentiles(tuple(float(value) for value in range(1, 102))) == (51.0, 100.0, 101.0)
