"""Served models and how their load becomes replicas."""

from typing import Annotated, Literal

from pydantic import Field

from scheduler.config.schema.base import DNS_NAME, MODEL_NAME, Resources, Section
from scheduler.config.units import DurationSeconds


class Application(Section):
    """The Ray Serve application of one replica."""

    import_path: Annotated[str, Field(examples=["my_service.app:build"])]
    """Module and builder of the application, as `serve run` takes it."""
    args: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Arguments of the builder."""
    runtime_env: dict[str, object] = Field(default_factory=dict)
    """Ray's runtime environment of the replica."""


class WorkloadSection(Section):
    """The object of a Kubernetes cluster that runs a model's replicas."""

    kind: Literal["InferenceService", "Deployment"]
    """Of the object: an InferenceService of KServe, or a Deployment."""
    namespace: Annotated[str, Field(pattern=DNS_NAME, min_length=1, examples=["edit-check"])]
    """Where it is."""
    name: Annotated[str, Field(pattern=DNS_NAME, min_length=1, examples=["edit-check"])]
    """What it is called."""


class TargetRate(Section):
    """Replicas by a target rate."""

    kind: Literal["rate"]
    """Replicas by a rate that each of them serves."""
    rps_per_replica: Annotated[float, Field(gt=0, examples=[15])]
    """Requests per second that one replica serves at the latency objective."""


class ErlangC(Section):
    """Replicas by the probability of waiting in an M/M/c queue."""

    kind: Literal["erlang-c"]
    """Replicas by the probability of waiting (Erlang C)."""
    service_time: Annotated[DurationSeconds, Field(gt=0, examples=["80ms"])]
    """Mean time one request takes."""
    concurrency: Annotated[int, Field(ge=1)] = 1
    """Requests a replica works on at once."""
    latency_objective: Annotated[DurationSeconds, Field(gt=0, examples=["500ms"])]
    """Time within which a request must be answered."""
    within: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of requests that must meet the objective."""


class ErlangA(Section):
    """Replicas by the probability of being taken up in time in an M/M/c+M queue: who waits too long gives up."""

    kind: Literal["erlang-a"]
    """Replicas by the probability of being taken up in time, when requests give up (Erlang A)."""
    service_time: Annotated[DurationSeconds, Field(gt=0, examples=["80ms"])]
    """Mean time one request takes."""
    concurrency: Annotated[int, Field(ge=1)] = 1
    """Requests a replica works on at once."""
    latency_objective: Annotated[DurationSeconds, Field(gt=0, examples=["500ms"])]
    """Time within which a request must be answered."""
    patience: Annotated[DurationSeconds, Field(gt=0, examples=["5s"])]
    """Mean time a request waits before its sender gives up."""
    within: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of all requests that must meet the objective; those that gave up do not."""


class RolloutSection(Section):
    """How a new revision takes over: it gets a part of the requests, is judged, and then replaces the old one."""

    steps: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.5)
    """Share of the requests that a new revision gets, one step after another; empty for no trial."""
    step_time: DurationSeconds = 300.0
    """How long a step lasts at least."""
    step_requests: Annotated[int, Field(ge=0)] = 100
    """Requests that the new revision must have answered in a step."""
    patience: DurationSeconds = 1800.0
    """After which a step ends without them."""
    false_alarms: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Of revisions that are no worse than the old one, at most this share is rolled back."""


class Card(Section):
    """What a model is, for people."""

    description: str = ""
    """What it does, in a sentence or two."""
    licence: Annotated[str, Field(examples=["Apache-2.0"])] = ""
    """Of its weights."""
    source: Annotated[str, Field(examples=["https://example.org/models/edit-check"])] = ""
    """Where more is told of it."""
    trained_by: str = ""
    """Who trained it."""


class Model(Section):
    """A served model."""

    name: Annotated[str, Field(pattern=MODEL_NAME, examples=["edit-check"])]
    """Unique name: lower-case letters, digits and hyphens."""
    owner: str = ""
    """Team that answers for it."""
    card: Card = Card()
    """What it is, for people."""
    community: bool = False
    """Whether the community trained it; shown apart, planned alike."""
    resources: Resources = Resources()
    """What one replica needs."""
    capacity: Annotated[TargetRate | ErlangC | ErlangA, Field(discriminator="kind")]
    """How load becomes replicas."""
    min_replicas: Annotated[int, Field(ge=0)] = 1
    """Never fewer."""
    max_replicas: Annotated[int, Field(ge=1)] = 1
    """Never more."""
    warm_up: DurationSeconds = 60.0
    """From the decision to start a replica until it answers; part of the lead time."""
    max_per_host: Annotated[int, Field(ge=0)] = 0
    """Most replicas on one host; 0 for no limit."""
    survive_host_losses: Annotated[int, Field(ge=0)] = 0
    """The demand must still be met when any so many hosts are lost."""
    rollout_surge: Annotated[int, Field(ge=0)] = 0
    """Replicas that a rolling update starts beside the old ones; room for one update at a time is held."""
    rollout: RolloutSection = RolloutSection()
    """How a new revision takes over."""
    traffic: Annotated[str, Field(examples=["enwiki"])]
    """Name of the traffic source."""
    share: Annotated[float, Field(gt=0)] = 1.0
    """Requests to this model per request of the source."""
    requests: Annotated[str, Field(examples=["edit-check"])] = ""
    """Name of a traffic source that measures the model's own requests; its share is then learned, and may change."""
    application: Application | None = None
    """What a replica runs; every model has one, or a `workload`, or says `served_elsewhere`."""
    workload: WorkloadSection | None = None
    """What runs its replicas on Kubernetes; Headroom scales it, unless the model says `served_elsewhere`, too."""
    served_elsewhere: bool = False
    """Whether others run its replicas: its peak is forecast and room for it is held, but nothing is started."""
    latency_objective: DurationSeconds = 1.0
    """A request that takes longer counts as late."""
