"""What one run came to, as plain numbers that another process can be given."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.model.plan import Cause
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from simulations.holding import moment_s
from simulations.serving import Service, ServingOutcome, account
from simulations.whatif.coming import Coming
from simulations.whatif.playing import Played

GRID_S: Final = 300.0
"""How exactly it is told when a model is short."""


@dataclass(frozen=True, slots=True)
class JobRun:
    """What became of a job: when it started next, ended, and was first stopped for others; infinity for never.

    Attributes:
        start_s: of the first attempt that began after the moment of the question, epoch seconds.
        end_s: when it was over.
        stop_s: when it was first told to make room for others.
        stopped_for: whom.
        stops: how often.
        lost_gpu_s: work that was lost at the first stop.
    """

    start_s: float = inf
    end_s: float = inf
    stop_s: float = inf
    stopped_for: str = ""
    stops: int = 0
    lost_gpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelRun:
    """What became of a model's requests.

    Attributes:
        requests, late, failed: how many.
        lowest_ratio: lowest capacity of ready replicas over load; infinity for a model that is served elsewhere.
        lowest_at_s: when, epoch seconds.
        short: (from_s, to_s), when its ready replicas served less than its load.
        lacks: (from_s, to_s, replicas), when there was no room for so many of them.
    """

    requests: float = 0.0
    late: float = 0.0
    failed: float = 0.0
    lowest_ratio: float = inf
    lowest_at_s: float = 0.0
    short: tuple[tuple[float, float], ...] = ()
    lacks: tuple[tuple[float, float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run in numbers.

    Attributes:
        jobs: by id.
        submitted: number of the job that was submitted; "" for none.
        models: by name.
        trained_gpu_s: devices that training held, times seconds.
        refused: actions that the cluster refused; other than 0 is a fault of the planner.
    """

    jobs: dict[str, JobRun]
    submitted: str
    models: dict[str, ModelRun]
    trained_gpu_s: float
    refused: int


def counted(played: Played, coming: Coming, path: int, now_s: float) -> Run:
    """Count what happened from a moment on."""
    end_s = played.world.engine.now_s()
    records = played.world.store.jobs(open_only=False)
    return Run(
        {str(job.job_id): _job(job, now_s) for job in records},
        played.submitted,
        _models(played, coming, path, (now_s, end_s)),
        sum(_held_gpu_s(job, now_s, end_s) for job in records),
        played.world.cluster.refused,
    )


def _job(job: JobRecord, now_s: float) -> JobRun:
    begun = [a.started_at_s for a in job.attempts if a.started_at_s is not None and a.decided_at_s >= now_s]
    stops = [attempt for attempt in job.attempts if _is_stopped(attempt, now_s)]
    first = stops[0] if stops else None
    return JobRun(
        min(begun, default=inf),
        job.finished_at_s if job.state.is_final and job.finished_at_s is not None else inf,
        first.stop_asked_at_s or inf if first else inf,
        first.cause if first else "",
        len(stops),
        first.lost_gpu_s if first else 0.0,
    )


def _is_stopped(attempt: AttemptRecord, now_s: float) -> bool:
    told_s = attempt.stop_asked_at_s
    counts = attempt.outcome in {Outcome.PREEMPTED, Outcome.OPEN} and attempt.stop_cause not in {None, Cause.GROWTH}
    return counts and told_s is not None and told_s >= now_s


def _held_gpu_s(job: JobRecord, from_s: float, to_s: float) -> float:
    gpus = job.spec.gang.shape.total_gpu_milli / WHOLE_DEVICE_MILLI
    held = (
        (max(from_s, a.started_at_s), moment_s(a.ended_at_s, to_s), len(a.slots))
        for a in job.attempts
        if a.started_at_s is not None
    )
    return sum(max(0.0, ended_s - began_s) * workers * gpus for began_s, ended_s, workers in held)


def _models(played: Played, coming: Coming, path: int, span: tuple[float, float]) -> dict[str, ModelRun]:
    ready = played.world.cluster.replicas.ready
    services = {
        served.model.name: Service(coming.load_of(served.model.name, path), served.rule, ready[served.model.name])
        for served in coming.served
        if not served.model.elsewhere
    }
    outcome = account(services, *span) if services else ServingOutcome({}, 0.0)
    found = {}
    for served in coming.served:
        name = served.model.name
        lacks = tuple(_joined(entry for entry in played.lacking if entry[0] == name))
        counts = outcome.models.get(name)
        if counts is None:
            found[name] = ModelRun(lacks=lacks)
            continue
        found[name] = ModelRun(
            counts.requests,
            counts.late,
            counts.failed,
            counts.min_headroom_ratio,
            counts.min_headroom_at_s,
            tuple(_short(services[name], *span)) if counts.violation_s else (),
            lacks,
        )
    return found


def _joined(entries: Iterable[tuple[str, float, float, int]]) -> list[tuple[float, float, int]]:
    """Return (from_s, to_s, most) of the stretches that follow each other without a gap."""
    spans = list[tuple[float, float, int]]()
    for _, from_s, to_s, count in entries:
        if spans and spans[-1][1] >= from_s:
            spans[-1] = (spans[-1][0], to_s, max(spans[-1][2], count))
        else:
            spans.append((from_s, to_s, count))
    return spans


def _short(service: Service, from_s: float, to_s: float) -> list[tuple[float, float]]:
    at_s = np.arange(from_s, to_s, GRID_S) + GRID_S / 2
    place = np.searchsorted(np.array(service.ready.at_s), at_s, side="right")
    replicas = np.array([0, *service.ready.values])[place]
    served = {number: service.rule.highest_rps(number) for number in np.unique(replicas).tolist()}
    short = service.load(at_s) > np.array([served[number] for number in replicas.tolist()])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], short, [False]]).astype(np.int8)))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(from_s + first * GRID_S, min(to_s, from_s + end * GRID_S)) for first, end in spans]
