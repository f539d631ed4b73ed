"""Numbers of the control loop and what it serves."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scheduler.control.patience import Patience
from scheduler.model.queues import Queue
from scheduler.model.workloads import ServingModel

if TYPE_CHECKING:
    from policies.capacity import CapacityRule  # loads numpy, which commands that only ask need not have


@dataclass(frozen=True, slots=True)
class Settings:
    """How the loop runs; seconds are the world's.

    Attributes:
        period_s: from one turn to the next.
        quantile: of the highest load within the lead time that replicas must cover, for instance 0.99.
        reactive: plan by the load of the moment with the margin, not by the forecast.
        margin: share added to the load where there is no forecast.
        scale_down_after_s: a replica goes only after it was not needed for this long.
        preemption_grace_s: longest grace period a job may ask for; part of the lead time.
        min_runtime_s: shortest useful run of a training job; room is held for peaks within the lead time and this.
        restart_cost_s: time an attempt needs before it makes progress again.
        joint_peak: hold room for the joint peak of models on one kind of device, not for each model's own.
        flash_crowd: share of past flash crowds that a reserve is held for; 0 for no reserve.
        queues: as the site declares them.
        usage_half_life_s: what was used so long ago counts half; 0 where use is not metered.
        silent_after_s: a traffic source whose last value is older is silent.
        outlooks: whether reports carry what people are shown of the coming load; a simulation that nobody watches
            saves the time.
        patience: with starts that fail or are never seen.
    """

    period_s: float = 30.0
    quantile: float = 0.99
    reactive: bool = False
    margin: float = 0.15
    scale_down_after_s: float = 600.0
    preemption_grace_s: float = 60.0
    min_runtime_s: float = 300.0
    restart_cost_s: float = 60.0
    joint_peak: bool = True
    flash_crowd: float = 0.0
    queues: tuple[Queue, ...] = ()
    usage_half_life_s: float = 0.0
    silent_after_s: float = 300.0
    outlooks: bool = True
    patience: Patience = field(default_factory=Patience)


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
    """

    model: ServingModel
    source: str
    share: float
    rule: "CapacityRule"
    latency_objective_s: float = 1.0
    owner: str = ""
    own_source: str = ""
    surge: int = 0
