"""What is checked before a local cluster starts, and how its processes are found."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.backends.ray import machine, processes
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
    assert processes.end_marked("test-token") == ()
    assert sleeper.wait() == -signal.SIGKILL


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
