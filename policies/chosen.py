"""Which choices a policy was made of, told by its functions: what is written down beside a plan."""

from collections.abc import Mapping
from typing import Any

from policies.ageing import ByAgedPriority
from policies.choices import Choices
from policies.fair_share import FairShare
from policies.registry import (
    DISPLACEMENT_RULES,
    PLACEMENT_SCORES,
    PREEMPTION_RULES,
    QUEUE_ORDERS,
    VICTIM_COSTS,
)
from scheduler.model.policy import Policy, QueueOrder


def choices_of(policy: Policy) -> Choices | None:
    """Return the choices that `policy_from_names` makes an equal policy of; None where a function has no name."""
    names = {
        "queue_order": _order(policy.queue_order),
        "placement_score": _name(PLACEMENT_SCORES, policy.placement_score),
        "victim_cost": _name(VICTIM_COSTS, policy.victim_cost),
        "may_preempt": _name(PREEMPTION_RULES, policy.may_preempt),
        "may_displace": _name(DISPLACEMENT_RULES, policy.may_displace),
    }
    if not all(names.values()):
        return None
    return Choices(
        **names,
        min_runtime_s=policy.min_runtime_s,
        reservation_s=policy.reservation_s,
        bookings=policy.bookings,
        ageing_per_hour=policy.ageing_per_hour,
        ageing_most=policy.ageing_most,
        consolidation=policy.consolidation,
        moves_per_hour=policy.moves_per_hour,
        move_again_after_s=policy.move_again_after_s,
        grow_after_s=policy.grow_after_s,
    )


def _order(order: QueueOrder) -> str:
    """Return the name of an order; one in which waiting counts goes by the name of the one that it is made from."""
    if isinstance(order, ByAgedPriority):
        return "priority"
    if isinstance(order, FairShare) and isinstance(order.within, ByAgedPriority):
        return "fair-share"
    return _name(QUEUE_ORDERS, order)


def _name(known: Mapping[str, Any], wanted: object) -> str:
    return next((name for name, function in known.items() if function == wanted), "")
