"""A real `headroom run` in a process of its own, on a local Ray that outlives it when it is killed."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.backends.ray.local import LocalAddress, LocalHostSpec, LocalRay, read_address
from scheduler.client import Client
from scheduler.model.errors import Unreachable

CLUSTER = """
cluster: integration
backend:
  kind: local
  hosts:
    - {name: gpu-a, cpus: 8, memory: 16Gi, gpus: 4, gpu_model: Tester}
    - {name: cpu-a, cpus: 8, memory: 16Gi}
control: {period: 500ms, preemption_grace: 30s}
policy: {min_runtime: 0s}
"""

SERVING = """
cluster: serving
backend: {backend}
control: {{period: 500ms, preemption_grace: 30s}}
replay: {{start: "2026-01-01T12:00:00Z", speed: 1}}
traffic:
  wiki: {{kind: replay, file: {folder}/wiki.csv, timestamp: at, value: rps}}
models:
  - name: tone
    resources: {{cpus: 1, memory: 1Gi, gpus: 1}}
    capacity: {{kind: rate, rps_per_replica: 10}}
    max_replicas: 1
    warm_up: 20s
    traffic: wiki
    application: {{import_path: "scheduler.demo.serving:build", args: {{service_time_s: 0.1, concurrency: 1}}}}
"""
"""A model and room for jobs; what is left open is where."""
ONE_HOST = [LocalHostSpec("gpu-a", cpus=8, memory_mib=16384, gpus=4, gpu_model="Tester")]

FASTER = """
replay: {start: "2026-01-01T00:00:00Z", speed: 120}
"""
"""A day in twelve minutes, so that what takes half an hour by policy takes seconds."""

JOB = """
import json, os, pathlib, sys, time

folder = pathlib.Path(os.environ["HEADROOM_CHECKPOINT_DIR"])
with (folder / "starts").open("a") as starts:
    starts.write(os.environ["HEADROOM_ATTEMPT"] + "\\n")
with (folder / "sizes").open("a") as sizes:
    sizes.write(os.environ["HEADROOM_WORKERS"] + "\\n")
marker = folder / "headroom.json"
step = json.loads(marker.read_text())["step"] if marker.exists() else 0
while step < int(sys.argv[1]):
    time.sleep(0.2)
    step += 1
    (folder / "new").write_text(json.dumps({"step": step, "total_steps": int(sys.argv[1])}))
    (folder / "new").replace(marker)
print("done at", step)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Plane:
    """Starts, kills and starts again one control plane."""

    def __init__(self, folder: Path, cluster: str = CLUSTER) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self._config = folder / "cluster.yaml"
        self._config.write_text(cluster)
        self.port, self.router_port = free_port(), free_port()
        self.job_dir = folder / "job"
        self.job_dir.mkdir()
        (self.job_dir / "job.py").write_text(JOB)
        self.client = Client(f"http://127.0.0.1:{self.port}")
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "scheduler.cli", "run", "-c", str(self._config)]
        command += [
            "--state-dir",
            str(self.state_dir),
            "--port",
            str(self.port),
            "--router-port",
            str(self.router_port),
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            self.until(lambda: self.client.status().state == "live", 90.0)

    @property
    def owner(self) -> str:
        """Return the identity of its store."""
        with contextlib.closing(sqlite3.connect(self.state_dir / "headroom.db")) as store:
            return str(store.execute("SELECT owner FROM identity").fetchone()[0])

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop, as an operator does, and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60.0)

    def submit(self, name: str, steps: int, **fields: object) -> str:
        return self.client.submit(
            name=name, entrypoint=f"{sys.executable} job.py {steps}", working_dir=self.job_dir, **fields
        ).id

    def state(self, job_id: str) -> str:
        return self.client.job(job_id).state

    def starts(self, job_id: str) -> list[str]:
        """Return the numbers of the attempts whose process really ran, in order."""
        return self._noted(job_id, "starts")

    def sizes(self, job_id: str) -> list[str]:
        """Return the numbers of workers that its processes were told, in order."""
        return self._noted(job_id, "sizes")

    def _noted(self, job_id: str, name: str) -> list[str]:
        file = self.state_dir / "checkpoints" / job_id / name
        return file.read_text().split() if file.exists() else []

    def until(self, done: Callable[[], bool], wall_s: float = 60.0) -> None:
        deadline = time.monotonic() + wall_s
        while time.monotonic() < deadline:
            try:
                if done():
                    return
            except Unreachable:
                pass
            time.sleep(0.1)
        pytest.fail(f"not so within {wall_s} s; the control plane said:\n{self._log.read_text()[-3000:]}")

    def clean_up(self) -> None:
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60.0)
        hosts = [LocalHostSpec("gpu-a"), LocalHostSpec("cpu-a")]
        LocalRay(hosts, self.state_dir).stop()
        assert read_address(self.state_dir) is None


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A control plane that is up."""
    one = Plane(tmp_path_factory.mktemp("plane"))
    try:
        one.start()
        yield one
    finally:
        one.clean_up()


@pytest.fixture
def fast_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """One that is up, on a clock that goes 120 times as fast."""
    faster = CLUSTER.replace("500ms", "1m").replace("30s", "1h") + FASTER
    one = Plane(tmp_path_factory.mktemp("plane"), faster)
    try:
        one.start()
        yield one
    finally:
        one.clean_up()


@pytest.fixture
def build_plane(tmp_path: Path) -> Iterator[Callable[[str], Plane]]:
    """Build control planes that serve a model on the backend given, not started."""
    built: list[Plane] = []
    hours = "".join(f"2026-01-01T{hour:02}:00:00Z,5\n" for hour in range(24))
    (tmp_path / "wiki.csv").write_text(f"at,rps\n{hours}")

    def build(backend: str) -> Plane:
        folder = tmp_path / f"plane-{len(built)}"
        folder.mkdir()
        built.append(Plane(folder, SERVING.format(backend=backend, folder=tmp_path)))
        return built[-1]

    yield build
    for plane in built:
        plane.clean_up()


@pytest.fixture
def others_ray(tmp_path: Path) -> Iterator[tuple[LocalRay, LocalAddress]]:
    """A Ray that no control plane of ours has started."""
    ray = LocalRay(ONE_HOST, tmp_path / "ray", leashed=True)
    yield ray, ray.start()
    ray.stop()


def backend_at(address: LocalAddress) -> str:
    """Return the section of a configuration for a cluster at an address."""
    return f'{{kind: ray, address: "{address.address}", dashboard: "{address.dashboard_url}"}}'


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADROOM_URL", raising=False)
    monkeypatch.setenv("PYTHONUNBUFFERED", os.environ.get("PYTHONUNBUFFERED", "1"))
