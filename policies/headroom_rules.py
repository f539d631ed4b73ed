"""How far ahead to look, and how slowly to give back."""

from collections.abc import Sequence
from typing import Final

EXCEEDED: Final = 10.0
"""So many times the share of requests that may be late is how often a peak may exceed what was planned: where it does,
replicas are short for a part of the lead time, and then about a tenth to a half of the requests are late."""
LEAST_STEP: Final = 2
"""Replicas by which a plan may always have more or fewer than the one before."""


def lead_time_s(warm_up_s: float, grace_s: float, period_s: float) -> float:
    """Return how long before a load its replicas must be asked for.

    In the worst case a control period passes before anybody looks, then training gets its grace period to save, and
    then the replica warms up.

    Args:
        warm_up_s: from starting a replica until it answers.
        grace_s: longest grace period of a job that may have to make room.
        period_s: between two cycles of the control loop.
    """
    return warm_up_s + grace_s + period_s


def within_step(asked: int, before: int, share: float) -> int:
    """Return how many replicas a plan may have that is asked for so many, where the plan before had others.

    Up by a share of them and down by as much of what that would make, so that up and down again is the way back; by
    `LEAST_STEP` in any case. A forecast that is badly wrong for one turn moves the fleet so far and no further.

    Args:
        asked: what is asked for.
        before: what the plan before had.
        share: by which a plan may grow; 1 to double.
    """
    most = before + max(LEAST_STEP, int(before * share))
    least = before - max(LEAST_STEP, int(before * share / (1.0 + share)))
    return min(max(asked, least), most)


def planning_quantile(asked: float, within: float) -> float:
    """Return the quantile of its peak by which a model is planned: the site's, or as high as the model's promise takes.

    Args:
        asked: of the site.
        within: share of requests that the model promises to answer in time.
    """
    return max(asked, round(1.0 - EXCEEDED * (1.0 - within), 9))


def scale_down(wanted: Sequence[tuple[float, int]], now_s: float, after_s: float) -> int:
    """Return the replicas to keep: the most that were wanted within the last `after_s` seconds, now included.

    Up at once, down only when the higher number has not been wanted for `after_s`.

    Args:
        wanted: (at_s, replicas) of past cycles and of this one, in any order, at least one.
        now_s: this moment.
        after_s: how long a higher number is remembered.
    """
    newest = max(wanted)
    return max(replicas for at_s, replicas in wanted if at_s > now_s - after_s or (at_s, replicas) == newest)
