"""Policies by the names that configurations use."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policies import may_preempt as rules
from policies import placement_scores, queue_order, victim_order
from policies.ageing import ByAgedPriority
from policies.choices import DEFAULTS
from policies.fair_share import FairShare
from policies.packing.fgd import fgd
from policies.packing.score import headroom
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.plan import Consolidation
from scheduler.model.policy import MayDisplace, MayPreempt, PlacementScore, Policy, QueueOrder, VictimCost

QUEUE_ORDERS: Final[Mapping[str, QueueOrder]] = MappingProxyType(
    {
        "priority": queue_order.by_priority,
        "fifo": queue_order.fifo,
        "shortest-first": queue_order.shortest_first,
        "fair-share": FairShare(),
    }
)
PLACEMENT_SCORES: Final[Mapping[str, PlacementScore]] = MappingProxyType(
    {
        "best-fit": placement_scores.best_fit,
        "first-fit": placement_scores.first_fit,
        "worst-fit": placement_scores.worst_fit,
        "headroom": headroom,
        "fgd": fgd,
    }
)
VICTIM_COSTS: Final[Mapping[str, VictimCost]] = MappingProxyType(
    {
        "lost-work-and-wait": victim_order.lost_work_and_wait,
        "lost-work": victim_order.lost_work,
        "newest-first": victim_order.newest_first,
    }
)
PREEMPTION_RULES: Final[Mapping[str, MayPreempt]] = MappingProxyType(
    {"higher-priority": rules.higher_priority, "never": rules.never}
)
DISPLACEMENT_RULES: Final[Mapping[str, MayDisplace | None]] = MappingProxyType(
    {"never": None, "shorter-first": rules.shorter_first}
)


def policy_from_names(  # noqa: PLR0913  # one argument per choice, all by name
    *,
    queue_order: str = DEFAULTS.queue_order,
    placement_score: str = DEFAULTS.placement_score,
    victim_cost: str = DEFAULTS.victim_cost,
    may_preempt: str = DEFAULTS.may_preempt,
    may_displace: str = DEFAULTS.may_displace,
    min_runtime_s: float = DEFAULTS.min_runtime_s,
    reservation_s: float = DEFAULTS.reservation_s,
    bookings: int = DEFAULTS.bookings,
    ageing_per_hour: float = DEFAULTS.ageing_per_hour,
    ageing_most: float = DEFAULTS.ageing_most,
    consolidation: Consolidation = DEFAULTS.consolidation,
    moves_per_hour: int = DEFAULTS.moves_per_hour,
    move_again_after_s: float = DEFAULTS.move_again_after_s,
    grow_after_s: float = DEFAULTS.grow_after_s,
) -> Policy:
    """Return the policy made of the functions of these names.

    Raises:
        ConfigError: names that nobody knows, all of them, each with those that are known.
    """
    asked: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("queue_order", queue_order, QUEUE_ORDERS),
        ("placement_score", placement_score, PLACEMENT_SCORES),
        ("victim_cost", victim_cost, VICTIM_COSTS),
        ("may_preempt", may_preempt, PREEMPTION_RULES),
        ("may_displace", may_displace, DISPLACEMENT_RULES),
    )
    faults = [_unknown(field, name, known) for field, name, known in asked if name not in known]
    if faults:
        raise ConfigError(*faults)
    ages = queue_order in {"priority", "fair-share"} and ageing_per_hour * ageing_most > 0
    return Policy(
        queue_order=_aged(queue_order, ageing_per_hour, ageing_most) if ages else QUEUE_ORDERS[queue_order],
        placement_score=PLACEMENT_SCORES[placement_score],
        victim_cost=VICTIM_COSTS[victim_cost],
        may_preempt=PREEMPTION_RULES[may_preempt],
        may_displace=DISPLACEMENT_RULES[may_displace],
        min_runtime_s=min_runtime_s,
        reservation_s=reservation_s,
        bookings=bookings,
        ageing_per_hour=ageing_per_hour if ages else 0.0,
        ageing_most=ageing_most if ages else 0.0,
        consolidation=consolidation,
        moves_per_hour=moves_per_hour,
        move_again_after_s=move_again_after_s,
        grow_after_s=grow_after_s,
    )


def _aged(queue_order: str, per_hour: float, most: float) -> QueueOrder:
    """Return an order in which waiting counts: among all jobs, or among those of an owner."""
    aged = ByAgedPriority(per_hour, most)
    return FairShare(aged) if queue_order == "fair-share" else aged


def _unknown(field: str, name: str, known: Mapping[str, object]) -> Fault:
    return Fault(
        "UnknownPolicy",
        f'unknown {field} "{name}"',
        field=f"policy.{field}",
        help=f"one of: {', '.join(sorted(known))}",
    )
