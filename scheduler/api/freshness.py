"""How old the last plan is, and what that says of the control plane; told from memory, whatever is silent."""

from dataclasses import dataclass
from typing import Final

from scheduler.api.site import Parts, Site
from scheduler.config.units import format_duration
from scheduler.control.reports.board import STARTING

MISSED_CYCLES: Final = 3
LEAST_PATIENCE_S: Final = 10.0
"""Wall seconds, on a replay: its cycles may be shorter than a hiccup."""


@dataclass(frozen=True, slots=True)
class QueueUsage:
    """Whether the control loop does its work.

    Attributes:
        state: "standby" while another one leads, "starting" before the first plan, "live" while plans are made, else
            "degraded".
        message: why it is not live; "" when it is.
    """

    state: str
    message: str = ""

    @property
    def is_live(self) -> bool:
        """Whether plans are made."""
        return self.state == "live"


def patience_s(site: Site) -> float:
    """Return the wall seconds without a new plan after which the last one counts as old."""
    missed_s = MISSED_CYCLES * site.period_s / site.speed
    return missed_s if site.speed == 1 else max(LEAST_PATIENCE_S, missed_s)


def age_s(parts: Parts) -> float:
    """Return the wall seconds since the last plan; 0 before the first."""
    return parts.board.plan_age_s or 0.0


def standing_of(parts: Parts) -> QueueUsage:
    """Return how the control loop stands now."""
    degraded = parts.board.degraded
    if parts.leader is not None:
        return QueueUsage("standby", degraded)
    if parts.board.report is None:
        return QueueUsage("starting", "" if degraded == STARTING else degraded)
    age = age_s(parts)
    if degraded:
        return QueueUsage("degraded", degraded)
    if age > patience_s(parts.site):
        return QueueUsage(
            "degraded",
            f"the last plan is {format_duration(round(age))} old, and one is due every {_period(parts.site)}",
        )
    return QueueUsage("live")


def _period(site: Site) -> str:
    return format_duration(round(site.period_s / site.speed, 3))
