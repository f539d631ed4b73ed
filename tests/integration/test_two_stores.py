"""A control plane with another store finds work on its Ray: it counts it, leaves it alone, and adopts or evicts it."""

import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from scheduler.backends.ray.local import LocalAddress, LocalRay
from tests.integration.conftest import backend_at

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]


def headroom(plane: Any, *words: str) -> str:
    """Return what the command says."""
    environment = {**os.environ, "HEADROOM_URL": plane.client.url, "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def replicas_on(address: LocalAddress) -> set[str]:
    """Return the replicas of the model that Ray shows."""
    details = httpx.get(f"{address.dashboard_url}/api/serve/applications/", timeout=30, trust_env=False).json()
    apps = {name: app for name, app in details["applications"].items() if name.startswith("tone")}
    return {
        replica["replica_id"]
        for app in apps.values()
        for deployment in app["deployments"].values()
        for replica in deployment["replicas"]
    }


def test_strays_are_reported_counted_and_left_alone_until_an_operator_adopts_or_evicts_them(
    build_plane: Any, others_ray: tuple[LocalRay, LocalAddress]
) -> None:
    _, address = others_ray
    first, second = build_plane(backend_at(address)), build_plane(backend_at(address))
    first.start()
    job = first.submit("long", 10_000, gpus=1)
    first.until(lambda: first.state(job) == "Running" and first.client.models().items[0].ready == 1, 120.0)
    steps = first.state_dir / "checkpoints" / job / "headroom.json"
    first.until(steps.exists)
    assert first.stop() == 0, "it lets go of the cluster, and what runs there goes on"
    replicas = replicas_on(address)
    assert len(replicas) == 1

    second.start()
    strays = {stray.name: stray for stray in second.client.strays().items}
    run = next(stray for stray in strays.values() if stray.kind == "run")
    apps = {name for name, stray in strays.items() if stray.kind == "application"}
    assert (run.job, run.gpus, run.hosts, run.adoptable) == (job, 1, ("gpu-a",), False)
    assert len(apps) == 2, "a router and a replica"
    assert "left alone until you adopt or evict them" in headroom(second, "strays")
    assert "3 on the cluster" in headroom(second, "status")
    waiting = second.submit("needs-three", 5, gpus=3)
    second.until(lambda: second.client.job(waiting).why is not None)
    before = steps.read_text()
    second.until(lambda: steps.read_text() != before)
    assert second.state(waiting) == "Pending", "what strays hold is no room"
    assert replicas <= replicas_on(address), "nothing was stopped"

    said = headroom(second, "adopt")
    assert all(f"{app} is to be adopted" in said for app in apps)
    assert f"left alone: {run.name}: attempt 1 of job {job} is not open in this store" in said
    second.until(lambda: {stray.name for stray in second.client.strays().items} == {run.name})
    second.until(lambda: len(replicas_on(address)) == 1, 90.0)
    assert second.client.models().items[0].ready == 1, (
        "of the one that was adopted and its own it keeps as many as wanted"
    )

    assert f"{run.name} is to be evicted" in headroom(second, "evict-strays", run.name)
    second.until(lambda: not second.client.strays().items, 90.0)
    second.until(lambda: second.state(waiting) == "Succeeded", 90.0)
    told = [event.title for event in second.client.events(limit=200).items]
    assert f"{run.name} is evicted" in told
    assert second.stop() == 0
