"""Numbers of the control loop and what it serves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scheduler.control.patience import Patience
from scheduler.model.queues import Queue
from scheduler.model.workloads import ServingModel

if TYPE_CHECKING:
    from policies.capacity import CapacityRule  # loads numpy, which commands that only ask need not have

MAY_RUN: Final = "may-run"
"""Label of hosts on which the pods of a model's workload may run, with the model's name."""
SILENT_AFTER_S: Final = 300.0
SILENT_PERIODS: Final = 3
"""A traffic source is silent when its last value is older than so many seconds, and than so many turns of the loop."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the loop runs; seconds are the world's.

    Attributes:
        period_s: from one turn to the next.
        quantile: of the highest load within the lead time that replicas must cover, for instance 0.99.
        reactive: plan by the load of the moment with the margin, not by the forecast.
        margin: share added to the load where there is no forecast.
        fleet_step: share of a model's replicas by which one plan may have more than the one before, for a load that is
            only forecast; see `policies.headroom_rules.within_step`.
        scale_down_after_s: a replica goes only after it was not needed for this long.
        preemption_grace_s: longest grace period a job may ask for; part of the lead time.
        min_runtime_s: shortest useful run of a training job; room is held for peaks within the lead time and this.
        restart_cost_s: time an attempt needs before it makes progress again.
        joint_peak: hold room for the joint peak of models on one kind of device, not for each model's own.
        flash_crowd: share of past flash crowds that a reserve is held for; 0 for no reserve.
        queues: as the site declares them.
        usage_half_life_s: what was used so long ago counts half; 0 where use is not metered.
        silent_after_s: a traffic source whose last value is older is silent.
        community_gpus: devices that all community models together may hold; negative for any number.
        outlooks: whether reports carry what people are shown of the coming load; a simulation that nobody watches
            saves the time.
        patience: with starts that fail or are never seen.
    """

    period_s: float = 30.0
    quantile: float = 0.99
    reactive: bool = False
    margin: float = 0.15
    fleet_step: float = 1.0
    scale_down_after_s: float = 600.0
    preemption_grace_s: float = 60.0
    min_runtime_s: float = 300.0
    restart_cost_s: float = 60.0
    joint_peak: bool = True
    flash_crowd: float = 0.0
    queues: tuple[Queue, ...] = ()
    usage_half_life_s: float = 0.0
    silent_after_s: float = SILENT_AFTER_S
    community_gpus: float = -1.0
    outlooks: bool = True
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True)
class RolloutTerms:
    """How a new revision of a model takes over.

    Attributes:
        steps: share of the requests that it gets, one step after another, before it takes over.
        step_s: how long a step lasts at least.
        step_requests: requests that it must have answered in a step.
        patience_s: after which a step ends without them.
        false_alarms: of revisions that are no worse, at most this share is rolled back.
    """

    steps: tuple[float, ...] = (0.1, 0.5)
    step_s: float = 300.0
    step_requests: int = 100
    patience_s: float = 1800.0
    false_alarms: float = 0.01


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a model is, for people: what it does, its licence, where more is told of it, who trained it."""

    description: str = ""
    licence: str = ""
    source: str = ""
    trained_by: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """What a replica of a model runs.

    Attributes:
        import_path: "package.module:name" of a builder.
        args: for it.
        runtime_env: the environment of the replica.
    """

    import_path: str
    args: Mapping[str, str | float | bool] = field(default_factory=dict)
    runtime_env: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workload:
    """The object of a Kubernetes cluster that runs a model's replicas.

    Attributes:
        kind: "InferenceService" or "Deployment".
        namespace: where it is.
        name: what it is called.
    """

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Declared:
    """One revision of a model as a cluster must know it.

    Attributes:
        model: under the name by which it serves, with its revision and what a replica of it takes.
        application: what a replica runs; None where nothing real runs.
        latency_objective_s: a request that takes longer is late.
        share: part of the model's requests that its ready replicas get, no more than they can take; None: by their
            number.
        workload: what runs its replicas where a cluster's own controllers do.
    """

    model: ServingModel
    application: Application | None = None
    latency_objective_s: float = 1.0
    share: float | None = None
    workload: Workload | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A served model with where its load comes from and what it takes.

    Attributes:
        model: shape, limits, warm-up.
        source: name of its traffic source.
        share: requests to this model per request of the source.
        rule: load to replicas.
        latency_objective_s: a request that takes longer is late.
        owner: who answers for it.
        own_source: name of the source with the model's own requests, from which its share is learned; "" for none.
        surge: replicas that a rolling update starts beside the old ones.
        application: what a replica runs; None where nothing real runs.
        rollout: how a new revision takes over.
        card: what it is, for people.
        workload: what runs its replicas where a cluster's own controllers do.
    """

    model: ServingModel
    source: str
    share: float
    rule: "CapacityRule"
    latency_objective_s: float = 1.0
    owner: str = ""
    own_source: str = ""
    surge: int = 0
    application: Application | None = None
    rollout: RolloutTerms = field(default_factory=RolloutTerms)
    card: ModelCard = field(default_factory=ModelCard)
    workload: Workload | None = None

    def as_revision(self, number: int) -> "Served":
        """Return it as a revision of its model."""
        return replace(self, model=replace(self.model, revision=number, surge=max(1, self.surge)))

    def declared(self, share: float | None = None) -> Declared:
        """Return what a cluster must know of it."""
        return Declared(self.model, self.application, self.latency_objective_s, share, self.workload)
