"""Models are swapped on real Ray under load: no request fails, whatever is deployed, whoever dies meanwhile."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.integration.conftest import Plane

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1500)]
SWAPS: Final = int(os.environ.get("HEADROOM_SWAPS", "5"))
"""How often the model is swapped, the broken ones not counted."""
CLUSTER: Final = """
cluster: swaps
backend:
  kind: local
  hosts: [{{name: gpu-a, cpus: 8, memory: 16Gi, gpus: 2, gpu_model: Tester}}]
control: {{period: 500ms, preemption_grace: 20s}}
policy: {{min_runtime: 0s}}
replay: {{start: "2026-01-01T12:00:00Z", speed: 1}}
traffic:
  wiki: {{kind: replay, file: {folder}/wiki.csv, timestamp: at, value: rps}}
"""
MODEL: Final = """
name: tone
owner: editing
resources: {{cpus: 1, memory: 1Gi, gpus: 1}}
capacity: {{kind: rate, rps_per_replica: 30}}
max_replicas: 1
warm_up: 20s
traffic: wiki
application: {{import_path: "revisions:build", args: {{version: "{version}"}}}}
rollout: {{steps: [0.5], step_time: 2s, step_requests: 10, patience: 20s}}
"""
JOB: Final = {"workers": 1, "gpus": 1, "priority": "low", "grace": "2s", "checkpoint_interval": "1s"}


SERVED: Final = Path(__file__).parent.parent / "backends" / "served"


@pytest.fixture
def plane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plane]:
    """A control plane without a model in its file, on one host with two devices."""
    hours = "".join(f"2026-01-01T{hour:02}:00:00Z,5\n" for hour in range(24))
    (tmp_path / "wiki.csv").write_text(f"at,rps\n{hours}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SERVED), os.environ.get("PYTHONPATH", "")]))
    one = Plane(tmp_path, CLUSTER.format(folder=tmp_path))
    try:
        one.start()
        yield one
    finally:
        one.clean_up()


class Load:
    """Requests one after the other, and what became of them."""

    def __init__(self, url: str) -> None:
        self.url, self.failed, self.versions = url, list[str](), list[str]()
        self.over = threading.Event()

    def is_answered(self) -> bool:
        """Whether the router is there by now, which comes up with the first model."""
        try:
            return httpx.post(self.url, content=b"x").is_success
        except httpx.ConnectError:
            return False

    def run(self) -> None:
        """Ask until it is over."""
        with httpx.Client(timeout=30.0) as client:
            while not self.over.is_set():
                answer = client.post(self.url, content=b"x")
                if answer.is_success:
                    self.versions.append(answer.json()["version"])
                else:
                    self.failed.append(f"{answer.status_code} {answer.text}")
                time.sleep(0.03)


@contextmanager
def under_load(plane: Plane) -> Iterator[Load]:
    load = Load(f"http://127.0.0.1:{plane.router_port}/models/tone/")
    plane.until(load.is_answered)
    threads = [threading.Thread(target=load.run, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join(30.0)


def deployed(plane: Plane, version: str) -> int:
    file = plane.folder / "tone.yaml"
    file.write_text(MODEL.format(version=version))
    return plane.client.deploy(file).item.revision


def phase(plane: Plane) -> str:
    return plane.client.model_history("tone").item.rollout.phase


def serves(plane: Plane, revision: int) -> bool:
    found = plane.client.model_history("tone").item
    return found.serving == revision and found.rollout.is_over


def test_swapped_again_and_again_no_request_fails(plane: Plane) -> None:
    deployed(plane, "v1")
    plane.until(lambda: serves(plane, 1), 120.0)
    job = plane.submit("fills", 10_000, **JOB)
    plane.until(lambda: plane.state(job) == "Running")
    kills = {1 + SWAPS // 4: "starting", 1 + SWAPS // 2: "trying", 1 + 3 * SWAPS // 4: "replacing"}
    with under_load(plane) as load:
        for swap in range(1, SWAPS + 1):
            revision = deployed(plane, f"v{swap + 1}")
            if swap in kills:
                plane.until(lambda at=kills[swap]: phase(plane) in {at, "replacing", "done"}, 120.0)
                plane.kill()
                time.sleep(1.0)
                plane.start()
            plane.until(lambda of=revision: serves(plane, of), 180.0)
        good = plane.client.model_history("tone").item.serving
        for broken, why in (("does-not-start", "do not start"), ("fails", "failed")):
            deployed(plane, broken)
            plane.until(lambda: phase(plane) == "rolled back", 120.0)
            assert why in plane.client.model_history("tone").item.rollout.reason
        plane.until(lambda: [m.ready for m in plane.client.models().items] == [1], 60.0)
        assert serves(plane, good)
    assert load.failed == []
    assert {"v1", f"v{SWAPS + 1}"} <= set(load.versions)
    assert "fails" not in load.versions
    preempted = [attempt for attempt in plane.client.job(job).attempts if attempt.outcome == "Preempted"]
    assert preempted, "the cluster was full: training made room for each swap"


def test_removed_it_leaves_its_room_and_its_history(plane: Plane) -> None:
    deployed(plane, "v1")
    plane.until(lambda: serves(plane, 1), 120.0)
    plane.client.remove_model("tone")
    plane.until(lambda: plane.client.model_history("tone").item.removed is not None, 60.0)
    plane.until(lambda: plane.client.models().items == (), 30.0)  # as of the last plan; the history is the store's
    job = plane.submit("both", 3, workers=2, gpus=1)
    plane.until(lambda: plane.state(job) == "Succeeded", 90.0)
    assert [one.number for one in plane.client.model_history("tone").item.revisions] == [1]
