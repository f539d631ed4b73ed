"""The cluster of the Kubernetes demo: a double of its API on loopback, and all who act on one, in this process."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from scheduler.config.schema import Config
from scheduler.control.ports import Clock
from scheduler.demo.kubernetes.programme import (
    COME_UP_S,
    CONFIG,
    RESEARCH,
    SERVING,
    Application,
    nodes,
    services,
)
from simulations.kubernetes import manifests
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.api import Api
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client

OURS: Final = "headroom"
RAY: Final = "ray.io/v1"


class DoubleCluster:
    """Hosts, models and people of the demo on the double; use it as a context manager.

    Args:
        config: whose models it serves.
        clock: the world's, by which all on the cluster go, too.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        api = Api(around=Surroundings(now=lambda: datetime.fromtimestamp(clock.now_s(), UTC)))
        api.definitions.ship()
        self._config, self._server, self.rest = config, Server(api), Rest(client(api))
        cast = Cast()
        cast.kubelets.start_s, cast.scheduler.packs = COME_UP_S, True
        self._stage = cast.stage(self.rest, api.around.now)

    def __enter__(self) -> Self:
        self._server.__enter__()
        for name in ("default", RESEARCH, SERVING):
            self.rest.create(manifests.namespace(name))
        for body in (*nodes(), *services(self._config)):
            self.rest.create(body)
        self._stage.settle()
        self._stage.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.stop()
        self._server.__exit__(kind, error, trace)

    def write_files(self, folder: Path) -> Path:
        """Write a kubeconfig, and the configuration of a control plane that goes by it; return the latter."""
        kubeconfig, config = folder / "kubeconfig", folder / "cluster.yaml"
        kubeconfig.write_text(json.dumps(_kubeconfig(self._server.url)), encoding="utf-8")
        document = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
        document["backend"]["kubeconfig"] = str(kubeconfig)
        for source in document["traffic"].values():
            source["file"] = str((CONFIG.parent / source["file"]).resolve())
        config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return config

    def apply(self, application: Application) -> None:
        """Create a job, as `kubectl apply` does."""
        self.rest.create(application.manifest())

    def status_of(self, name: str) -> str:
        """Return what Headroom last wrote on a job's object about how it stands."""
        body = self.rest.get(path(RAY, "rayjobs", RESEARCH, name))
        return str((body["metadata"].get("annotations") or {}).get("headroom/status", ""))

    def told_of(self, name: str) -> tuple[str, ...]:
        """Return the events that Headroom wrote about a job, oldest first, as `kubectl describe` shows them."""
        events = self._events(name)
        return tuple(f"{event['reason']}: {event.get('note') or event.get('message', '')}" for event in events)

    def revisions(self) -> int:
        """Return how many revisions of models there are: scaling by the wrong object would have made more."""
        return len(self.rest.list(path("serving.knative.dev/v1", "revisions", SERVING)))

    def _events(self, name: str) -> list[dict[str, Any]]:
        found = self.rest.list(path("events.k8s.io/v1", "events", RESEARCH))
        ours = [event for event in found if OURS in str(event.get("reportingController", ""))]
        about = [event for event in ours if (event.get("regarding") or {}).get("name") == name]
        return sorted(about, key=lambda event: str(event.get("eventTime", "")))


def _kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "double",
        "clusters": [{"name": "double", "cluster": {"server": url}}],
        "users": [{"name": "double", "user": {}}],
        "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
    }
