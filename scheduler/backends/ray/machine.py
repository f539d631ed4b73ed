"""Whether this machine can carry a local Ray cluster, said before anything is started."""

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import Final

from scheduler.model.errors import ConfigError

MIB: Final = 2**20
HEAD_MIB: Final = 700
"""Head, dashboard, Serve's controller and proxy, measured."""
HOST_MIB: Final = 250
"""One raylet with its two agents, measured at 245."""
STORE_MIB: Final = 80
"""Object store of each node; Ray's own minimum is 75."""


def check(hosts: int, dashboard_port: int) -> None:
    """Refuse what cannot work.

    Raises:
        ConfigError: too little memory, a small /dev/shm, or a port that is taken; all of them in one error.
    """
    faults = [*_memory_faults(hosts), *_shm_faults(hosts), *_port_faults(dashboard_port)]
    if faults:
        raise ConfigError(
            "this machine cannot carry the local Ray cluster: " + "; ".join(faults),
            help="free some of it, or configure fewer hosts",
        )


def available_mib() -> int:
    """Return the memory that may still be used, in MiB: the machine's, or less when a cgroup limits it."""
    limits = [limit for limit in (_machine_mib(), _cgroup_mib()) if limit is not None]
    return min(limits, default=1 << 30)


def is_free(port: int) -> bool:
    """Whether a loopback port can be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def free_ports(count: int) -> list[int]:
    """Return different free loopback ports; all are held until the last is found, so none comes twice."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _memory_faults(hosts: int) -> list[str]:
    needed, available = HEAD_MIB + hosts * HOST_MIB, available_mib()
    return (
        [f"{'1 host needs' if hosts == 1 else f'{hosts} hosts need'} {needed} MiB of memory, {available} MiB are free"]
        if available < needed
        else []
    )


def _shm_faults(hosts: int) -> list[str]:
    shm = Path("/dev/shm")  # noqa: S108  # where Ray puts its object stores, not ours to choose
    if not shm.exists():
        return []
    needed, free = (hosts + 1) * STORE_MIB, shutil.disk_usage(shm).free // MIB
    return [f"{shm} has {free} MiB free, {needed} MiB are needed"] if free < needed else []


def _port_faults(port: int) -> list[str]:
    return [] if port == 0 or is_free(port) else [f"port {port} is taken"]


def _machine_mib() -> int | None:
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    return None


def _cgroup_mib() -> int | None:
    root = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):
        limit = int((root / "memory.max").read_text(encoding="ascii"))
        return (limit - int((root / "memory.current").read_text(encoding="ascii"))) // MIB
    return None
