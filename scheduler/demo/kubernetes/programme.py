"""What is on the cluster of the Kubernetes demo, and which jobs people apply to it, and when."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from scheduler.config.schema import Config
from simulations.kubernetes import manifests

CONFIG: Final = Path(__file__).parent / "cluster.yaml"
ENDS_AT: Final = datetime(2012, 10, 2, 8, 0, tzinfo=UTC)
DEVICE: Final = "amd.com/gpu"
GPU_HOSTS, CPU_HOSTS, DEVICES_A_HOST, DEVICES_A_WORKER = 42, 8, 4, 2
RESEARCH, SERVING = "research", "serving"
"""Namespaces."""
BY_KNATIVE: Final = frozenset({"cope-a-9b"})
"""Models that KServe runs in Knative mode; all others in Standard mode."""
COME_UP_S: Final = 2700.0
"""Seconds of the world that a pod takes from its binding until it is ready: five of the wall's."""


@dataclass(frozen=True, slots=True)
class Application:
    """One RayJob of the demo.

    Attributes:
        at: when somebody applies it, on the world's clock.
        name: its name.
        priority: its priority class.
        workers: each takes `DEVICES_A_WORKER`.
        takes: how long it runs, undisturbed. The double's pods keep no checkpoints: who is suspended begins anew.
    """

    at: datetime
    name: str
    priority: str
    workers: int
    takes: timedelta

    def manifest(self) -> dict[str, Any]:
        """Return it as it is applied, suspended."""
        labels = {"headroom/queue": "default", "headroom/priority": self.priority}
        made = manifests.ray_job(
            self.name, workers=self.workers, labels=labels, cpu="16", memory="64Gi", devices={DEVICE: DEVICES_A_WORKER}
        )
        said = {"double/run-s": f"{self.takes.total_seconds():.0f}", "headroom/max-runtime": _text(self.takes)}
        made["metadata"] |= {"namespace": RESEARCH, "annotations": said}
        return made


def _text(span: timedelta) -> str:
    """Return how long a job says that it takes at most: twice what it does."""
    return f"{2 * span.total_seconds() / 3600:.0f}h"


def _application(minute: int, name: str, priority: str, workers: int, hours: float) -> Application:
    sunday = datetime(2012, 9, 30, 17, 0, tzinfo=UTC)
    return Application(sunday + timedelta(minutes=minute), name, priority, workers, timedelta(hours=hours))


APPLICATIONS: Final = (
    _application(0, "addlink-all", "high", 10, 24),
    _application(10, "article-topics", "normal", 8, 14),
    _application(20, "wikitext-lm", "low", 6, 9),
    _application(30, "image-suggest", "normal", 8, 14),
    _application(40, "readability", "low", 6, 9),
    _application(50, "revertrisk-v3", "high", 10, 24),
    _application(60, "section-embed", "normal", 8, 14),
    _application(70, "tone-check", "low", 6, 9),
    _application(80, "reference-need", "normal", 8, 14),
    _application(90, "language-id", "low", 6, 9),
)


def nodes() -> Iterator[dict[str, Any]]:
    """Yield the hosts."""
    for number in range(1, GPU_HOSTS + 1):
        yield manifests.node(f"ml-gpu{number:02}", cpu="96", memory="512Gi", devices={DEVICE: DEVICES_A_HOST})
    for number in range(1, CPU_HOSTS + 1):
        yield manifests.node(f"ml-cpu{number:02}", cpu="64", memory="256Gi")


def services(config: Config) -> Iterator[dict[str, Any]]:
    """Yield an InferenceService for each model of the configuration."""
    for model in config.models:
        asked = model.resources
        yield _in(
            SERVING,
            manifests.inference_service(
                model.name,
                replicas=(1, model.max_replicas or 1),
                annotations=_mode(model.name),
                cpu=f"{asked.cpus:g}",
                memory=f"{asked.memory}Mi",
                devices={DEVICE: int(asked.gpus)},
            ),
        )


def _mode(model: str) -> Mapping[str, str]:
    if model in BY_KNATIVE:
        return {}
    return {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "external"}


def _in(namespace: str, body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}
