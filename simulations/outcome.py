"""What came out of a simulation: one flat record of numbers, and its mean over several seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final

import numpy as np
from scipy import stats

from scheduler.control.records import JobRecord
from scheduler.control.records import Outcome as Ending
from scheduler.model.plan import Cause
from scheduler.model.workloads import JobState
from simulations.serving import ModelService, ServingOutcome
from simulations.usage import TrainingTotals, Use
from simulations.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run in numbers; NaN where there was nothing to count.

    Attributes:
        requests: all of the counted time.
        late_requests_share: late ones per request.
        failed_requests_share: ones that found no ready replica, per request.
        violation_s: seconds in which any model had more load than its ready replicas serve.
        min_headroom_ratio: lowest capacity of ready replicas over load, of any model at any moment.
        min_headroom_at_s: when that was, epoch seconds.
        jobs, jobs_succeeded, jobs_failed, jobs_unfinished: the first is the sum of the others.
        jobs_never_started: of the unfinished ones; their waits are cut off where the run ends.
        drained_s: for how long the run went on after the counted time, so that jobs could end.
        wait_mean_s, wait_p95_s: from submission to the first start; to the end of the run for jobs never started.
        completion_mean_s: from submission to success; unfinished jobs have none.
        preemptions: attempts that were stopped for others.
        attempts_lost: attempts that went with a host.
        actions_refused: by the cluster; other than 0 is a fault of the planner.
        trained_gpu_s: progress kept by checkpoints and successes, and that of attempts that run in the end.
        lost_gpu_s: progress after the last checkpoint.
        overhead_gpu_s: starting up and saving; with the two above it makes `training_gpu_s`.
        serving_gpu_s, starting_gpu_s, training_gpu_s, down_gpu_s, idle_gpu_s: where all device time went, from the
            lead-in to the end of the counted time.
        models: requests of each served model, most important first.
    """

    requests: float
    late_requests_share: float
    failed_requests_share: float
    violation_s: float
    min_headroom_ratio: float
    min_headroom_at_s: float
    jobs: float
    jobs_succeeded: float
    jobs_failed: float
    jobs_unfinished: float
    jobs_never_started: float
    drained_s: float
    wait_mean_s: float
    wait_p95_s: float
    completion_mean_s: float
    preemptions: float
    attempts_lost: float
    actions_refused: float
    trained_gpu_s: float
    lost_gpu_s: float
    overhead_gpu_s: float
    serving_gpu_s: float
    starting_gpu_s: float
    training_gpu_s: float
    down_gpu_s: float
    idle_gpu_s: float
    models: tuple[tuple[str, ModelService], ...] = ()

    @property
    def shortest(self) -> str:
        """The model whose headroom was lowest; "" when nothing is served."""
        return min(self.models, key=lambda entry: entry[1].min_headroom_ratio, default=("", None))[0]


NUMBERS: Final = tuple(field.name for field in fields(Outcome) if field.name != "models")
"""Names of all that is one number."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean over runs and half the width of its 95 % confidence interval (Student's t); 0 wide for one run."""

    mean: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Where device time went up to some moment.

    Attributes:
        by_use: GPU-seconds of each use.
        idle_gpu_s: of nobody.
        training: where those of training went.
    """

    by_use: Mapping[Use, float]
    idle_gpu_s: float
    training: TrainingTotals


def usage_of(world: World, begun_s: float) -> Usage:
    """Return where device time went in a world that began at `begun_s`, up to now."""
    now_s = world.engine.now_s()
    used = {use: world.cluster.meter.total(use, now_s) for use in Use}
    devices = sum(len(host.devices) for host in world.cluster.room.hosts)
    return Usage(used, devices * (now_s - begun_s) - sum(used.values()), world.cluster.totals_now())


def outcome_of(world: World, serving: ServingOutcome, used: Usage, drained_s: float) -> Outcome:
    """Count what happened in a world up to now, which is `drained_s` after the end of the counted time."""
    jobs = world.store.jobs(open_only=False)
    counts = {**_requests(serving), **_jobs(jobs, world.engine.now_s()), **_gpu_seconds(used)}
    refused = world.cluster.refused
    return Outcome(**counts, drained_s=drained_s, actions_refused=refused, models=tuple(serving.models.items()))


def estimates(outcomes: Sequence[Outcome]) -> dict[str, Estimate]:
    """Return the estimate of each number over runs of different seeds."""
    return {name: estimate([getattr(outcome, name) for outcome in outcomes]) for name in NUMBERS}


def estimate(values: Sequence[float]) -> Estimate:
    """Return the estimate of one number from its finite values."""
    known = np.array([value for value in values if math.isfinite(value)])
    if len(known) < 2:  # noqa: PLR2004  # a spread takes two
        return Estimate(float(known[0]) if len(known) else math.nan, 0.0)
    width = stats.t.ppf(0.975, len(known) - 1) * known.std(ddof=1) / math.sqrt(len(known))
    return Estimate(float(known.mean()), float(width))


def as_json(outcome: Outcome) -> dict[str, object]:
    """Return one run as JSON knows it: null for NaN and infinity, and `models` by name."""
    numbers = finite({name: getattr(outcome, name) for name in NUMBERS})
    return {**numbers, "models": {name: finite(asdict(model)) for name, model in outcome.models}}


def finite(numbers: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers with None for NaN and infinity, and whole ones as such."""
    return {name: _plain(value) if math.isfinite(value) else None for name, value in numbers.items()}


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def first_start_s(job: JobRecord, now_s: float) -> float:
    """Return when a job was first started, epoch seconds; `now_s` when it never was."""
    return next((a.started_at_s for a in job.attempts if a.started_at_s is not None), now_s)


def _requests(serving: ServingOutcome) -> dict[str, float]:
    models = serving.models.values()
    requests = sum(model.requests for model in models)
    lowest = min(models, key=lambda model: model.min_headroom_ratio, default=None)
    return {
        "requests": requests,
        "late_requests_share": _share(sum(model.late for model in models), requests),
        "failed_requests_share": _share(sum(model.failed for model in models), requests),
        "violation_s": serving.violation_s,
        "min_headroom_ratio": lowest.min_headroom_ratio if lowest else math.nan,
        "min_headroom_at_s": lowest.min_headroom_at_s if lowest else math.nan,
    }


def _jobs(jobs: Sequence[JobRecord], now_s: float) -> dict[str, float]:
    waits = [first_start_s(job, now_s) - job.submitted_at_s for job in jobs]
    done = [job for job in jobs if job.state is JobState.SUCCEEDED]
    failed = sum(job.state is JobState.FAILED for job in jobs)
    attempts = [attempt for job in jobs for attempt in job.attempts]
    stopped = [attempt for attempt in attempts if attempt.outcome is Ending.PREEMPTED]
    return {
        "jobs": len(jobs),
        "jobs_succeeded": len(done),
        "jobs_failed": failed,
        "jobs_unfinished": len(jobs) - len(done) - failed,
        "jobs_never_started": sum(not job.state.is_final and first_start_s(job, math.inf) == math.inf for job in jobs),
        "wait_mean_s": _mean(waits),
        "wait_p95_s": float(np.quantile(waits, 0.95)) if waits else math.nan,
        "completion_mean_s": _mean((job.finished_at_s or now_s) - job.submitted_at_s for job in done),
        "preemptions": sum(attempt.stop_cause is not Cause.GROWTH for attempt in stopped),
        "attempts_lost": sum(attempt.outcome is Ending.LOST for attempt in attempts),
    }


def _gpu_seconds(used: Usage) -> dict[str, float]:
    return {
        "trained_gpu_s": used.training.kept_gpu_s,
        "lost_gpu_s": used.training.lost_gpu_s,
        "overhead_gpu_s": used.training.overhead_gpu_s,
        "serving_gpu_s": used.by_use[Use.SERVING],
        "starting_gpu_s": used.by_use[Use.STARTING],
        "training_gpu_s": used.by_use[Use.TRAINING],
        "down_gpu_s": used.by_use[Use.LOST],
        "idle_gpu_s": used.idle_gpu_s,
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else math.nan
