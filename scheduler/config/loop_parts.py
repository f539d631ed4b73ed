"""From configuration to the parts of the control loop, the same for live, demo and simulation."""

from policies.capacity import ErlangC as ErlangCRule
from policies.capacity import TargetRate as TargetRateRule
from policies.registry import policy_from_names
from scheduler.config.nouns import serving_model_of
from scheduler.config.schema import Config, ErlangC, Model, TargetRate
from scheduler.control.settings import CapacityRule, Served, Settings
from scheduler.model.policy import Policy

SILENT_PERIODS = 3
"""A traffic source that says nothing new for so many periods is silent, however long the period."""


def settings_of(config: Config) -> Settings:
    """Return the numbers of the loop."""
    control, usual = config.control, Settings()
    return Settings(
        period_s=control.period,
        quantile=control.quantile,
        reactive=control.reactive,
        margin=control.margin,
        scale_down_after_s=control.scale_down_after,
        preemption_grace_s=control.preemption_grace,
        min_runtime_s=config.policy.min_runtime,
        silent_after_s=max(usual.silent_after_s, SILENT_PERIODS * control.period),
    )


def policy_of(config: Config) -> Policy:
    """Return how the site decides.

    Raises:
        ConfigError: a policy that nobody knows.
    """
    names = config.policy
    return policy_from_names(
        queue_order=names.queue_order,
        placement_score=names.placement_score,
        victim_cost=names.victim_cost,
        may_preempt=names.may_preempt,
        min_runtime_s=names.min_runtime,
        reservation_s=names.reservation,
    )


def served_of(model: Model) -> Served:
    """Return a model with where its load comes from and what it takes."""
    return Served(
        model=serving_model_of(model),
        source=model.traffic,
        share=model.share,
        rule=rule_of(model.capacity),
        latency_objective_s=model.latency_objective,
        owner=model.owner,
    )


def rule_of(capacity: TargetRate | ErlangC) -> CapacityRule:
    """Return the rule that turns a load into replicas."""
    if isinstance(capacity, TargetRate):
        return TargetRateRule(capacity.rps_per_replica)
    return ErlangCRule(
        service_time_s=capacity.service_time,
        latency_objective_s=capacity.latency_objective,
        concurrency=capacity.concurrency,
        within=capacity.within,
    )
