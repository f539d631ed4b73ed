"""From a configuration's sections to what the control loop is made of; live and in simulations alike."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from policies.capacity import CapacityRule, ErlangA, ErlangC, TargetRate
from policies.registry import policy_from_names
from scheduler.config import schema
from scheduler.config.nouns import serving_model_of
from scheduler.config.queues import order_name, queues_of
from scheduler.control.patience import Patience
from scheduler.control.service.admission import PersonLimits
from scheduler.control.service.secrets import Secret
from scheduler.control.settings import (
    MAY_RUN,
    SILENT_AFTER_S,
    SILENT_PERIODS,
    Application,
    ModelCard,
    RolloutTerms,
    Served,
    Settings,
    Workload,
)
from scheduler.control.upkeep.retention import Retention
from scheduler.model.plan import Consolidation
from scheduler.model.policy import Policy
from scheduler.model.workloads import ServingModel

OF_JOBS: Final = ("logs", "checkpoints")
"""Keys of `retention` for what belongs to jobs."""


def policy_of(names: schema.PolicyNames, queues: Iterable[schema.QueueSection] = ()) -> Policy:
    """Return the policy that the names stand for, at a site with these queues.

    Raises:
        ConfigError: a name that nobody knows.
    """
    return policy_from_names(
        queue_order=order_name(names.queue_order, queues),
        placement_score=names.placement_score,
        victim_cost=names.victim_cost,
        may_preempt=names.may_preempt,
        may_displace=names.may_displace,
        min_runtime_s=names.min_runtime,
        reservation_s=names.reservation,
        bookings=names.bookings,
        ageing_per_hour=names.ageing_per_hour,
        ageing_most=names.ageing_most,
        consolidation=Consolidation(names.consolidation),
        moves_per_hour=names.moves_per_hour,
        move_again_after_s=names.move_again_after,
        grow_after_s=names.grow_after,
    )


def secrets_of(sections: Mapping[str, schema.SecretSource]) -> dict[str, Secret]:
    """Return where the site's secrets lie, by name."""
    return {name: Secret(section.file, section.env, section.owners) for name, section in sections.items()}


def limits_of(section: schema.Limits, queues: Iterable[schema.QueueSection]) -> PersonLimits:
    """Return how much of what there is one person may have."""
    by_queue = {queue.name: queue.highest_priority for queue in queues if queue.highest_priority}
    return PersonLimits(
        section.pending_jobs_per_owner, {str(role): name for role, name in section.highest_priority.items()}, by_queue
    )


def retention_of(section: schema.Retention) -> Retention:
    """Return for how long what is over is kept: what belongs to a job goes with it at the latest."""
    logs_s, checkpoints_s = (_sooner(getattr(section, key), section.jobs) for key in OF_JOBS)
    return Retention(section.jobs, section.events, logs_s, checkpoints_s, section.packages, section.artifacts)


def _sooner(kept_s: float, most_s: float) -> float:
    """Return the shorter of two times, of which 0 is for ever."""
    return min(kept_s or most_s, most_s or kept_s)


def settings_of(
    control: schema.Control, policy: schema.PolicyNames, queues: Sequence[schema.QueueSection] = ()
) -> Settings:
    """Return the numbers of the loop."""
    shares = order_name(policy.queue_order, queues) == "fair-share"
    return Settings(
        period_s=control.period,
        quantile=control.quantile,
        reactive=control.reactive,
        margin=control.margin,
        fleet_step=control.fleet_step,
        scale_down_after_s=control.scale_down_after,
        preemption_grace_s=control.preemption_grace,
        min_runtime_s=policy.min_runtime,
        joint_peak=control.joint_peak,
        flash_crowd=control.reserve.flash_crowd,
        queues=queues_of(queues),
        usage_half_life_s=policy.usage_half_life if shares else 0.0,
        silent_after_s=max(SILENT_AFTER_S, SILENT_PERIODS * control.period),
        community_gpus=-1.0 if control.community_gpus is None else control.community_gpus,
        patience=Patience(lost_s=control.lost_after),
    )


def served_of(models: Iterable[schema.Model]) -> tuple[Served, ...]:
    """Return the served models in the order in which they are declared: most important first."""
    return tuple(
        Served(
            model=_where_its_pods_may_go(serving_model_of(model)) if model.workload else serving_model_of(model),
            source=model.traffic,
            share=model.share,
            rule=_rule(model.capacity),
            latency_objective_s=model.latency_objective,
            owner=model.owner,
            own_source=model.requests,
            surge=model.rollout_surge,
            application=_application(model.application),
            rollout=RolloutTerms(
                steps=model.rollout.steps,
                step_s=model.rollout.step_time,
                step_requests=model.rollout.step_requests,
                patience_s=model.rollout.patience,
                false_alarms=model.rollout.false_alarms,
            ),
            card=ModelCard(**model.card.model_dump()),
            workload=None if model.workload is None else Workload(**model.workload.model_dump()),
        )
        for model in models
    )


def _where_its_pods_may_go(model: ServingModel) -> ServingModel:
    """Return a model that asks for the label which its workload's hosts carry."""
    labels = sorted({*model.shape.host_labels, (MAY_RUN, model.name)})
    return replace(model, shape=replace(model.shape, host_labels=tuple(labels)))


def served_from(body: str) -> Served:
    """Return a model of which the store has kept the section as JSON; what is new since has its default."""
    return served_of([schema.Model.model_validate_json(body, strict=False)])[0]


def _application(section: schema.Application | None) -> Application | None:
    return None if section is None else Application(section.import_path, section.args, section.runtime_env)


def _rule(capacity: schema.TargetRate | schema.ErlangC | schema.ErlangA) -> CapacityRule:
    match capacity:
        case schema.TargetRate():
            return TargetRate(capacity.rps_per_replica)
        case schema.ErlangC():
            return ErlangC(
                service_time_s=capacity.service_time,
                concurrency=capacity.concurrency,
                latency_objective_s=capacity.latency_objective,
                within=capacity.within,
            )
        case schema.ErlangA():
            return ErlangA(
                service_time_s=capacity.service_time,
                concurrency=capacity.concurrency,
                latency_objective_s=capacity.latency_objective,
                patience_s=capacity.patience,
                within=capacity.within,
            )
