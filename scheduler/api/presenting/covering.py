"""The planner's judgement of the last report: headroom now and ahead, and the sentence that says so."""

from functools import lru_cache

from scheduler.api.formatting import HOUR_S, THIN, clock, duration
from scheduler.api.presenting.times import DAY_S, moment
from scheduler.control.reports.board import ModelOutlook, Report
from scheduler.model.policy import Policy
from scheduler.planning.reasons.verdict import Verdict, verdict
from scheduler.planning.serving.coverage import Coverage, Curve, coverage

HORIZON_S = 2 * DAY_S
"""How far ahead the verdict looks."""
IN_HOURS_FROM_S = 6 * HOUR_S


@lru_cache(maxsize=8)
def coverage_of(report: Report, policy: Policy) -> Coverage:
    """Return the headroom now and at every moment that is forecast, of what is served here; judged once a report."""
    elsewhere = {model.name for model in report.cycle.snapshot.models if model.elsewhere}
    curves = [_curve(outlook) for outlook in report.outlooks if outlook.model not in elsewhere]
    return coverage(report.cycle.snapshot, curves, policy)


def within(found: Coverage, until_s: float) -> Coverage:
    """Return a coverage that looks no further than `until_s`."""
    return Coverage(found.now, tuple(point for point in found.points if point.at_s <= until_s))


def verdict_of(report: Report, found: Coverage) -> Verdict:
    """Put a coverage into words."""
    cycle = report.cycle
    now = moment(cycle.at_s)
    return verdict(
        cycle.snapshot,
        cycle.demand,
        cycle.plan,
        found,
        time=lambda at_s: clock(moment(at_s), now),
        duration=_span,
    )


def _span(seconds: float) -> str:
    """Return "48 h" where days would have to be counted back."""
    return f"{round(seconds / HOUR_S)}{THIN}h" if seconds >= IN_HOURS_FROM_S else duration(seconds)


def _curve(outlook: ModelOutlook) -> Curve:
    per_replica = outlook.rps_per_replica
    needed = tuple((point.at_s, point.p99 / per_replica) for point in outlook.points)
    return Curve(outlook.model, outlook.rps_now / per_replica, needed)
