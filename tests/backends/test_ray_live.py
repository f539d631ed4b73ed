"""What only a real Ray can show: where workers land, and what the router answers."""

import contextlib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.backends.ray.applications import ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.hosts import host_name
from scheduler.backends.ray.local import LocalAddress
from scheduler.control.clocks import WallClock
from scheduler.control.leadership import Fence, SoleLease
from scheduler.control.reports.board import RequestCounts
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, RunState
from scheduler.model.plan import StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ReplicaState, ServingModel

pytestmark = pytest.mark.ray

GANG = JobSpec(
    "gang", f"{sys.executable} {Path(__file__).parent / 'jobs' / 'gang.py'}", Gang(3, Shape(1000, 256, gpu_count=2))
)
MODELS = [ServingModel(name, Shape(cpu_milli=500, memory_mib=256)) for name in ("echo", "broken")]
APPLICATIONS = {
    "echo": ServeApplication("small_models:build", {"greeting": "hello"}, latency_objective_s=0.3),
    "broken": ServeApplication("small_models:build", {"greeting": "broken"}),
}


class Specs:
    """Every job is the gang."""

    def spec(self, job_id: JobId) -> JobSpec:
        """Return it under the job's id."""
        return replace(GANG, name=f"gang {job_id}")


@pytest.fixture
def cluster(local_ray: LocalAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """The session's Ray; what a test leaves running is its own to end."""
    cluster = RayCluster(
        local_ray.address,
        local_ray.dashboard_url,
        claimant=Claimant(SoleLease(Fence("0f6e5a38-0000-4000-8000-000000000000", 1))),
        specs=Specs(),
        clock=WallClock(),
        applications=APPLICATIONS,
        served=MODELS,
        state_dir=tmp_path_factory.getbasetemp() / "ray-state",
    )
    with contextlib.closing(cluster):
        yield cluster


def wait_until(cluster: RayCluster, holds: Callable[[Observation], object]) -> Observation:
    deadline_s = time.monotonic() + 150
    while not holds(seen := cluster.observe()):
        assert time.monotonic() < deadline_s, f"waited in vain; last seen: {seen}"
        time.sleep(0.1)
    return seen


def listens(url: str) -> bool:
    with contextlib.suppress(urllib.error.URLError):
        return ask(f"{url}/headroom/request-counts")[0] == 200
    return False


def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def test_workers_land_on_the_hosts_of_their_slots_in_rank_order(cluster: RayCluster) -> None:
    job_id = JobId("900001")
    cluster.apply(StartJob(job_id, 1, (Slot("gpu-b", (0, 1)), Slot("gpu-a", (0, 1)), Slot("gpu-b", (2, 3)))))
    run = wait_until(cluster, lambda seen: not seen.runs[0].state.holds_room).runs[0]
    job, hosts = (
        cluster._rest.job(cluster._names.run(job_id, 1)),
        {n["NodeID"]: host_name(n) for n in cluster._link.look()["nodes"]},
    )
    assert hosts[job["driver_node_id"]] == "gpu-b", "the driver sits with the first worker"
    assert run.state is RunState.SUCCEEDED, cluster.logs(job_id, 1)
    cluster.forget(job_id, 1)
    assert "workers on gpu-b:2 gpu-a:2 gpu-b:2" in cluster.logs(job_id, 1), "kept when forgotten"


def test_requests_are_answered_and_counted_and_a_broken_model_says_why(cluster: RayCluster) -> None:
    for action in (StartReplica("echo", Slot("cpu-a")), StartReplica("broken", Slot("gpu-a"))):
        cluster.apply(action)
    wait_until(cluster, lambda seen: any(r.state is ReplicaState.READY for r in seen.replicas))
    wait_until(cluster, lambda _: listens(cluster.router_url))
    url, before = f"{cluster.router_url}/models", cluster.request_counts().get("echo", RequestCounts())

    status, body = ask(f"{url}/echo/v1/predict?x=1", b"some text")
    assert (status, json.loads(body)) == (
        200,
        {"greeting": "hello", "method": "POST", "path": "v1/predict", "body": "some text"},
    )
    assert ask(f"{url}/echo?text") == (200, b"plain")
    assert ask(f"{url}/echo?bytes") == (200, b"\0\1")
    assert ask(f"{url}/echo?slow")[0] == 200
    status, body = ask(f"{url}/echo?fail")
    assert (status, body) == (500, b"echo failed: ValueError: cannot divide by zero\n")
    assert ask(f"{url}/nothing/v1")[0] == 404
    assert ask(f"{url}/broken")[0] == 503

    now = cluster.request_counts()
    assert (now["echo"].total - before.total, now["echo"].failed - before.failed) == (5, 1)
    assert now["echo"].late - before.late >= 1, "0.4 s where 0.3 s were promised"
    assert now["broken"].failed >= 1
    seen = wait_until(cluster, lambda seen: seen.faults)
    assert any("broken@gpu-a" in fault and "weights are missing" in fault for fault in seen.faults)

    for replica in seen.replicas:
        cluster.apply(StopReplica(replica.replica_id, replica.model, replica.slot))
    wait_until(cluster, lambda seen: not seen.replicas)
