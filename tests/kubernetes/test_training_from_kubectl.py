"""Training from kubectl, with the whole control plane on the double: started whole, told why, never in part."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.backends.kubernetes import hosts, reflector
from scheduler.backends.kubernetes.usher import Usher
from scheduler.cli.composition.cluster import Seat
from scheduler.cli.composition.plane import ControlPlane, compose
from scheduler.cli.composition.state import store_url
from scheduler.config import wiring
from scheduler.config.loading import load_config
from scheduler.control.patience import Patience
from scheduler.control.records import JobRecord
from scheduler.model.errors import Unreachable
from scheduler.model.hosts import HostState
from scheduler.model.workloads import JobState
from scheduler.store.ownership import Candidacy
from simulations.kubernetes import manifests
from simulations.kubernetes.actors import nodes
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import Stage
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api, write_kubeconfig

GPU = "amd.com/gpu"
LONG_S = 30.0
"""Wall seconds that anything may take before a test gives up."""


@dataclass
class Site:
    """A cluster of two hosts with four devices each and one without, and a control plane for it.

    Attributes:
        api: the double.
        rest: an administrator's client.
        cast: all actors.
        stage: where they act.
        config: of the control plane.
        server: where the double answers.
        plane: it.
    """

    api: Any
    rest: Rest
    cast: Cast
    stage: Stage
    config: Any
    server: Server
    plane: ControlPlane = field(init=False)
    _open: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        """Remember where it answers."""
        self.port = int(self.server.url.rpartition(":")[2])

    def open(self) -> None:
        """Start a control plane."""
        candidacy = self._open.enter_context(Candidacy(store_url(self.config), holder="this test", address=""))
        self.plane = compose(self.config, self.config.backend, Seat(candidacy.insist(), ""))
        self._open.callback(self.plane.close)
        self.plane.cluster.claim()

    def close(self) -> None:
        """End it; the cluster is told nothing."""
        self._open.close()

    def turn(self) -> None:
        """Let the actors act, and the control plane take a turn."""
        self.stage.step()
        self.plane.cycle.turn()
        time.sleep(0.02)

    def take_away(self) -> None:
        """Let nobody answer any more; what runs goes on."""
        self.server.__exit__(None, None, None)

    def bring_back(self) -> None:
        """Let a new server answer in its place, which knows no version from before."""
        self.api.store.restart()
        self.server = self._open.enter_context(Server(self.api, self.port))

    def knows(self) -> bool:
        """Whether the control plane knows its cluster."""
        with suppress(Unreachable):
            self.plane.cluster.observe()
            return True
        return False

    def until(self, holds: Callable[[], object]) -> None:
        """Take turns until something holds."""
        due_s = time.monotonic() + LONG_S
        while not holds():
            assert time.monotonic() < due_s, self.told()
            with suppress(Unreachable, httpx.HTTPStatusError):
                self.turn()

    def told(self) -> str:
        """Return all that was told, for a test that fails."""
        events = [f"{event.title} {event.detail}" for event in self.plane.store.events()]
        return "\n".join([*events, *map(str, self.pods())])

    def give(self, body: dict[str, Any], priority: str = "normal", **annotations: str) -> None:
        """Apply an object with our labels."""
        labels = {"headroom/queue": "default", "headroom/priority": priority}
        said = {key.replace("_", "/", 1): value for key, value in annotations.items()}
        metadata = {**body["metadata"], "namespace": "ml", "labels": labels, "annotations": said}
        self.rest.create({**body, "metadata": metadata})

    def job(self, name: str) -> JobRecord:
        """Return the newest job of a name."""
        return [job for job in self.plane.store.jobs(open_only=False) if job.spec.name == name][-1]

    def is_in(self, name: str, state: JobState) -> Callable[[], bool]:
        """Return a condition: the newest job of a name is in a state."""

        def holds() -> bool:
            with suppress(IndexError):
                return self.job(name).state is state
            return False

        return holds

    def why(self, name: str) -> str:
        """Return why a job waits, as the last plan says."""
        report = self.plane.board.report
        unplaced = report.cycle.plan.reason_for(self.job(name).job_id) if report else None
        return unplaced.message if unplaced else ""

    def pods(self) -> dict[str, tuple[str, str]]:
        """Return phase and host of all pods, by name."""
        return {
            pod["metadata"]["name"]: (pod["status"].get("phase", ""), pod["spec"].get("nodeName", ""))
            for pod in self.rest.list("/api/v1/namespaces/ml/pods")
        }

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object."""
        return self.rest.get(f"{where(kind)}/{name}")

    def said(self, kind: str, name: str) -> str:
        """Return what stands on an object for people."""
        return str((self.object(kind, name)["metadata"].get("annotations") or {}).get("headroom/status", ""))

    def events(self, name: str) -> list[str]:
        """Return the reasons of our events about an object, the oldest first."""
        found = self.rest.list("/api/v1/namespaces/ml/events")
        ours = [e for e in found if e.get("reportingComponent") == "headroom/control-plane"]
        return [e["reason"] for e in ours if e["involvedObject"]["name"] == name]

    def patch(self, kind: str, name: str, patch: dict[str, Any]) -> None:
        """Patch an object, as people do."""
        self.rest.patch(f"{where(kind)}/{name}", patch)


def where(kind: str) -> str:
    """Return where objects of a kind are."""
    group = {"jobs": "batch/v1", "rayjobs": "ray.io/v1"}[kind]
    return f"/apis/{group}/namespaces/ml/{kind}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A cluster with a control plane; failed starts are tried again soon."""
    monkeypatch.setattr(wiring, "Patience", partial(Patience, backoff_s=0.2))
    api = fresh_api()
    rest, cast = Rest(client(api)), Cast()
    rest.create(manifests.namespace("ml"))
    for name in ("gpu-a", "gpu-b"):
        rest.create(manifests.node(name, cpu="16", memory="64Gi", devices={GPU: 4}))
    rest.create(manifests.node("cpu-a", cpu="16", memory="64Gi"))
    with Server(api) as server:
        write_kubeconfig(tmp_path / "kubeconfig", server.url)
        backend = {"kind": "kubernetes", "kubeconfig": str(tmp_path / "kubeconfig"), "gather": "2s", "bind": "2s"}
        text = {
            "cluster": "test",
            "policy": {"min_runtime": "0s"},
            "control": {"lost_after": "1s"},
            "state_dir": str(tmp_path / "state"),
            "backend": backend,
        }
        (tmp_path / "cluster.yaml").write_text(json.dumps(text), encoding="utf-8")
        config = load_config(tmp_path / "cluster.yaml")
        made = Site(api, rest, cast, cast.stage(rest, lambda: datetime.now(UTC)), config, server)
        made.stage.settle()
        made.open()
        yield made
        made.close()


def four(name: str, workers: int = 2, **spec: Any) -> dict[str, Any]:
    """Return a batch Job whose pods take all devices of a host each."""
    return manifests.job(name, pods=workers, devices={GPU: 4}, **spec)


def test_a_job_waits_with_a_reason_starts_whole_gives_way_and_goes_on(site: Site) -> None:
    site.give(manifests.ray_job("first", workers=2, devices={GPU: 4}))
    site.until(site.is_in("first", JobState.RUNNING))
    assert [host for phase, host in site.pods().values() if host.startswith("gpu")].count("gpu-a") >= 1
    site.give(four("second", workers=1))
    site.until(site.is_in("second", JobState.PENDING))
    site.turn()
    assert "no host has any free" in site.why("second")
    site.until(lambda: site.said("jobs", "second").startswith("InsufficientDevices: job 2: needs 4 GPUs"))
    site.rest.delete(f"{where('jobs')}/second", propagationPolicy="Background")
    site.give(four("urgent"), priority="urgent")
    site.until(site.is_in("urgent", JobState.RUNNING))
    assert site.job("first").state is JobState.PREEMPTED
    assert site.object("rayjobs", "first")["spec"]["suspend"] is True
    site.rest.delete(f"{where('jobs')}/urgent", propagationPolicy="Background")
    site.until(site.is_in("first", JobState.RUNNING))
    assert site.job("first").attempts[-1].number == 2
    site.until(lambda: site.said("rayjobs", "first").startswith("Running: job 1 on gpu-a"))
    site.until(lambda: {"Running", "Preempting"} <= set(site.events("first")))
    assert site.job("urgent").state is JobState.STOPPED


def test_a_job_that_is_deleted_while_it_runs_is_over_and_its_room_is_free(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.give(four("second"))
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.until(site.is_in("second", JobState.RUNNING))
    assert site.job("first").state is JobState.STOPPED


def test_a_job_that_is_edited_while_it_waits_starts_as_it_is_then(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.give(four("second"))
    site.until(site.is_in("second", JobState.PENDING))
    site.patch("jobs", "second", {"spec": {"parallelism": 1, "completions": 1}})
    site.until(lambda: site.job("second").spec.gang.workers == 1)
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.until(site.is_in("second", JobState.RUNNING))
    assert len(site.job("second").attempts[-1].slots) == 1


def apply_again(site: Site) -> None:
    """Apply the object as a GitOps tool does, by force."""
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "first"}, "spec": {"suspend": True}}
    site.rest.patch(f"{where('jobs')}/first", body, "apply", fieldManager="gitops", force="true")


def suspend_by_hand(site: Site) -> None:
    """Suspend it, as `kubectl patch` does."""
    site.patch("jobs", "first", {"spec": {"suspend": True}})


@pytest.mark.parametrize("stop", [suspend_by_hand, apply_again])
def test_a_job_that_others_suspend_is_held_and_told_and_goes_on_when_somebody_says_so(
    site: Site, stop: Callable[[Site], None]
) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    stop(site)
    site.until(site.is_in("first", JobState.HELD))
    assert "stopped on the cluster itself, not by Headroom" in site.job("first").hold_reason
    for _ in range(5):
        site.turn()
    assert site.object("jobs", "first")["spec"]["suspend"] is True, "it is not fought"
    site.plane.service.resume(site.job("first").job_id)
    site.until(site.is_in("first", JobState.RUNNING))


def test_a_hold_on_the_cluster_ends_there(site: Site) -> None:
    site.give(four("first"), headroom_hold="until the data is there")
    site.until(site.is_in("first", JobState.HELD))
    site.patch("jobs", "first", {"metadata": {"annotations": {"headroom/hold": None}}})
    site.until(site.is_in("first", JobState.RUNNING))


def test_what_cannot_be_taken_says_so_on_itself(site: Site) -> None:
    site.give(four("first", workers=1, nodeSelector={"rack": "9"}))
    site.until(lambda: site.said("jobs", "first").startswith("Refused: no host has"))
    site.until(lambda: site.events("first") == ["Refused"])


def test_two_of_one_name_after_each_other_are_two_jobs(site: Site) -> None:
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    before = site.job("first").job_id
    site.rest.delete(f"{where('jobs')}/first", propagationPolicy="Background")
    site.give(four("first"))
    site.until(lambda: site.job("first").job_id != before and site.is_in("first", JobState.RUNNING)())
    assert site.plane.store.job(before).state is JobState.STOPPED


def test_a_gang_of_which_the_quota_refuses_a_pod_is_given_up_whole_and_tried_again(site: Site) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "ml"}}
    site.rest.create({**quota, "spec": {"hard": {"pods": "1"}}})
    site.give(four("first"))
    site.until(lambda: site.is_in("first", JobState.PENDING)() and site.job("first").attempts)
    said = site.job("first").attempts[0].message
    assert "could not be started: 1 of its 2 pods were there within 2 s" in said
    assert "exceeded quota" in said
    assert not any(phase == "Running" for phase, _ in site.pods().values())
    site.rest.patch("/api/v1/namespaces/ml/resourcequotas/q", {"spec": {"hard": {"pods": "9"}}})
    site.until(site.is_in("first", JobState.RUNNING))


def test_who_takes_the_host_between_the_check_and_the_binding_ends_the_start_and_nothing_is_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_in = Usher._do
    taken: list[str] = []

    def late(usher: Usher, attempt: Any, what: Any, caches: Any) -> None:
        if what is not None and not taken:
            body = manifests.pod("foreign", devices={GPU: 1}, nodeName="gpu-b")
            site.rest.create(body | {"metadata": {"name": "foreign", "namespace": "ml"}})
            taken.append("gpu-b")
        let_in(usher, attempt, what, caches)

    monkeypatch.setattr(Usher, "_do", late)
    site.give(four("first"))
    site.until(lambda: taken and site.job("first").attempts and not site.job("first").attempts[0].is_open)
    assert "could not be started: not all of its pods were bound within 2 s" in site.job("first").attempts[0].message
    assert list(site.pods()) == ["foreign"]
    site.rest.delete("/api/v1/namespaces/ml/pods/foreign")
    site.until(site.is_in("first", JobState.RUNNING))


def test_a_gang_whose_host_goes_is_stopped_whole_and_goes_on_when_its_last_pod_is_known_to_be_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "PATIENCE_S", 1.0)
    monkeypatch.setattr(nodes, "SILENT_FOR_S", 1.0)
    site.cast.kubelets.heartbeats = True
    site.rest.create(manifests.namespace("kube-node-lease"))
    site.give(four("first", workers=1))
    site.until(site.is_in("first", JobState.RUNNING))
    (lost,) = [slot.host for slot in site.job("first").attempts[-1].slots]
    site.cast.kubelets.lost.add(lost)
    site.until(lambda: {h.name: h.state for h in site.plane.cluster.observe().hosts}[lost] is HostState.LOST)
    site.until(site.is_in("first", JobState.HELD))
    assert f"pods of it still end on {lost}, which is away" in site.job("first").hold_reason
    assert len(site.pods()) == 1, "the other one may still write to its checkpoint"
    site.cast.kubelets.lost.discard(lost)
    site.until(site.is_in("first", JobState.RUNNING))
    assert len(site.pods()) == 1


def test_a_control_plane_that_dies_starts_nothing_twice(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Usher, "look", lambda _: None)
        site.give(four("first"))
        site.until(site.is_in("first", JobState.ADMITTED))
        site.stage.settle()
        assert {phase for phase, _ in site.pods().values()} == {"Pending"}
        site.close()
    site.open()
    site.until(site.is_in("first", JobState.RUNNING))
    assert len(site.pods()) == 2
    assert [attempt.number for attempt in site.job("first").attempts] == [1]


def test_while_the_api_is_away_nothing_is_decided_and_nothing_is_doubled_after(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflector, "BROKEN_S", 0.1)
    site.give(four("first"))
    site.until(site.is_in("first", JobState.RUNNING))
    site.take_away()
    site.until(lambda: not site.knows())
    with pytest.raises(Unreachable, match="is not known"):
        site.plane.cycle.turn()
    site.bring_back()
    site.give(four("second"))
    site.until(site.knows)
    site.until(site.is_in("second", JobState.PENDING))
    assert len(site.pods()) == 2
    assert site.job("first").state is JobState.RUNNING
