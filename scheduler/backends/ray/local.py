"""A real Ray cluster of several hosts on one machine, in a process of its own that outlives the control plane.

    LocalRay ──starts──► python -m scheduler.backends.ray.daemon ──► head + one raylet per host
        │                         │
        └──── reads ◄──── state_dir/local-ray.json (address, dashboard, process id)

The hosts share this machine's cores and memory; their sizes and GPUs are bookkeeping. Everything listens on loopback.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from scheduler.backends.ray import machine, processes
from scheduler.backends.ray.liveness import answers, port_of
from scheduler.control.private_files import private_folder
from scheduler.model.errors import ConfigError, Unreachable

ADDRESS_FILE: Final = "local-ray.json"
LOG_FILE: Final = "local-ray.log"
MOST_STARTS: Final = 3
"""How often a cluster is started whose ports are free ones: another program may take one before Ray does."""
PORT_TAKEN: Final = ("valid port", "already in use")
START_TIMEOUT_S: Final = 180.0
STOP_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class LocalHostSpec:
    """One host to pretend.

    Attributes:
        name: becomes the Ray label `host`.
        cpus: cores it claims to have.
        memory_mib: memory it claims to have.
        gpus: whole devices it claims to have.
        gpu_model: becomes the Ray label `gpu-model`; "" for none.
        gpu_memory_mib: memory of a whole device; a part's becomes the Ray label `gpu-memory-mib`; 0 for unknown.
        gpu_partitions: parts of each device; becomes the Ray label `gpu-partitions` when it is more than one.
        labels: further labels.
    """

    name: str
    cpus: int = 4
    memory_mib: int = 8192
    gpus: int = 0
    gpu_model: str = ""
    gpu_memory_mib: int = 0
    gpu_partitions: int = 1
    labels: dict[str, str] = field(default_factory=dict)

    def ray_labels(self) -> dict[str, str]:
        """Return the labels the Ray node carries."""
        memory_mib = self.gpu_memory_mib // self.gpu_partitions
        named = {
            "host": self.name,
            "gpu-model": self.gpu_model,
            "gpu-memory-mib": str(memory_mib or ""),
            "gpu-partitions": str(self.gpu_partitions) if self.gpu_partitions > 1 else "",
        }
        return self.labels | {key: value for key, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """Where a local cluster answers.

    Attributes:
        address: host and port of the GCS.
        dashboard_url: of Ray's dashboard and REST API.
        pid: of the daemon.
        token: mark of all its processes, see `processes.MARK`.
        hosts: what it was started with.
        raylet_pids: process of each host, so that a test can lose one.
    """

    address: str
    dashboard_url: str
    pid: int
    token: str
    hosts: tuple[LocalHostSpec, ...]
    raylet_pids: tuple[int, ...]


class LocalRay:
    """Starts a local cluster, or adopts the one that a killed control plane left in the same `state_dir`.

    Args:
        hosts: at least one; names must differ.
        state_dir: where the address file and the log are written.
        leashed: end the cluster when the process that started it is gone, whatever the reason. A control plane that
            should find its cluster again after `kill -9` leaves it off.
        dashboard_port: 0 for a free one.
    """

    def __init__(
        self, hosts: Sequence[LocalHostSpec], state_dir: Path, *, leashed: bool = False, dashboard_port: int = 0
    ) -> None:
        self._hosts = tuple(hosts)
        self._state_dir = state_dir
        self._leashed = leashed
        self._dashboard_port = dashboard_port
        self._daemon: subprocess.Popen[bytes] | None = None
        self._token = ""

    def __enter__(self) -> LocalAddress:
        """Start it and return where it answers."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, whatever happened."""
        self.stop()

    def start(self) -> LocalAddress:
        """Return the address of the running cluster; starts it unless one with the same hosts runs already.

        One with other hosts, left by an earlier configuration, and one that does not answer, is ended first.

        Raises:
            ConfigError: this machine cannot carry it (memory, /dev/shm), or a port is taken.
            Unreachable: it did not come up, or what is left of another cannot be ended.
        """
        found = read_address(self._state_dir)
        if found and found.hosts == self._hosts and answers(found):
            return found
        self.stop()
        machine.check(len(self._hosts), self._dashboard_port)
        for _ in range(MOST_STARTS - 1):
            try:
                return self._launch_or_stop({"dashboard_port": self._dashboard_port})
            except Unreachable as error:
                if self._dashboard_port or not any(words in str(error) for words in PORT_TAKEN):
                    raise
        return self._launch_or_stop({"dashboard_port": self._dashboard_port})

    def revive(self, dead: LocalAddress) -> LocalAddress:
        """Start the cluster anew where a dead one has answered, so that whoever asks there finds it.

        Raises:
            ConfigError: this machine cannot carry it, or a port is taken meanwhile.
            Unreachable: it did not come up, or what is left of the dead one cannot be ended.
        """
        self.stop()
        ports = {"gcs_port": port_of(dead.address), "dashboard_port": port_of(dead.dashboard_url)}
        machine.check(len(self._hosts), ports["dashboard_port"])
        return self._launch_or_stop(ports)

    def stop(self) -> None:
        """End the cluster and everything that runs on it; nothing happens when there is none.

        Raises:
            Unreachable: a process of it cannot be ended.
        """
        address = _read(self._state_dir / ADDRESS_FILE)
        left: frozenset[processes.Process] = frozenset()
        if self._daemon:
            left |= _end(self._daemon.pid, self._token)
            if not left:
                self._daemon.wait()
            if self._daemon.stdin:
                self._daemon.stdin.close()
            self._daemon = None
        if address:
            left |= _end(address.pid, address.token)
            (self._state_dir / ADDRESS_FILE).unlink(missing_ok=True)
        if left:
            pids = ", ".join(str(process.pid) for process in sorted(left, key=lambda each: each.pid))
            raise Unreachable(
                f"processes of the local Ray cluster cannot be ended: {pids}", help="look at them with ps"
            )

    def _launch_or_stop(self, ports: Mapping[str, int]) -> LocalAddress:
        try:
            return self._launch(ports)
        except BaseException:
            self.stop()
            raise

    def _launch(self, ports: Mapping[str, int]) -> LocalAddress:
        private_folder(self._state_dir)
        self._token = uuid.uuid4().hex
        order = {
            "token": self._token,
            "state_dir": str(self._state_dir.resolve()),
            "ports": dict(ports),
            "hosts": [asdict(host) for host in self._hosts],
        }
        self._daemon = _spawn(order, self._token, self._state_dir / LOG_FILE, leashed=self._leashed)
        return self._wait_until_up(self._daemon)

    def _wait_until_up(self, daemon: subprocess.Popen[bytes]) -> LocalAddress:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and daemon.poll() is None:
            found = _read(self._state_dir / ADDRESS_FILE)
            if found:
                return found
            time.sleep(0.05)
        log = self._state_dir / LOG_FILE
        raise Unreachable(
            f"the local Ray cluster did not come up: {_last_line(log)}", help=f"see {log} and start again"
        )


def read_address(state_dir: Path) -> LocalAddress | None:
    """Return the address of the local cluster that runs for a state directory, or None."""
    address = _read(state_dir / ADDRESS_FILE)
    return address if address and address.pid in processes.marked(address.token) else None


def write_address(state_dir: Path, address: LocalAddress) -> None:
    """Replace the address file in one step."""
    draft = state_dir / f"{ADDRESS_FILE}.new"
    draft.write_text(json.dumps(asdict(address)), encoding="utf-8")
    draft.replace(state_dir / ADDRESS_FILE)


def _read(file: Path) -> LocalAddress | None:
    if not file.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        content["hosts"] = tuple(LocalHostSpec(**host) for host in content["hosts"])
        content["raylet_pids"] = tuple(content["raylet_pids"])
        return LocalAddress(**content)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} is not an address file: {error}", help="delete it and end what is left of the old cluster"
        ) from error


def _spawn(order: Mapping[str, object], token: str, log: Path, *, leashed: bool) -> subprocess.Popen[bytes]:
    # "python train.py" is to mean the Python that Headroom and Ray are installed in.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environment = os.environ | {processes.MARK: token, "PATH": path}
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603  # our own module, arguments as JSON
            [
                sys.executable,
                "-m",
                "scheduler.backends.ray.daemon",
                json.dumps(order),
                "leashed" if leashed else "free",
            ],
            stdin=subprocess.PIPE if leashed else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def _end(pid: int, token: str) -> frozenset[processes.Process]:
    """Tell a daemon to end, make sure that nothing is left of its cluster, and return what is nevertheless."""
    known = processes.family(token, pid)  # while their ancestors are there to tell
    if pid in {process.pid for process in known}:
        os.kill(pid, signal.SIGTERM)
        processes.wait_gone(pid, STOP_TIMEOUT_S)
    left = processes.end_family(token, pid, known)
    shutil.rmtree(processes.scratch(token), ignore_errors=True)
    return left


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word from it")
