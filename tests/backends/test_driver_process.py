"""The driver process outlives nobody for long, also while it waits for a Ray that is not there."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

STARTER = """
import subprocess, sys, time
code = "from scheduler.backends.ray import driver; driver.CONNECT_S = 6.0; driver.main(%r)" % sys.argv[1]
driver = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(driver.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def nowhere() -> str:
    """Return an address at which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123  # gone between two looks, perhaps
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
def test_a_killed_control_plane_leaves_no_driver_that_waits_for_ray(nowhere: str) -> None:
    command = [sys.executable, "-c", STARTER, nowhere]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    driver = int(starter.stdout.readline())
    try:
        time.sleep(3.0)  # it imports Ray, and asks for its GCS
        starter.send_signal(signal.SIGKILL)
        starter.wait(10.0)
        until_s = time.monotonic() + 60.0
        while is_alive(driver) and time.monotonic() < until_s:
            time.sleep(0.2)
        assert not is_alive(driver)
    finally:
        starter.stdout.close()
        if is_alive(driver):
            os.kill(driver, signal.SIGKILL)
