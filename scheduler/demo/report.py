"""The demo's outcome: `demo-report.json`, and the same as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from scheduler.demo.load import Count
from scheduler.demo.versions import Version
from scheduler.demo.watch import ModelHistory, Watcher
from scheduler.wire.jobs import Job


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """One training job; seconds are of the replay's clock."""

    name: str
    priority: str
    state: str
    gpus: float
    attempts: int
    resumed_from_step: int | None
    """Step from which the last attempt went on; None when there was but one."""
    step: int | None
    total_steps: int | None
    preempted_at: tuple[str, ...]
    wait_s: float
    run_s: float
    lost_gpu_s: float


@dataclass(frozen=True, slots=True)
class ServingOutcome:
    """One served model."""

    model: str
    requests: int
    late: int
    failed: int
    least_ready: int
    most_ready: int
    min_headroom_ratio: float | None


@dataclass(frozen=True, slots=True)
class Peak:
    """The evening's highest load over all models, requests per second."""

    at: str
    actual: float
    forecast_p99: float
    """What was planned for, one lead time before."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `demo-report.json` holds; seconds are of the replay's clock, rates per wall second."""

    mode: str
    speed: float
    wall_s: float
    requests_total: int
    requests_failed: int
    requests_late: int
    min_headroom_ratio: float
    preemptions: int
    preemptions_before_peak: int
    gpu_seconds_lost: float
    peak: Peak
    jobs: tuple[JobOutcome, ...]
    serving: tuple[ServingOutcome, ...]
    versions: tuple[Version, ...]
    """Of the community model, each trained by a job."""

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evening:
    """When the load was highest, and how far ahead it had to be known."""

    at: datetime
    rps: float
    lead_time: timedelta


def report_of(  # noqa: PLR0913  # one argument per source of facts, all by name
    *,
    mode: str,
    speed: float,
    wall_s: float,
    counts: Mapping[str, Count],
    jobs: Sequence[Job],
    watcher: Watcher,
    versions: Sequence[Version],
    evening: Evening,
) -> Report:
    """Put the report together.

    Args:
        mode: "forecast" or "reactive".
        speed: world seconds per wall second.
        wall_s: how long the demo took.
        counts: what became of the requests, by model.
        jobs: all of them, with their attempts.
        watcher: what was seen on the way.
        versions: what became of the versions of the community model.
        evening: the peak.
    """
    outcomes = tuple(outcome_of(job) for job in jobs)
    preempted = [at for outcome in outcomes for at in outcome.preempted_at]
    return Report(
        mode=mode,
        speed=speed,
        wall_s=round(wall_s, 1),
        requests_total=sum(count.total for count in counts.values()),
        requests_failed=sum(count.failed for count in counts.values()),
        requests_late=sum(count.late for count in counts.values()),
        min_headroom_ratio=round(watcher.least_ratio(), 3),
        preemptions=len(preempted),
        preemptions_before_peak=sum(at < evening.at.isoformat() for at in preempted),
        gpu_seconds_lost=round(sum(outcome.lost_gpu_s for outcome in outcomes), 1),
        peak=peak_of(watcher, evening),
        jobs=outcomes,
        serving=tuple(_serving(model, count, watcher.models.get(model)) for model, count in counts.items()),
        versions=tuple(versions),
    )


def outcome_of(job: Job) -> JobOutcome:
    """Return what became of a job."""
    ran = [attempt for attempt in job.attempts if attempt.outcome != "NeverStarted"]
    return JobOutcome(
        name=job.name,
        priority=job.priority_class,
        state=job.state,
        gpus=job.gpus,
        attempts=len(ran),
        resumed_from_step=ran[-1].resumed_from_step if len(ran) > 1 else None,
        step=job.step,
        total_steps=job.total_steps,
        preempted_at=tuple(
            attempt.ended_at.isoformat()
            for attempt in ran
            if attempt.outcome == "Preempted" and attempt.ended_at is not None
        ),
        wait_s=round(job.wait_s, 1),
        run_s=round(job.run_s, 1),
        lost_gpu_s=round(job.lost_gpu_s, 1),
    )


def _serving(model: str, count: Count, history: ModelHistory | None) -> ServingOutcome:
    seen = history or ModelHistory(least_ready=0)
    ratio = round(seen.least_ratio, 3) if seen.least_ratio_at else None
    return ServingOutcome(model, count.total, count.late, count.failed, seen.least_ready, seen.most_ready, ratio)


def peak_of(watcher: Watcher, evening: Evening) -> Peak:
    """Return the evening's peak beside what was planned for."""
    return Peak(evening.at.isoformat(), round(evening.rps, 2), round(_foreseen(watcher, evening), 2))


def _foreseen(watcher: Watcher, evening: Evening) -> float:
    """Return what was planned for at the last look that was a lead time before the peak."""
    before = [rps for at, rps in watcher.foreseen_rps if at <= evening.at - evening.lead_time]
    within = before[-1:] or [rps for _, rps in watcher.foreseen_rps[:1]]
    return within[0] if within else 0.0
