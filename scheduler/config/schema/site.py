"""The whole of `cluster.yaml`."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from scheduler.config.schema.backends import Kubernetes, LocalRay, RemoteRay
from scheduler.config.schema.base import Section
from scheduler.config.schema.deciding import Control, PolicyNames
from scheduler.config.schema.people import Api, Limits, Retention, Router, SecretSource
from scheduler.config.schema.queues import QueueSection, queue_from_name
from scheduler.config.schema.serving import Model
from scheduler.config.schema.traffic import PrometheusTraffic, ReplayTraffic


class Replay(Section):
    """Run on a clock of the past that goes faster than the wall's."""

    start: Annotated[str, Field(examples=["2012-02-04T18:40:00Z"])]
    """RFC 3339 time at which the world's clock starts."""
    speed: Annotated[float, Field(gt=0)] = 1.0
    """World seconds per second of the wall."""


class Config(Section):
    """A whole `cluster.yaml`."""

    cluster: Annotated[str, Field(min_length=1, examples=["my-cluster"])]
    """Name of the cluster, for people."""
    state_dir: Path = Path(".headroom")
    """Directory of what must survive a restart; relative to where `headroom run` is started."""
    store: str = ""
    """SQLAlchemy URL; empty for SQLite in WAL mode inside `state_dir`."""
    backend: Annotated[LocalRay | RemoteRay | Kubernetes, Field(discriminator="kind")]
    """Where work runs."""
    control: Control = Control()
    """The control loop."""
    policy: PolicyNames = PolicyNames()
    """How to decide."""
    priorities: Annotated[dict[str, int], Field(min_length=1)] = Field(
        default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25}
    )
    """Priority classes; the higher goes first."""
    queues: Annotated[tuple[Annotated[QueueSection, BeforeValidator(queue_from_name)], ...], Field(min_length=1)] = (
        QueueSection(name="default"),
    )
    """Queues that jobs may name; default is always there."""
    limits: Limits = Limits()
    """How much of what there is one person may have."""
    retention: Retention = Retention()
    """For how long what is over is kept."""
    secrets: dict[Annotated[str, Field(min_length=1, examples=["hf-token"])], SecretSource] = Field(
        default_factory=dict
    )
    """Secrets by the names that jobs use."""
    api: Api = Api()
    """The HTTP API and the page."""
    router: Router = Router()
    """The front door of the served models."""
    replay: Replay | None = None
    """Run on a clock of the past."""
    traffic: dict[str, Annotated[ReplayTraffic | PrometheusTraffic, Field(discriminator="kind")]] = Field(
        default_factory=dict
    )
    """Traffic sources by name."""
    models: tuple[Model, ...] = ()
    """Served models, most important first: in this order they are kept alive when short."""
