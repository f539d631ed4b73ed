"""What is expected of jobs, added to what is shown of them."""

from math import isfinite

from scheduler.api.coming_starts import ComingStarts
from scheduler.api.presenting.jobs import NOTHING_AHEAD, Ahead, booking_of
from scheduler.api.presenting.times import moment
from scheduler.api.site import Parts
from scheduler.control.reports.board import Report
from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.etas import RISK_WITHIN_S, JobEta
from scheduler.model.workloads import JobState
from scheduler.wire.jobs import ExpectedStart, Job, PreemptionRisk


def ahead_of(parts: Parts, job_id: str) -> Ahead:
    """Return what is known of a job's coming start; nothing of one that does not wait.

    Where nobody has foretold it yet, it follows from who waits before it, as far as these are few.
    """
    report = parts.board.report
    if report is None:
        return NOTHING_AHEAD
    start = None if job_id in parts.etas.by_id else _start_of(report, parts.starts, job_id)
    return Ahead(start, booking_of(report, job_id))


def foretold(parts: Parts, job: Job) -> Job:
    """Return a job with when it starts and ends, as far as that is known."""
    eta, state = parts.etas.by_id.get(job.id), JobState(job.state)
    if eta is None or not (state.is_waiting or state.holds_room):
        return job
    now_s = parts.site.clock.now_s()
    found: dict[str, object] = {"expected_end": _moments(eta.end, now_s)}
    if state.is_waiting and eta.start is not None:
        found["expected_start"] = _moments(eta.start, now_s)
    if state.holds_room and job.preemptible:
        found["preemption_risk"] = _risk(eta)
    return job.model_copy(update=found)


def _risk(eta: JobEta) -> PreemptionRisk:
    return PreemptionRisk(share=eta.risk, within_s=RISK_WITHIN_S, lost_gpu_s=eta.lost_gpu_s)


def _moments(spread: Spread, now_s: float) -> ExpectedStart | None:
    """Return quantiles that lie ahead: what was to have come by now comes at any moment."""
    if not isfinite(spread.p50_s):
        return None
    p50, p90 = (moment(max(at_s, now_s)) if isfinite(at_s) else None for at_s in (spread.p50_s, spread.p90_s))
    return ExpectedStart(p50=p50 or moment(now_s), p90=p90)


def _start_of(report: Report, starts: ComingStarts, job_id: str) -> ExpectedStart | None:
    found = starts.of(report, job_id)
    if found is None:
        return None
    return ExpectedStart(p50=moment(found.p50_s), p90=moment(found.p90_s) if isfinite(found.p90_s) else None)
