"""How the loop runs and decides."""

from typing import Annotated, Final, Literal

from pydantic import Field

from policies.choices import DEFAULTS as CHOSEN
from scheduler.config.schema.base import Section
from scheduler.config.units import DurationSeconds
from scheduler.control.settings import Settings

LOOP: Final = Settings()
"""The loop where a site chooses nothing."""


class Reserve(Section):
    """Room held beyond the forecast's peak, for what no forecast knows of."""

    flash_crowd: Annotated[float, Field(ge=0, le=1, examples=[0.9])] = 0.0
    """Share of the flash crowds in a source's history that room is held for; 0 for no reserve."""


class Control(Section):
    """The control loop."""

    period: Annotated[DurationSeconds, Field(gt=0)] = LOOP.period_s
    """Time between two plans."""
    quantile: Annotated[float, Field(gt=0.5, lt=1)] = LOOP.quantile
    """Quantile of the highest load within the lead time that replicas must cover; a model that promises more than .999
    of its requests in time (`within`) is planned by a higher one: .9999 by .999."""
    reactive: bool = LOOP.reactive
    """Plan by the load of the moment with the margin, not by the forecast."""
    margin: Annotated[float, Field(ge=0)] = LOOP.margin
    """Added to the load when there is no forecast."""
    fleet_step: Annotated[float, Field(gt=0)] = LOOP.fleet_step
    """Share of a model's replicas by which one plan may have more than the one before for what is only forecast, two
    in any case; what the load of the moment needs is never held back. Down by as much again: 1 doubles and halves."""
    scale_down_after: DurationSeconds = LOOP.scale_down_after_s
    """A replica goes only after it was not needed for this long."""
    preemption_grace: DurationSeconds = LOOP.preemption_grace_s
    """Longest grace period a job may ask for; part of the lead time."""
    lost_after: Annotated[DurationSeconds, Field(gt=0)] = LOOP.patience.lost_s
    """A job is started elsewhere when a host of it has been silent for this long; at once where the cluster knows that
    the host is dead. Until then it may still be running there."""
    joint_peak: bool = LOOP.joint_peak
    """Hold room for the joint peak of models on one kind of device; else for each model's own peak."""
    reserve: Reserve = Reserve()
    """Room held beyond the peak."""
    community_gpus: Annotated[float | None, Field(ge=0)] = None
    """GPUs that the replicas of all community models together may hold; any number when left out."""


class PolicyNames(Section):
    """Policies by their name in `policies.registry`, and their numbers."""

    queue_order: str = "auto"
    """Which waiting job is tried first; auto is fair-share where queues have terms, else priority."""
    placement_score: str = CHOSEN.placement_score
    """Which host is best. headroom and fgd follow the jobs and models that the site was seen to run."""
    victim_cost: str = CHOSEN.victim_cost
    """Which running job is cheapest to stop."""
    may_preempt: str = CHOSEN.may_preempt
    """Who may have whom stopped."""
    may_displace: str = CHOSEN.may_displace
    """Who may have jobs of its own priority (and of its own queue, where queues have terms) stopped: never, or
    shorter-first for much shorter jobs."""
    min_runtime: DurationSeconds = CHOSEN.min_runtime_s
    """A younger attempt is not preempted for another job (for serving it is)."""
    reservation: DurationSeconds = CHOSEN.reservation_s
    """How long freed room is kept for whom it was freed, from when all of it is free."""
    bookings: Annotated[int, Field(ge=0)] = CHOSEN.bookings
    """For how many of the first blocked jobs room is booked ahead: jobs behind them go first only where that delays
    none. 0 for none: whatever fits goes first."""
    ageing_per_hour: Annotated[float, Field(ge=0)] = CHOSEN.ageing_per_hour
    """Points of priority that each hour of waiting adds, with queue_order priority or, among the jobs of one owner,
    fair-share; 0 for none."""
    ageing_most: Annotated[float, Field(ge=0)] = CHOSEN.ageing_most
    """Points that a job gains by waiting at most: it never overtakes one whose priority is higher by more."""
    consolidation: Literal["off", "propose", "do"] = CHOSEN.consolidation.value
    """When a waiting gang would fit if a few running jobs went on elsewhere: off, propose (say it) or do."""
    moves_per_hour: Annotated[int, Field(ge=0)] = CHOSEN.moves_per_hour
    """Most jobs that consolidation moves in any hour."""
    usage_half_life: DurationSeconds = 7 * 86_400.0
    """Under fair share, what was used so long ago counts half; 0 to go by what is held now only."""
    move_again_after: Annotated[DurationSeconds, Field(le=7 * 86_400)] = CHOSEN.move_again_after_s
    """A job that consolidation moved stays for so long, at most 7d."""
    grow_after: Annotated[DurationSeconds, Field(gt=0)] = CHOSEN.grow_after_s
    """An attempt as old as this may be stopped to go on with more workers, if that pays for itself in as long again."""
