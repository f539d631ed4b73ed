"""The local cluster: comes up whole, survives its owner when it should, and leaves nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from scheduler.backends.ray import local, machine, processes
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.liveness import answers
from scheduler.backends.ray.local import LOG_FILE, LocalAddress, LocalHostSpec, LocalRay, read_address
from scheduler.control.clocks import WallClock
from scheduler.control.leadership import Fence, SoleLease
from scheduler.model.errors import ConfigError, Unreachable
from scheduler.model.hosts import HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, RunState
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId

HOSTS = [LocalHostSpec("left", cpus=2, gpus=2, gpu_model="X"), LocalHostSpec("right", cpus=2, gpus=2, gpu_model="X")]
OWNER = """
import sys, time
from pathlib import Path
from scheduler.backends.ray.local import LocalHostSpec, LocalRay
LocalRay([LocalHostSpec("left", cpus=2)], Path(sys.argv[1]), leashed=True).start()
print("up", flush=True)
time.sleep(600)
"""


class SleepySpecs:
    """Every job sleeps on both hosts."""

    def spec(self, job_id: JobId) -> JobSpec:
        """Return the job."""
        return JobSpec(f"job {job_id}", "sleep 600", Gang(2, Shape(cpu_milli=1000, gpu_count=1)))


def cluster_of(address: LocalAddress, state_dir: Path) -> RayCluster:
    return RayCluster(
        address.address,
        address.dashboard_url,
        claimant=Claimant(SoleLease(Fence("0f6e5a38-0000-4000-8000-000000000000", 1))),
        specs=SleepySpecs(),
        clock=WallClock(),
        applications={},
        served=[],
        state_dir=state_dir,
    )


def wait_until(cluster: RayCluster, holds: Callable[[Observation], object]) -> Observation:
    deadline_s = time.monotonic() + 120
    while not holds(seen := cluster.observe()):
        assert time.monotonic() < deadline_s, f"waited in vain; last seen: {seen}"
        time.sleep(0.2)
    return seen


@pytest.fixture
def free_ray(tmp_path: Path) -> Iterator[LocalRay]:
    """A cluster that outlives its owner; ended with the test."""
    ray = LocalRay(HOSTS, tmp_path)
    yield ray
    ray.stop()


@pytest.mark.ray
def test_a_life_with_a_lost_host_and_a_lost_head(free_ray: LocalRay, tmp_path: Path) -> None:
    """One story, because a cluster takes long to start and this one is broken in the end."""
    address = free_ray.start()
    assert LocalRay(HOSTS, tmp_path).start() == address, "a restarted control plane takes over what runs"
    with contextlib.closing(cluster_of(address, tmp_path)) as cluster:
        cluster.observe()
        cluster.apply(StartJob(JobId("1"), 1, (Slot("left", (0,)), Slot("right", (1,)))))
        wait_until(cluster, lambda seen: seen.runs[0].state is RunState.RUNNING)

        os.kill(address.raylet_pids[1], signal.SIGKILL)
        seen = wait_until(cluster, lambda seen: seen.hosts[1].state is HostState.LOST)
        assert [(host.name, host.state) for host in seen.hosts] == [
            ("left", HostState.READY),
            ("right", HostState.LOST),
        ]
        assert len(seen.hosts[1].devices) == 2, "a lost host is still known by its size"
        lost = wait_until(cluster, lambda seen: not seen.runs[0].state.holds_room).runs[0]
        assert lost.state is RunState.LOST
        cluster.forget(JobId("1"), 1)
        assert cluster.observe().runs == ()

    with contextlib.closing(cluster_of(address, tmp_path)) as cluster:
        assert cluster.observe().hosts[1].state is HostState.LOST, "also by a control plane that never saw it alive"
        free_ray_processes = processes.marked(address.token)
        os.kill(gcs_of(free_ray_processes), signal.SIGKILL)
        with pytest.raises(Unreachable, match="does not answer"):
            wait_until(cluster, lambda _: False)

    before = processes.family(address.token, address.pid)
    anew = free_ray.start()
    assert anew.token != address.token, "a control plane that comes after finds it dead, and does not wait for it"
    assert answers(anew)
    assert not any(process.is_alive for process in before), "nothing of the dead one is left beside the new one"
    whole = processes.family(anew.token, anew.pid)
    free_ray.stop()
    assert not any(process.is_alive for process in whole)
    assert processes.family(anew.token, anew.pid) == frozenset()
    assert not processes.scratch(anew.token).exists()
    assert read_address(tmp_path) is None


def test_a_port_that_is_taken_meanwhile_is_not_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A port was free when it was chosen, and another program was quicker than Ray."""
    comes_up = LocalAddress("127.0.0.10:1", "http://127.0.0.1:2", os.getpid(), "t", tuple(HOSTS), ())
    begun: list[str] = []

    def spawn(_order: object, token: str, log: Path, *, leashed: bool) -> subprocess.Popen[bytes]:
        assert not leashed
        begun.append(token)
        log.write_text("Failed to find a valid port for dashboard after 0 retries\n", encoding="utf-8")
        if len(begun) == 2:
            local.write_address(tmp_path, comes_up)
            return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.PIPE)
        return subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE)

    monkeypatch.setattr(local, "_spawn", spawn)
    monkeypatch.setattr(local, "_end", ended)
    ray = LocalRay(HOSTS, tmp_path)
    try:
        assert ray.start() == comes_up
        assert len(set(begun)) == 2
    finally:
        ray.stop()


def ended(pid: int, _token: str) -> frozenset[processes.Process]:
    """End what stands in for a cluster."""
    with contextlib.suppress(ProcessLookupError):
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    return frozenset()


def cmdline(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    return b""


def gcs_of(pids: tuple[int, ...]) -> int:
    return next(pid for pid in pids if b"gcs_server" in cmdline(pid))


@pytest.mark.ray
def test_a_start_that_is_interrupted_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = LocalRay(HOSTS, tmp_path)

    def interrupted(_: object) -> LocalAddress:
        while not any(b"gcs_server" in cmdline(pid) for pid in processes.marked(ray._token)):
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(ray, "_wait_until_up", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ray.start()
    assert processes.marked(ray._token) == ()
    assert not processes.scratch(ray._token).exists()


@pytest.mark.ray
def test_a_leashed_cluster_goes_when_its_owner_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout.readline() == b"up\n"
        address = read_address(tmp_path)
        whole = processes.family(address.token, address.pid)
        owner.kill()
    assert processes.wait_gone(address.pid, 30.0)
    assert not any(process.is_alive for process in whole)


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} is taken"):
            LocalRay(HOSTS, tmp_path, dashboard_port=port).start()
    assert not (tmp_path / LOG_FILE).exists()


def test_too_little_memory_is_named_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mib", lambda: 600)
    with pytest.raises(ConfigError, match="2 hosts need 1200 MiB of memory, 600 MiB are free"):
        LocalRay(HOSTS, tmp_path).start()


def test_a_cluster_that_does_not_come_up_leaves_nothing_and_says_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "__init__.py").write_text("raise SystemExit('no ray today')", encoding="utf-8")
    with pytest.raises(Unreachable, match="no ray today"):
        LocalRay(HOSTS, tmp_path).start()
    assert read_address(tmp_path) is None


def test_stopping_where_nothing_runs_is_fine(tmp_path: Path) -> None:
    LocalRay(HOSTS, tmp_path).stop()
    assert read_address(tmp_path) is None


def test_the_dashboard_of_a_broken_address_is_unreachable(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{machine.free_ports(1)[0]}"
    address = LocalAddress(nowhere, f"http://{nowhere}", 0, "", (), ())
    with contextlib.closing(cluster_of(address, tmp_path)) as cluster, pytest.raises(Unreachable):
        cluster._rest.jobs()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://{nowhere}", trust_env=False)
