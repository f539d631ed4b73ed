"""A small cluster on the double with all its actors, and the whole control plane for it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.cli.composition.cluster import Seat
from scheduler.cli.composition.plane import ControlPlane, compose
from scheduler.cli.composition.state import store_url
from scheduler.config import wiring
from scheduler.config.loading import load_config
from scheduler.control.patience import Patience
from scheduler.control.records import JobRecord
from scheduler.model.errors import Unreachable
from scheduler.model.workloads import JobState
from scheduler.store.ownership import Candidacy
from simulations.kubernetes import manifests
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import Stage
from simulations.kubernetes.requests import Request
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from tests.kubernetes.conftest import fresh_api, write_kubeconfig
from tests.kubernetes.rights import OURS, administrator, let_schedule

GPU = "amd.com/gpu"
LONG_S = 120.0
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
        time.sleep(0.05)

    def take_away(self) -> None:
        """Let nobody answer any more; what runs goes on."""
        self.server.stop()

    def bring_back(self) -> None:
        """Let a new server answer in its place, which knows no version from before."""
        self.api.store.restart()
        self.server.start()

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


@contextmanager
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **sections: Any) -> Iterator[Site]:
    """Yield a cluster with a control plane; starts that fail, or are never seen, are tried again soon.

    Further sections of its file may be given.
    """
    monkeypatch.setattr(wiring, "Patience", partial(Patience, start_s=3.0, backoff_s=0.2))
    api = fresh_api()
    rest, cast = administrator(api), Cast()
    rest.create(manifests.namespace("ml"))
    let_schedule(rest, "ml")
    for name in ("gpu-a", "gpu-b"):
        rest.create(manifests.node(name, cpu="16", memory="64Gi", devices={GPU: 4}))
    rest.create(manifests.node("cpu-a", cpu="16", memory="64Gi"))
    with Server(api) as server:
        write_kubeconfig(tmp_path / "kubeconfig", server.url, OURS)
        backend = {"kind": "kubernetes", "kubeconfig": str(tmp_path / "kubeconfig"), "gather": "4s", "bind": "4s"}
        text = {
            "cluster": "test",
            "policy": {"min_runtime": "0s"},
            "control": {"lost_after": "1s"},
            "state_dir": str(tmp_path / "state"),
            "backend": backend,
            **sections,
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


def is_ours(request: Request) -> bool:
    """Whether a request comes from the control plane."""
    return "headroom-double" not in request.headers.get("user-agent", "")
