"""The shape of `cluster.yaml`, validated by pydantic; every field says what it means and in what unit.

Durations ("30s", "10m", "6h", "1d12h") and sizes ("8Gi", "16G") are read into numbers by the annotated types of
`scheduler.config.units`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from scheduler.config.units import DurationSeconds, SizeMib


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Resources(Section):
    """What one worker or replica needs on a single host."""

    cpus: Annotated[float, Field(ge=0)] = 1.0
    memory: SizeMib = 1024
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """Whole devices, or a share of one below 1."""
    gpu_model: tuple[str, ...] = ()
    """GPU models that will do; one name or a list; empty for any."""
    gpu_memory: SizeMib = 0
    """Least memory of a device."""
    host_labels: dict[str, str] = Field(default_factory=dict)


class LocalHost(Section):
    """One host (or several alike) of the embedded local Ray cluster; its GPUs are bookkeeping, not hardware."""

    name: str
    cpus: Annotated[int, Field(ge=1)] = 4
    memory: SizeMib = 8192
    gpus: Annotated[int, Field(ge=0)] = 0
    gpu_model: str = ""
    gpu_memory: SizeMib = 0
    labels: dict[str, str] = Field(default_factory=dict)


class LocalRay(Section):
    """Start a Ray cluster of fake hosts on this machine."""

    kind: Literal["local"]
    hosts: tuple[LocalHost, ...] = Field(min_length=1)


class RemoteRay(Section):
    """Use a Ray cluster that runs already."""

    kind: Literal["ray"]
    address: str
    """Host and port of the head's GCS, for instance 10.0.0.5:6379."""
    dashboard: str
    """URL of the head's dashboard, for instance http://10.0.0.5:8265."""


class ReplayTraffic(Section):
    """Traffic from a CSV or Parquet file, moved so that it plays on the control plane's clock."""

    kind: Literal["replay"]
    file: Path
    timestamp: str = "timestamp"
    value: str = "requests"
    zone: str = "UTC"
    scale: Annotated[float, Field(gt=0)] = 1.0
    """The file's values are requests per bin; they are divided by the bin's seconds and multiplied by this."""


class PrometheusTraffic(Section):
    """Traffic from a Prometheus server."""

    kind: Literal["prometheus"]
    url: str
    query: str
    """PromQL that yields one series in requests per second."""
    step: DurationSeconds = 3600.0
    history: DurationSeconds = 42 * 86400.0
    zone: str = "UTC"


class Application(Section):
    """The Ray Serve application of one replica."""

    import_path: str
    args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    runtime_env: dict[str, object] = Field(default_factory=dict)


class TargetRate(Section):
    """Replicas by a target rate."""

    kind: Literal["rate"]
    rps_per_replica: Annotated[float, Field(gt=0)]


class ErlangC(Section):
    """Replicas by the probability of waiting in an M/M/c queue."""

    kind: Literal["erlang-c"]
    service_time: DurationSeconds
    concurrency: Annotated[int, Field(ge=1)] = 1
    latency_objective: DurationSeconds
    within: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of requests that must meet the objective."""


class Model(Section):
    """A served model."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    owner: str = ""
    community: bool = False
    resources: Resources = Resources()
    capacity: Annotated[TargetRate | ErlangC, Field(discriminator="kind")]
    min_replicas: Annotated[int, Field(ge=0)] = 1
    max_replicas: Annotated[int, Field(ge=1)] = 1
    warm_up: DurationSeconds = 60.0
    max_per_host: Annotated[int, Field(ge=0)] = 0
    survive_host_losses: Annotated[int, Field(ge=0)] = 0
    traffic: str
    """Name of the traffic source."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """Requests to this model per request of the source."""
    application: Application | None = None
    latency_objective: DurationSeconds = 1.0
    """A request that takes longer counts as late."""


class Control(Section):
    """The control loop."""

    period: DurationSeconds = 30.0
    quantile: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    """Quantile of the highest load within the lead time that replicas must cover."""
    reactive: bool = False
    """Plan by the load of the moment with the margin, not by the forecast."""
    margin: Annotated[float, Field(ge=0)] = 0.15
    """Added to the load when there is no forecast."""
    scale_down_after: DurationSeconds = 600.0
    """A replica goes only after it was not needed for this long."""
    preemption_grace: DurationSeconds = 60.0
    """Longest grace period a job may ask for; part of the lead time."""


class PolicyNames(Section):
    """Policies by their name in `policies.registry`, and their numbers."""

    queue_order: str = "priority"
    placement_score: str = "best-fit"
    victim_cost: str = "lost-work"
    may_preempt: str = "higher-priority"
    min_runtime: DurationSeconds = 300.0
    reservation: DurationSeconds = 900.0


class Token(Section):
    """A bearer token of the API, known by its digest only."""

    name: str
    role: Literal["viewer", "submitter", "operator"]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Api(Section):
    """The HTTP API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    tokens: tuple[Token, ...] = ()
    """Needed on any address but loopback."""


class Replay(Section):
    """Run on a clock of the past that goes faster than the wall's."""

    start: str
    """RFC 3339 time at which the world's clock starts."""
    speed: Annotated[float, Field(gt=0)] = 1.0


class Config(Section):
    """A whole `cluster.yaml`."""

    cluster: str
    state_dir: Path = Path(".headroom")
    store: str = ""
    """SQLAlchemy URL; empty for SQLite in WAL mode inside `state_dir`."""
    backend: Annotated[LocalRay | RemoteRay, Field(discriminator="kind")]
    control: Control = Control()
    policy: PolicyNames = PolicyNames()
    priorities: dict[str, int] = Field(default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25})
    queues: tuple[str, ...] = ("default",)
    api: Api = Api()
    replay: Replay | None = None
    traffic: dict[str, Annotated[ReplayTraffic | PrometheusTraffic, Field(discriminator="kind")]] = Field(
        default_factory=dict
    )
    models: tuple[Model, ...] = ()
