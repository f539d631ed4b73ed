"""What is checked before a local cluster starts, and how its processes are found."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from scheduler.backends.ray import machine, processes
from scheduler.backends.ray.liveness import answers, is_dead
from scheduler.backends.ray.local import ADDRESS_FILE, LocalAddress, LocalHostSpec, read_address, write_address
from scheduler.backends.ray.stops import StopOrder, StopOrders
from scheduler.model.errors import ConfigError


def test_free_ports_differ_and_are_free() -> None:
    ports = machine.free_ports(20)
    assert len(set(ports)) == 20
    assert all(machine.is_free(port) for port in ports)


def test_a_port_in_use_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not machine.is_free(server.getsockname()[1])


def test_this_machine_has_some_memory_and_less_than_it_would_say_without_a_limit() -> None:
    assert 0 < machine.available_mib() < 1 << 30


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_mib", lambda: 100)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"100 MiB are free; port {port} is taken"):
            machine.check(3, port)


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    """A marked process that is deaf to SIGTERM, in a session of its own."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    environment = os.environ | {processes.MARK: "test-token"}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_marked_processes_are_found_and_ended_whatever_their_session(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGTERM)
    assert processes.marked("test-token") == (sleeper.pid,)
    assert processes.marked("other-token") == ()
    assert {process.pid for process in processes.family("test-token")} == {sleeper.pid}
    assert processes.end_family("test-token") == frozenset()
    assert sleeper.wait() == -signal.SIGKILL


DAEMON = """
import os, subprocess, sys
from pathlib import Path
from scheduler.backends.ray import processes
if sys.argv[1] == "reaper":
    processes.adopt_orphans()
folder = processes.scratch("kin-token")
folder.mkdir(exist_ok=True)
log = (folder / "agent.log").open("w")
nap = ["sleep", "600"]
blank = {"PATH": os.environ["PATH"]}
# As raylets do: a child that shows the mark, whose own children show nothing.
inner = "import os, subprocess, time; e = {'PATH': os.environ['PATH']}; "
inner += "kin = [subprocess.Popen(['sleep', '600'], env=e, start_new_session=True).pid]; print(*kin, flush=True); "
inner += "time.sleep(600)"
raylet = subprocess.Popen([sys.executable, "-c", inner], stdout=subprocess.PIPE, text=True)
of_raylet = raylet.stdout.readline().strip()
agent = subprocess.Popen(nap, env=blank, stdout=log)
print(raylet.pid, agent.pid, of_raylet, flush=True)
sys.stdin.read()
"""


@dataclass
class Kin:
    """A daemon with what it started: one that shows the mark, one that holds a log, one with a session of its own."""

    daemon: subprocess.Popen[str]
    raylet: int
    agent: int
    worker: int

    @property
    def all(self) -> set[int]:
        """Ids of all of them."""
        return {self.daemon.pid, self.raylet, self.agent, self.worker}


@pytest.fixture
def kin(request: pytest.FixtureRequest) -> Iterator[Kin]:
    environment = os.environ | {processes.MARK: "kin-token"}
    with subprocess.Popen(  # a program of this test
        [sys.executable, "-c", DAEMON, getattr(request, "param", "reaper")],
        env=environment,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as daemon:
        raylet, agent, worker = map(int, daemon.stdout.readline().split())
        yield Kin(daemon, raylet, agent, worker)
        for pid in (raylet, agent, worker, daemon.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(processes.scratch("kin-token"), ignore_errors=True)


def pids(found: Iterable[processes.Process]) -> set[int]:
    return {process.pid for process in found}


def test_what_shows_no_mark_is_found_by_its_ancestors(kin: Kin) -> None:
    assert set(processes.marked("kin-token")) == {kin.daemon.pid, kin.raylet}, "the others show nothing"
    assert pids(processes.family("kin-token", kin.daemon.pid)) == kin.all
    assert pids(processes.family("kin-token")) == kin.all


def test_what_was_found_before_its_ancestors_ended_is_ended_as_well(kin: Kin) -> None:
    known = processes.family("kin-token", kin.daemon.pid)
    for pid in (kin.daemon.pid, kin.raylet):
        os.kill(pid, signal.SIGKILL)
        processes.wait_gone(pid, 10.0)
    assert processes.end_family("kin-token", kin.daemon.pid, known) == frozenset()
    assert not any(processes.is_alive(pid) for pid in kin.all)


def test_orphans_stay_in_the_family_while_the_daemon_lives(kin: Kin) -> None:
    os.kill(kin.raylet, signal.SIGKILL)
    processes.wait_gone(kin.raylet, 10.0)
    assert pids(processes.family("kin-token", kin.daemon.pid)) == {kin.daemon.pid, kin.agent, kin.worker}


@pytest.mark.parametrize("kin", ["none"], indirect=True)
def test_after_the_daemon_its_session_and_an_open_file_tell(kin: Kin) -> None:
    for pid in (kin.daemon.pid, kin.raylet):
        os.kill(pid, signal.SIGKILL)
        processes.wait_gone(pid, 10.0)
    assert processes.marked("kin-token") == ()
    assert pids(processes.family("kin-token", kin.daemon.pid)) == {kin.agent}
    assert processes.end_family("kin-token", kin.daemon.pid) == frozenset()
    assert processes.is_alive(kin.worker), "nothing told of it"


def test_a_session_alone_is_no_proof_once_its_leader_is_gone(kin: Kin) -> None:
    with subprocess.Popen(["setsid", "sh", "-c", "sleep 600 & echo $$ $!"], stdout=subprocess.PIPE, text=True) as other:  # noqa: S607
        leader, stranger = map(int, other.stdout.readline().split())
        processes.wait_gone(leader, 10.0)
        try:
            assert stranger not in pids(processes.family("kin-token", leader))
            assert kin.agent in pids(processes.family("kin-token", leader)), "a descendant all the same"
        finally:
            os.kill(stranger, signal.SIGKILL)


def test_a_process_that_was_given_an_id_again_is_another_one(sleeper: subprocess.Popen[bytes]) -> None:
    seen = processes.look_at(sleeper.pid)
    reused = replace(seen, began=seen.began - 1)
    assert seen.is_alive
    assert not reused.is_alive
    assert processes.end_family("no such token", 0, [reused]) == frozenset()
    assert sleeper.poll() is None, "it was left alone"


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    assert processes.is_alive(sleeper.pid)
    sleeper.kill()
    assert processes.wait_gone(sleeper.pid, 10.0), "though nobody has waited for it yet"


def test_waiting_for_what_stays_ends(sleeper: subprocess.Popen[bytes]) -> None:
    assert not processes.wait_gone(sleeper.pid, 0.05)


def test_a_host_s_labels_carry_its_name_and_devices() -> None:
    assert LocalHostSpec("h", gpus=2, gpu_model="X", gpu_memory_mib=64, labels={"rack": "7"}).ray_labels() == {
        "host": "h",
        "gpu-model": "X",
        "gpu-memory-mib": "64",
        "rack": "7",
    }
    assert LocalHostSpec("h").ray_labels() == {"host": "h"}
    parts = LocalHostSpec("h", gpus=2, gpu_memory_mib=196608, gpu_partitions=8).ray_labels()
    assert parts == {"host": "h", "gpu-memory-mib": "24576", "gpu-partitions": "8"}


def test_an_address_is_believed_only_while_its_process_lives(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    address = LocalAddress("a:1", "http://a:2", sleeper.pid, "test-token", (LocalHostSpec("h"),), (7,))
    write_address(tmp_path, address)
    assert read_address(tmp_path) == address
    sleeper.kill()
    sleeper.wait()
    assert read_address(tmp_path) is None


def test_a_corrupt_address_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ADDRESS_FILE).write_text('{"hosts": 3}', encoding="utf-8")
    with pytest.raises(ConfigError, match=ADDRESS_FILE):
        read_address(tmp_path)


def test_orders_to_stop_outlive_who_gave_them(tmp_path: Path) -> None:
    order = StopOrder(time.time(), lost=True)
    StopOrders(tmp_path / "stops").give("x", order)
    again = StopOrders(tmp_path / "stops")
    assert again.of("x") == order
    again.drop("x")
    again.drop("x")
    assert StopOrders(tmp_path / "stops").of("x") is None


def test_a_cluster_that_nobody_listens_for_is_none_and_that_is_known_at_once() -> None:
    nowhere = f"127.0.0.1:{machine.free_ports(1)[0]}"
    assert not answers(LocalAddress(nowhere, f"http://{nowhere}", 0, "", (), ()))


@pytest.mark.parametrize(
    ("nodes", "alive"),
    [
        ([], False),
        ([{"state": "ALIVE", "is_head_node": True}], False),
        ([{"state": "DEAD", "is_head_node": False}], False),
        ([{"state": "DEAD", "is_head_node": False}, {"state": "ALIVE", "is_head_node": False}], True),
        (None, False),
    ],
)
def test_a_cluster_is_one_while_a_host_of_it_lives(
    monkeypatch: pytest.MonkeyPatch, nodes: list[dict[str, object]] | None, *, alive: bool
) -> None:
    def get(url: str, **_: object) -> httpx.Response:
        body = {"data": {"result": {"result": nodes}}} if nodes is not None else {"result": False}
        return httpx.Response(200, json=body, request=httpx.Request("GET", url))

    monkeypatch.setattr("scheduler.backends.ray.liveness.httpx.get", get)
    with socket.create_server(("127.0.0.1", 0)) as gcs:
        address = f"127.0.0.1:{gcs.getsockname()[1]}"
        assert answers(LocalAddress(address, "http://dash", 0, "", (), ()), within_s=0.0) is alive


def test_a_cluster_is_dead_when_its_head_or_its_dashboard_listens_no_more() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    gcs, dashboard = (f"127.0.0.1:{server.getsockname()[1]}" for server in servers)
    address = LocalAddress(gcs, f"http://{dashboard}", 0, "", (), ())
    assert not is_dead(address)
    servers[1].close()
    assert is_dead(address)
    servers[0].close()
    assert is_dead(address)
