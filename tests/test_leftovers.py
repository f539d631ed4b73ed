"""What tests leave running is found, whoever its parent was, and what is to stay is spared."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import leftovers
from tests.leftovers import Leftovers, called, descendants

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def orphan() -> Iterator[int]:
    """A process in a session of its own whose parent has ended."""
    script = "import subprocess as s; print(s.Popen(['sleep', '600'], stdout=s.DEVNULL, start_new_session=True).pid)"
    pid = int(subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout)
    yield pid
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "PATIENCE_S", 0.0)


def test_an_orphan_is_found_by_its_grandparent(orphan: int) -> None:
    (process,) = (each for each in descendants() if each.pid == orphan)
    assert called(process) == b"sleep 600 "


def test_what_was_there_before_is_granted_and_what_comes_is_not(orphan: int) -> None:
    there = Leftovers()
    assert there.found() == set()
    with subprocess.Popen(SLEEP) as fresh:
        assert {process.pid for process in there.found()} == {fresh.pid}
        there.grant({process for process in descendants() if process.pid == fresh.pid})
        assert there.found() == set()
        fresh.kill()
    there.refuse_all()
    assert orphan in {process.pid for process in there.found()}


def test_what_a_granted_process_starts_is_granted() -> None:
    there = Leftovers()
    with subprocess.Popen(["/bin/sh", "-c", "read go; sleep 600 & echo up; wait"], stdin=-1, stdout=-1) as parent:
        there.grant({process for process in descendants() if process.pid == parent.pid})
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(b"go\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == b"up\n"
        assert len(descendants(parent.pid)) == 1
        assert there.found() == set()
        for process in descendants(parent.pid):
            os.kill(process.pid, signal.SIGKILL)


def test_what_has_ended_is_nobody(orphan: int) -> None:
    there = Leftovers()
    there.refuse_all()
    os.kill(orphan, signal.SIGKILL)
    os.waitpid(orphan, 0)
    assert orphan not in {process.pid for process in there.found()}
