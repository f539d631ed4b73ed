"""The processes of the demo: whatever ends the control plane, its cluster ends with it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.backends.ray import processes
from scheduler.backends.ray.local import LocalAddress, LocalHostSpec, read_address, write_address
from scheduler.demo import stage

TOKEN = "stage-token"  # noqa: S105  # names a cluster


@pytest.fixture
def left_behind(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """What a control plane leaves that was killed: a daemon, and the file that says where it is."""
    nap = [sys.executable, "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(nap, env=os.environ | {processes.MARK: TOKEN}, start_new_session=True) as daemon:
        write_address(tmp_path, LocalAddress("", "", daemon.pid, TOKEN, (LocalHostSpec("a"),), ()))
        yield daemon
        daemon.kill()


def test_a_cluster_that_a_killed_control_plane_left_is_ended(
    tmp_path: Path, left_behind: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "STOP_S", 0.0)
    plane = stage.RayControlPlane(tmp_path, 0, 0, reactive=False)
    os.kill(plane._process.pid, signal.SIGSTOP)
    plane.stop()
    assert left_behind.wait(30.0) == -signal.SIGTERM
    assert read_address(tmp_path) is None
    assert processes.family(TOKEN, left_behind.pid) == frozenset()
