"""What a site may choose of how it decides, and what holds where it chooses nothing: the place of these defaults."""

from dataclasses import dataclass
from typing import Final

from scheduler.model.plan import Consolidation


@dataclass(frozen=True, slots=True)
class Choices:
    """Policies by their name in `policies.registry`, and their numbers, as in `scheduler.model.policy.Policy`."""

    queue_order: str = "priority"
    placement_score: str = "headroom"
    victim_cost: str = "lost-work-and-wait"
    may_preempt: str = "higher-priority"
    may_displace: str = "never"
    min_runtime_s: float = 300.0
    reservation_s: float = 900.0
    bookings: int = 4
    ageing_per_hour: float = 1.0
    ageing_most: float = 30.0
    consolidation: Consolidation = Consolidation.OFF
    moves_per_hour: int = 6
    move_again_after_s: float = 14_400.0
    grow_after_s: float = 1800.0


DEFAULTS: Final = Choices()
