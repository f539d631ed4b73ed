"""Finding and ending the processes of one local cluster, by a mark that all of them inherit in their environment."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Final

MARK: Final = "HEADROOM_LOCAL_RAY"
"""Environment variable; its value names one local cluster."""


def scratch(token: str) -> Path:
    """Return the folder for a local cluster's sockets and logs; short, for a socket's path ends at 107 characters."""
    return Path("/tmp") / f"hr-{token[:10]}"  # noqa: S108  # the only folder that is short everywhere


def marked(token: str) -> tuple[int, ...]:
    """Return the ids of all living processes that carry the mark, oldest first, this one left out.

    Ray gives every job a session of its own, so neither a process group nor the parent tells who belongs together.
    """
    wanted = f"{MARK}={token}".encode()
    pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return tuple(pid for pid in pids if pid != os.getpid() and wanted in _environment(pid) and is_alive(pid))


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False


def wait_gone(pid: int, timeout_s: float) -> bool:
    """Wait until a process is gone; return whether it is."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_marked(token: str, timeout_s: float = 5.0) -> tuple[int, ...]:
    """Kill everything that carries the mark, also what appears meanwhile; return what is still there."""
    deadline = time.monotonic() + timeout_s
    while (pids := marked(token)) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return marked(token)


def _environment(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []
