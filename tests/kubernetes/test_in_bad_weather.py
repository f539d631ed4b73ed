"""Seeded trouble: an API that refuses, lags, forgets and goes away, people who change things, a process that dies."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.backends.kubernetes import reflector
from scheduler.model.errors import HeadroomError
from simulations.kubernetes import manifests
from tests.kubernetes.sited import GPU, Site, is_ours, opened, where

STEPS = 60
INDEX = "batch.kubernetes.io/job-completion-index"
NAMES = ("a", "b", "c")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A cluster with a control plane that tries again at once."""
    monkeypatch.setattr(reflector, "LONGEST_PAUSE_S", 0.3)
    monkeypatch.setattr(reflector, "BROKEN_S", 0.3)
    monkeypatch.setattr(reflector, "WATCH_S", 2)
    with opened(tmp_path, monkeypatch) as made:
        yield made


class Weather:
    """What happens next, by a seed."""

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.chance = site, random.Random(seed)  # noqa: S311  # repeatable
        self.happened: list[str] = []

    def happen(self) -> None:
        """Let something happen, or nothing."""
        what = self.chance.choice([self.trouble, self.clear, self.give, self.delete, self.suspend, self.edit,
                                   self.foreign, self.die, self.forget, self.go_away, *[self.nothing] * 6])  # fmt: skip
        self.happened.append(what.__name__)
        with suppress(httpx.HTTPStatusError):
            what()

    def nothing(self) -> None:
        """Let nothing happen."""

    def trouble(self) -> None:
        """Have some requests of the control plane refused, and its events come late."""
        faults, share = self.site.api.faults, self.chance.choice([0.1, 0.4])
        faults.broken = lambda request: is_ours(request) and self.chance.random() < share
        faults.throttled = lambda request: is_ours(request) and self.chance.random() < share / 2
        faults.retry_after_s = 0
        faults.late_events_s = self.chance.choice([0.0, 0.2])

    def clear(self) -> None:
        """Let all be well."""
        faults = self.site.api.faults
        faults.broken = faults.throttled = None
        faults.late_events_s = 0.0

    def give(self) -> None:
        """Apply a job."""
        name, pods = self.chance.choice(NAMES), self.chance.choice([1, 2, 3])
        said = {"double/run-s": "2"} if self.chance.random() < 0.3 else {}
        body = manifests.job(name, pods=pods, devices={GPU: self.chance.choice([2, 4])})
        body["spec"]["template"]["metadata"] = {"annotations": {"double/stop-s": "1", **said}}
        self.site.give(body, self.chance.choice(["normal", "high", "urgent"]))

    def delete(self) -> None:
        """Delete a job."""
        self.site.rest.delete(f"{where('jobs')}/{self.chance.choice(NAMES)}", propagationPolicy="Background")

    def suspend(self) -> None:
        """Suspend a job by hand."""
        self.site.patch("jobs", self.chance.choice(NAMES), {"spec": {"suspend": True}})

    def edit(self) -> None:
        """Ask for more cores."""
        name = self.chance.choice(NAMES)
        container = self.site.object("jobs", name)["spec"]["template"]["spec"]["containers"][0]
        container["resources"]["requests"]["cpu"] = self.chance.choice(["1", "2"])
        self.site.patch("jobs", name, {"spec": {"template": {"spec": {"containers": [container]}}}})

    def foreign(self) -> None:
        """Let somebody's pod come, or go."""
        pod = manifests.pod("foreign", devices={GPU: 1}, nodeName=self.chance.choice(["gpu-a", "gpu-b"]))
        try:
            self.site.rest.create(pod | {"metadata": {"name": "foreign", "namespace": "ml"}})
        except httpx.HTTPStatusError:
            self.site.rest.delete("/api/v1/namespaces/ml/pods/foreign", gracePeriodSeconds=0)

    def die(self) -> None:
        """Kill the control plane, and start it again."""
        self.clear()
        self.site.close()
        self.site.open()

    def forget(self) -> None:
        """Let the server know no version from before."""
        self.site.api.store.restart()

    def go_away(self) -> None:
        """Let nobody answer for a moment."""
        self.site.take_away()
        for _ in range(5):
            self.site.stage.step()
        self.site.bring_back()


def alive(site: Site) -> dict[str, list[Any]]:
    """Return the pods of each Job that have not ended."""
    found: dict[str, list[Any]] = {name: [] for name in NAMES}
    for pod in site.rest.list("/api/v1/namespaces/ml/pods"):
        for owner in pod["metadata"].get("ownerReferences") or ():
            if pod["status"].get("phase") not in {"Succeeded", "Failed"}:
                found[owner["name"]].append(pod)
    return found


def check_always(site: Site) -> None:
    """Check what must hold at any moment, however bad the weather is."""
    taken: Counter[str] = Counter()
    for pods in alive(site).values():
        running = Counter(
            (pod["metadata"]["ownerReferences"][0]["uid"], pod["metadata"]["labels"][INDEX])
            for pod in pods
            if pod["status"].get("phase") == "Running"
        )
        assert max(running.values(), default=0) <= 1, "two write to one checkpoint"
        for pod in pods:
            limits = pod["spec"]["containers"][0]["resources"]["limits"]
            taken[pod["spec"].get("nodeName", "")] += int(limits[GPU])
    assert all(count <= 4 for host, count in taken.items() if host), taken
    open_attempts = Counter(job.job_id for job in site.plane.store.jobs() for a in job.attempts if a.is_open)
    assert max(open_attempts.values(), default=0) <= 1


def check_at_rest(site: Site) -> None:
    """Check what must hold when the weather is good again and all has come to rest."""
    jobs = {job.spec.origin: job for job in site.plane.store.jobs(open_only=False)}
    pods = alive(site)
    for found in site.rest.list(where("jobs")):
        metadata, name = found["metadata"], found["metadata"]["name"]
        job = jobs.get(f"jobs/ml/{name}/{metadata['uid']}")
        states = {pod["status"].get("phase") for pod in pods[name]}
        done = len(set((found.get("status") or {}).get("completedIndexes", "").replace("-", ",").split(",")) - {""})
        if job is not None and job.state.holds_room:
            assert states <= {"Running"}, site.told()
            assert len(pods[name]) + done >= found["spec"]["parallelism"], f"in part: {site.told()}"
        else:
            assert not pods[name], f"{job} has no room, and pods: {site.told()}"


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_no_gang_runs_in_part_or_twice_and_all_comes_to_rest(site: Site, seed: int) -> None:
    weather = Weather(site, seed)
    weather.give()
    for _ in range(STEPS):
        weather.happen()
        with suppress(HeadroomError, httpx.HTTPStatusError):
            site.turn()
        check_always(site)
    weather.clear()

    def rests() -> bool:
        check_always(site)
        states = {job.state for job in site.plane.store.jobs()}
        busy = any(pod["spec"].get("schedulingGates") or "deletionTimestamp" in pod["metadata"]
                   for pods in alive(site).values() for pod in pods)  # fmt: skip
        return not busy and not states & {"Admitted", "Preempting"} and site.knows()

    for _ in range(30):
        with suppress(HeadroomError, httpx.HTTPStatusError):
            site.turn()
    site.until(rests)
    check_at_rest(site)
