"""The time axis of the page: what was, what is forecast, and what is planned for it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.api.presenting.models import gpus_per_replica, outlook_of, replicas_of
from scheduler.api.presenting.times import finite, moment
from scheduler.control.reports.board import GpuShares, ModelOutlook, Report
from scheduler.model.workloads import ReplicaState, ServingModel
from scheduler.planning.serving.coverage import Coverage, CoveragePoint
from scheduler.wire.serving import CapacityPoint

QUANTILES = ("p10", "p50", "p90", "p99")
MOST_PAST_POINTS = 240
"""More cannot be told apart on a screen."""


@dataclass(frozen=True, slots=True)
class Window:
    """What is looked at.

    Attributes:
        since_s, until_s: from when until when, epoch seconds.
        gpu_model: devices of these hosts only; "" for all.
        model: this model's load, in requests per second; "" for all GPU models, in GPUs.
    """

    since_s: float
    until_s: float
    gpu_model: str = ""
    model: str = ""

    @classmethod
    def around(cls, now_s: float, ahead_s: float, *, gpu_model: str = "", model: str = "") -> "Window":
        """Return the window with a quarter as much past as future."""
        return cls(now_s - ahead_s / 4, now_s + ahead_s, gpu_model, model)


def gpu_points(
    report: Report, history: Sequence[GpuShares], coverage: Coverage, window: Window
) -> tuple[CapacityPoint, ...]:
    """Return demand and capacity of all GPU models together, in devices, with who holds the devices.

    Quantiles of several models are added up as if their peaks came together: true for traffic that follows the same
    day, and on the safe side otherwise. After now, training is what runs and waits today, as far as it fits.
    """
    past = [_past_point(shares) for shares in _thinned(history, window)]
    return (*past, *_gpu_future(report, coverage, window))


def rate_points(report: Report, model: ServingModel, window: Window) -> tuple[CapacityPoint, ...]:
    """Return demand and capacity of one model, in requests per second."""
    outlook = outlook_of(report, model.name)
    if outlook is None:
        return ()
    now_s, per_replica = report.cycle.at_s, outlook.rps_per_replica
    ready = replicas_of(report, model.name)[ReplicaState.READY] * per_replica
    recent = [(at_s, rps) for at_s, rps in outlook.recent if window.since_s <= at_s < now_s]
    past = [CapacityPoint(at=moment(at_s), actual=finite(rps)) for at_s, rps in recent[:: _stride(len(recent))]]
    present = CapacityPoint(at=moment(now_s), actual=finite(outlook.rps_now), ready=ready, planned=ready)
    ahead = [
        CapacityPoint(
            at=moment(point.at_s),
            p10=finite(point.p10),
            p50=finite(point.p50),
            p90=finite(point.p90),
            p99=finite(point.p99),
            planned=_at(outlook.replicas, point.at_s, model.min_replicas) * per_replica,
        )
        for point in outlook.points
        if now_s < point.at_s <= window.until_s
    ]
    return (*past, present, *ahead)


def _thinned(history: Sequence[GpuShares], window: Window) -> list[GpuShares]:
    seen = [shares for shares in history if window.since_s <= shares.at_s <= window.until_s]
    return seen[:: _stride(len(seen))]


def _stride(count: int) -> int:
    return max(1, -(-count // MOST_PAST_POINTS))


def _past_point(shares: GpuShares) -> CapacityPoint:
    return CapacityPoint(
        at=moment(shares.at_s),
        actual=finite(shares.demand),
        p50=finite(shares.p50),
        p99=finite(shares.p99),
        ready=finite(shares.ready),
        serving=finite(shares.serving),
        held=finite(shares.held),
        reserved=finite(shares.reserved),
        training=finite(shares.training),
        free=finite(shares.free),
        drained=finite(shares.drained),
    )


@dataclass(frozen=True, slots=True)
class _Fleet:
    """Devices of the cluster, and what training would like of them."""

    total: float
    drained: float
    wanted_by_training: float

    @classmethod
    def of(cls, report: Report) -> "_Fleet":
        hosts = report.cycle.snapshot.hosts
        jobs, table = report.cycle.snapshot.jobs, report.cycle.snapshot.ledger.table
        return cls(
            total=sum(host.accelerators for host in hosts),
            drained=sum(host.accelerators for host in hosts if not host.takes_new_work),
            wanted_by_training=sum(job.gang.workers * table.gpus_of(job.gang.shape) for job in jobs),
        )


def _gpu_future(report: Report, coverage: Coverage, window: Window) -> list[CapacityPoint]:
    gpus = gpus_per_replica(report)
    outlooks = [(outlook, gpus[outlook.model]) for outlook in report.outlooks if gpus.get(outlook.model)]
    fleet, now_s = _Fleet.of(report), report.cycle.at_s
    ahead = [point for point in coverage.points if now_s < point.at_s <= window.until_s]
    return [_gpu_point(outlooks, fleet, point) for point in ahead]


def _gpu_point(outlooks: Sequence[tuple[ModelOutlook, float]], fleet: _Fleet, covered: CoveragePoint) -> CapacityPoint:
    usable = max(0.0, fleet.total - fleet.drained - covered.planned_gpus)
    training = min(usable, fleet.wanted_by_training)
    return CapacityPoint(
        at=moment(covered.at_s),
        **{name: finite(value) for name, value in _busy_gpus(outlooks, covered.at_s).items()},
        planned=finite(covered.planned_gpus),
        serving=finite(covered.planned_gpus),
        held=0.0,
        reserved=0.0,
        training=finite(training),
        free=finite(usable - training),
        drained=fleet.drained,
    )


def _busy_gpus(outlooks: Sequence[tuple[ModelOutlook, float]], at_s: float) -> dict[str, float]:
    """Return the devices that each quantile of the load keeps busy, added up over models."""
    sums = dict.fromkeys(QUANTILES, 0.0)
    for outlook, gpus in outlooks:
        if outlook.points:
            place = bisect_right(outlook.points, at_s, key=lambda point: point.at_s)
            point = outlook.points[max(0, place - 1)]
            for name in QUANTILES:
                sums[name] += getattr(point, name) / outlook.rps_per_replica * gpus
    return sums


def _at(steps: Sequence[tuple[float, int]], at_s: float, otherwise: int) -> int:
    """Return the value of the last step at or before a moment."""
    place = bisect_right(steps, at_s, key=lambda step: step[0])
    return steps[place - 1][1] if place else otherwise
