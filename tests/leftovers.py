"""What a module of tests has started has ended when the module is over: a plugin for all tests.

This process takes in the orphans of all that it starts (Linux's "child subreaper"). So whatever is left is found among
its descendants, whatever it calls itself by then and however its parents ended. What fixtures of the session start may
stay until the session ends.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest

from scheduler.backends.ray.processes import PROC, SET_CHILD_SUBREAPER, Process, look_at

PATIENCE_S: Final = 10.0
"""Wall seconds within which a process that was told to end is gone."""
SPARED: Final = b"multiprocessing.resource_tracker"
"""Python's own helper, which stays with a process that has ever used one."""


class Leftovers:
    """What is to be there, and what is there besides."""

    def __init__(self) -> None:
        """Take what there is for granted."""
        self._granted = descendants()

    def grant(self, processes: set[Process]) -> None:
        """Let processes stay, with all that they start."""
        self._granted |= processes

    def refuse_all(self) -> None:
        """Grant nothing any more: the session is over."""
        self._granted = set()

    def found(self) -> set[Process]:
        """Return what is there without a grant, once it has had time to end."""
        until_s = time.monotonic() + PATIENCE_S
        while (left := self._left()) and time.monotonic() < until_s:
            time.sleep(0.05)
        return left

    def _left(self) -> set[Process]:
        granted = set[Process]()
        for process in self._granted:
            granted |= {process} | (descendants(process.pid) if process.is_alive else set())
        return {process for process in descendants() - granted if SPARED not in called(process)}


def descendants(pid: int = 0) -> set[Process]:
    """Return the living processes that a process has started, and those that they have; of this one by default."""
    children: dict[int, list[Process]] = {}
    for process in _living():
        children.setdefault(process.parent, []).append(process)
    found, front = set[Process](), [pid or os.getpid()]
    while front:
        born = children.get(front.pop(), [])
        found.update(born)
        front += [process.pid for process in born]
    return found


def called(process: Process) -> bytes:
    """Return a process's command line."""
    with contextlib.suppress(OSError):
        return (PROC / str(process.pid) / "cmdline").read_bytes().replace(b"\0", b" ")
    return b""


def _living() -> Iterator[Process]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal() and (process := look_at(int(folder.name))) is not None:
            yield process


LEFTOVERS = pytest.StashKey[Leftovers]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Take in orphans from now on."""
    ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    session.stash[LEFTOVERS] = Leftovers()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Grant what a fixture of the session starts."""
    if fixturedef.scope != "session":
        return (yield)
    before = descendants()
    try:
        return (yield)
    finally:
        request.session.stash[LEFTOVERS].grant(descendants() - before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """After the last test of a module, when its fixtures are gone, look for what runs on: end it, and fail."""
    try:
        return (yield)
    finally:
        leftovers = item.session.stash[LEFTOVERS]
        if nextitem is None:
            leftovers.refuse_all()
        if nextitem is None or nextitem.path != item.path:
            _look(item.path, leftovers)


def _look(module: Path, leftovers: Leftovers) -> None:
    left = leftovers.found()
    said = ", ".join(sorted(f"{process.pid} {called(process)[:80].decode(errors='replace')}" for process in left))
    for process in left:
        if process.is_alive:
            with contextlib.suppress(OSError):
                os.kill(process.pid, signal.SIGKILL)
                os.waitpid(process.pid, 0)
    if left:
        pytest.fail(f"{module.name} has left running: {said}", pytrace=False)
