"""Ray's head dies under a control plane: one of its own is started anew, one of others is waited for; jobs go on."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from scheduler.backends.ray import processes
from scheduler.backends.ray.liveness import is_dead
from scheduler.backends.ray.local import LocalAddress, LocalRay, read_address
from tests.integration.conftest import backend_at

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]
OWN = "{kind: local, hosts: [{name: gpu-a, cpus: 8, memory: 16Gi, gpus: 4, gpu_model: Tester}]}"


def kill_gcs(address: LocalAddress) -> None:
    """Kill the head's process that keeps what the cluster knows."""
    for process in processes.family(address.token, address.pid):
        with contextlib.suppress(OSError):
            if b"gcs_server" in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[0]:
                os.kill(process.pid, signal.SIGKILL)
    while not is_dead(address):  # a killed process lets go of its sockets a moment later
        time.sleep(0.1)


def is_well(plane: Any, job: str, attempt: int) -> bool:
    """Whether the loop plans, the model is ready, and an attempt of the job runs."""
    model, known = plane.client.models().items[0], plane.client.job(job)
    return bool(
        plane.client.status().state == "live"
        and model.ready == 1
        and (known.state, known.attempts[-1].number) == ("Running", attempt)
        and len(plane.starts(job)) == attempt
    )


def test_one_of_its_own_is_started_anew_and_its_jobs_are_tried_again(build_plane: Any) -> None:
    plane = build_plane(OWN)
    plane.start()
    job = plane.submit("long", 10_000, gpus=1)
    plane.until(lambda: is_well(plane, job, 1), 120.0)
    before = read_address(plane.state_dir)
    kill_gcs(before)
    plane.until(lambda: is_well(plane, job, 2), 180.0)
    after = read_address(plane.state_dir)
    assert (after.address, after.dashboard_url) == (before.address, before.dashboard_url)
    assert after.token != before.token
    assert plane.client.job(job).attempts[0].outcome == "Lost"
    assert plane.stop() == 0
    assert processes.family(after.token, after.pid) | processes.family(before.token, before.pid) == frozenset()


def test_one_of_others_is_waited_for_and_its_jobs_are_tried_again(
    build_plane: Any, others_ray: tuple[LocalRay, LocalAddress]
) -> None:
    ray, address = others_ray
    plane = build_plane(backend_at(address))
    plane.start()
    job = plane.submit("long", 10_000, gpus=1)
    plane.until(lambda: is_well(plane, job, 1), 120.0)
    kill_gcs(address)
    plane.until(lambda: "does not answer" in plane.client.status().message, 60.0)
    ray.revive(address)
    plane.until(lambda: is_well(plane, job, 2), 180.0)
    assert plane.stop() == 0
