"""What the control loop serves."""

from dataclasses import dataclass

from policies.capacity import CapacityRule
from scheduler.model.workloads import ServingModel


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
    rule: CapacityRule
    latency_objective_s: float = 1.0
    owner: str = ""
    own_source: str = ""
    surge: int = 0
