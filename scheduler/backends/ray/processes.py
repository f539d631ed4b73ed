"""Finding and ending the processes of one local cluster, whatever they call themselves by now.

They inherit a mark in their environment, but those that rename themselves overwrite what the system shows of it. So a
process also belongs to a cluster when its ancestor does, when the daemon's session is still its own, or when it holds
a file in the cluster's scratch folder open.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARK: Final = "HEADROOM_LOCAL_RAY"
"""Environment variable; its value names one local cluster."""
PROC: Final = Path("/proc")
SET_CHILD_SUBREAPER: Final = 36
"""Of prctl(2)."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process; another one that is given its id later began later.

    Attributes:
        pid: its id.
        began: clock ticks from the machine's start to its own.
        parent: id of its parent.
        session: id of its session's leader.
    """

    pid: int
    began: int
    parent: int
    session: int

    @property
    def is_alive(self) -> bool:
        """Whether this very process exists and is more than a zombie."""
        now = look_at(self.pid)
        return now is not None and now.began == self.began


def scratch(token: str) -> Path:
    """Return the folder for a local cluster's sockets and logs; short, for a socket's path ends at 107 characters."""
    return Path("/tmp") / f"hr-{token[:10]}"  # noqa: S108  # the only folder that is short everywhere


def look_at(pid: int) -> Process | None:
    """Return a living process, or None when there is none of that id, or only a zombie."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields[0] != "Z":
            return Process(pid, int(fields[19]), int(fields[1]), int(fields[3]))
    return None


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than a zombie."""
    return look_at(pid) is not None


def marked(token: str) -> tuple[int, ...]:
    """Return the ids of all living processes that show the mark, oldest first, this one left out."""
    return tuple(sorted(process.pid for process in _living() if _shows(process, token)))


def family(token: str, daemon: int = 0) -> frozenset[Process]:
    """Return all living processes of a local cluster, this one left out.

    Args:
        token: its mark.
        daemon: id that its daemon has or had; 0 when nobody knows.
    """
    living = {process.pid: process for process in _living()}
    kin = {pid for pid, process in living.items() if _shows(process, token) or pid == daemon == os.getpid()}
    leads = daemon in kin or daemon == os.getpid()
    folder = str(scratch(token))
    kin |= {
        pid
        for pid, process in living.items()
        if daemon and process.session == daemon and (leads or _holds_open(pid, folder))
    }
    kin |= {pid for pid, process in living.items() if _descends(process, kin, living)}
    return frozenset(living[pid] for pid in kin if pid != os.getpid())


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none leaves the family."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wait_gone(pid: int, timeout_s: float) -> bool:
    """Wait until a process is gone; return whether it is."""
    deadline = time.monotonic() + timeout_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_family(
    token: str, daemon: int = 0, known: Iterable[Process] = (), timeout_s: float = 10.0
) -> frozenset[Process]:
    """Kill all processes of a local cluster, also those that appear meanwhile; return what is still there.

    Args:
        token: its mark.
        daemon: id that its daemon has or had.
        known: found earlier, when their ancestors were still there to tell.
        timeout_s: how long to go on.
    """
    deadline = time.monotonic() + timeout_s
    ours = frozenset(known)
    while left := _alive(ours | family(token, daemon)):
        ours |= left
        if time.monotonic() > deadline:
            return left
        for process in left:
            _kill(process)
        time.sleep(0.05)
    return frozenset()


def _alive(processes: Iterable[Process]) -> frozenset[Process]:
    return frozenset(process for process in processes if process.is_alive)


def _kill(process: Process) -> None:
    """Kill a process, and never one that was given its id since: the handle is taken before the look."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(process.pid)
        try:
            if process.is_alive:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)


def _living() -> Iterator[Process]:
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (process := look_at(int(entry.name))):
            yield process


def _shows(process: Process, token: str) -> bool:
    if process.pid == os.getpid():
        return False
    with contextlib.suppress(OSError):
        return f"{MARK}={token}".encode() in (PROC / str(process.pid) / "environ").read_bytes().split(b"\0")
    return False


def _holds_open(pid: int, folder: str) -> bool:
    with contextlib.suppress(OSError):
        return any(_target(link).startswith(folder) for link in (PROC / str(pid) / "fd").iterdir())
    return False


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


def _descends(process: Process, kin: Iterable[int], living: Mapping[int, Process]) -> bool:
    seen: set[int] = set()
    while process.parent in living and process.pid not in seen:
        if process.parent in kin:
            return True
        seen.add(process.pid)
        process = living[process.parent]
    return False
