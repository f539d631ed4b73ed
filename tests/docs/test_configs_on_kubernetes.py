"""`configs/kubernetes.yaml` does what its head says, by a kubeconfig as kubectl's, on the double of the API."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulations.kubernetes import manifests
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api, write_kubeconfig


def test_a_job_that_kubectl_applies_is_listed_and_started(newcomer: Any, tmp_path: Path) -> None:
    api = fresh_api()
    rest = Rest(client(api))
    rest.create(manifests.namespace("research"))
    for name in ("gpu-a", "gpu-b"):
        rest.create(manifests.node(name, cpu="16", memory="64Gi", devices={"amd.com/gpu": 4}))
    stage = Cast().stage(rest, lambda: datetime.now(UTC))
    stage.settle()
    stage.start()
    with Server(api) as server:
        newcomer.environment["KUBECONFIG"] = str(write_kubeconfig(tmp_path / "config", server.url))
        newcomer.runs("configs/kubernetes.yaml")
        labels = {"headroom/queue": "research"}
        made = manifests.ray_job("wikitext-lm", workers=2, labels=labels, devices={"amd.com/gpu": 2})
        made["metadata"]["namespace"] = "research"
        (newcomer.folder / "train.yaml").write_text(json.dumps(made), encoding="utf-8")
        assert newcomer.types("kubectl apply -f train.yaml").returncode == 0
        newcomer.waits(lambda: [job.state for job in newcomer.client.jobs().items] == ["Running"], 90.0)
        listed = newcomer.types("headroom list")
        assert "wikitext-lm" in listed.stdout, listed.stderr
        newcomer.leaves()
        stage.stop()
    assert not rest.get("/apis/ray.io/v1/namespaces/research/rayjobs/wikitext-lm")["spec"]["suspend"], "it goes on"
