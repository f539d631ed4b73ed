"""The real control plane is killed with -9 and started again on the same Ray: nothing is lost, nothing runs twice."""

import random
import time
from typing import Any

import pytest

from scheduler.backends.ray.local import read_address
from scheduler.backends.ray.names import RunLabel
from scheduler.backends.ray.rest import RayRest
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]


def test_running_jobs_go_on_waiting_ones_start_and_orphans_go(plane: Any) -> None:
    running = plane.submit("gang", 60, workers=2, gpus=1)
    plane.until(lambda: plane.state(running) == "Running")
    waiting = plane.submit("waits", 3, workers=1, gpus=4)
    plane.until(lambda: plane.client.job(waiting).why is not None)
    plane.kill()

    address = read_address(plane.state_dir)
    assert address is not None, "Ray lives on"
    ray = RayRest(address.dashboard_url)
    orphan = RunLabel(JobId("999"), 1, (Slot("gpu-a", (3,)),), plane.owner)
    stray = RunLabel(JobId("999"), 1, (Slot("gpu-a", (3,)),), "b" * 36)
    for label in (orphan, stray):
        ray.submit({"entrypoint": "sleep 600", "submission_id": label.name, "metadata": label.as_metadata()})
    plane.start()

    def orphan_is_gone() -> bool:
        found = ray.job(orphan.name)
        return found is None or found["status"] in {"STOPPED", "FAILED"}

    plane.until(orphan_is_gone)
    assert (ray.job(stray.name) or {})["status"] in {"PENDING", "RUNNING"}, "what another store started is left alone"
    ray.stop(stray.name)
    ray.close()
    assert len(plane.client.job(running).attempts) == 1
    plane.until(lambda: plane.state(running) == plane.state(waiting) == "Succeeded", 90.0)
    assert plane.starts(running) == ["1"]
    assert plane.starts(waiting) == ["1"]


def test_killed_at_any_moment_every_accepted_job_still_ends_well_and_no_attempt_runs_twice(plane: Any) -> None:
    moments = random.Random(7)  # noqa: S311  # moments to kill at, not secrets
    accepted = []
    for number in range(5):
        accepted.append(plane.submit(f"short-{number}", 8, gpus=1))
        time.sleep(moments.uniform(0.0, 1.5))
        plane.kill()
        plane.start(wait=number % 2 == 0)
        plane.until(lambda: plane.client.status().state == "live", 90.0)
    plane.until(lambda: all(plane.state(job) == "Succeeded" for job in accepted), 90.0)
    for job in accepted:
        tried = plane.starts(job)
        assert len(tried) == len(set(tried)), f"job {job} ran an attempt twice: {tried}"
        known = plane.client.job(job)
        assert set(tried) <= {str(attempt.number) for attempt in known.attempts}
        assert [attempt.outcome for attempt in known.attempts].count("Succeeded") == 1


def test_a_higher_priority_preempts_and_the_victim_resumes_from_its_checkpoint(plane: Any) -> None:
    low = plane.submit("low", 40, workers=4, gpus=1, priority="low", grace="5s", checkpoint_interval="1s")
    plane.until(lambda: (plane.client.job(low).step or 0) >= 3)
    high = plane.submit("high", 5, gpus=2, priority="high")
    plane.until(lambda: plane.state(high) == "Succeeded", 90.0)
    plane.until(lambda: plane.state(low) == "Succeeded", 90.0)
    attempts = plane.client.job(low).attempts
    assert attempts[0].outcome == "Preempted"
    assert attempts[-1].resumed_from_step > 0
    assert any("done at 40" in line for line in plane.client.logs(low))


def test_told_to_stop_it_takes_its_ray_with_it(plane: Any) -> None:
    assert plane.stop() == 0
    assert read_address(plane.state_dir) is None
