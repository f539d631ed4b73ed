"""The README's way to a cluster that Headroom did not start: labelled hosts of Ray, one file, replicas that answer."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import yaml

from tests.leftovers import descendants

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
HOST = "ml-serve1013"


def blocks() -> list[str]:
    """Return the YAML blocks of the README."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def written(newcomer: Any, gcs: int, dashboard: int) -> Path:
    """Write the README's cluster.yaml with its model, for a Ray on this machine and without its database and tokens."""
    cluster = yaml.safe_load(next(text for text in blocks() if text.startswith("# cluster.yaml")))
    models = yaml.safe_load(next(text for text in blocks() if text.startswith("models:")))["models"]
    assert cluster["backend"]["kind"] == "ray"
    cluster["backend"] |= {"address": f"127.0.0.1:{gcs}", "dashboard": f"http://127.0.0.1:{dashboard}"}
    del cluster["store"], cluster["api"]
    cluster["models"] = models
    path = newcomer.folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(cluster), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def short_folder() -> Iterator[str]:
    """A folder for Ray's sockets, whose paths end at 107 characters."""
    with TemporaryDirectory(prefix="r", dir="/tmp", ignore_cleanup_errors=True) as folder:  # short
        yield folder


@pytest.fixture(scope="module")
def site(newcomer: Any, free_ports: Any, short_folder: str) -> Iterator[Any]:
    """A Ray started by hand with the README's labels, and a control plane beside it."""
    gcs, dashboard, agent, grpc, metrics, runtime, client = free_ports(7)
    labels = re.search(r'--labels="([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert labels is not None
    assert f"host={HOST}" in labels[1]
    newcomer.environment |= {"RAY_TMPDIR": short_folder, "RAY_AUTH_MODE": "disabled"}
    newcomer.environment |= {"PATH": f"{Path(sys.executable).parent}:{newcomer.environment['PATH']}"}
    newcomer.starts(
        f"ray start --head --block --disable-usage-stats --node-ip-address=127.0.0.1 --port={gcs}"
        f" --dashboard-host=127.0.0.1 --dashboard-port={dashboard} --dashboard-agent-listen-port={agent}"
        f" --dashboard-agent-grpc-port={grpc} --metrics-export-port={metrics} --runtime-env-agent-port={runtime}"
        f" --ray-client-server-port={client} --num-cpus=32 --num-gpus=4 --memory=68719476736"
        f" --object-store-memory=100000000 --labels={labels[1]}"
    )
    ray = newcomer.running[-1]
    newcomer.waits(lambda: _answers(f"http://127.0.0.1:{dashboard}/api/version"), 120.0)
    newcomer.runs(written(newcomer, gcs, dashboard))
    yield newcomer
    newcomer.leaves(ray)
    its_own = descendants(ray.pid)  # told to end, `ray start --block` waits half a minute for them
    ray.kill()
    ray.wait()
    for process in its_own:
        with contextlib.suppress(ProcessLookupError):  # one takes others with it
            os.kill(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.HTTPError:
        return False


def test_its_host_reports_under_its_own_name_with_its_devices(site: Any) -> None:
    (host,) = site.client.hosts().items
    assert (host.name, host.gpu_model, len(host.devices)) == (HOST, "MI300X", 4)


def test_the_model_of_the_readme_is_served_though_its_prometheus_does_not_answer(site: Any) -> None:
    site.waits(lambda: all(model.ready >= 1 for model in site.client.models().items), 150.0)
    (model,) = site.client.models().items
    port = re.search(r"--router-port (\d+)", " ".join(site.running[-1].args))
    assert port is not None
    answer = httpx.post(f"http://127.0.0.1:{port[1]}/models/{model.name}/", json={"rev_id": 1}, timeout=30.0)
    assert 0 < answer.json()["score"] < 1


def test_a_job_of_the_examples_is_done_there(site: Any) -> None:
    said = site.types("headroom submit configs/jobs/share-of-a-gpu.yaml --wait", wall_s=200.0)
    assert said.returncode == 0, said.stdout + said.stderr
