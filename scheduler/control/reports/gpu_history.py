"""Who holds the GPUs at one moment, in devices, and what had been forecast for it: one point of the page's history."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scheduler.control.reports.board import GpuShares, ModelOutlook, Report
from scheduler.model.occupancy import kept_gpus
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import ReplicaState

MOST_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class PastForecasts:
    """Forecasts made earlier: (moment, p50, p99) in devices, oldest first."""

    said: tuple[tuple[float, float, float], ...] = ()


def gpu_shares(report: Report, foresight: PastForecasts) -> tuple[GpuShares, PastForecasts]:
    """Return the shares of a report's moment and what was forecast in it for one lead time later."""
    snapshot, now_s = report.cycle.snapshot, report.cycle.at_s
    serving, ready = _serving(snapshot, only_ready=False), _serving(snapshot, only_ready=True)
    training = float(snapshot.running.gpus.sum())
    free, drained = _free(snapshot)
    held, reserved = kept_gpus(snapshot, report.cycle.plan)
    due = [said for said in foresight.said if said[0] <= now_s]
    p50, p99 = due[-1][1:] if due else (math.nan, math.nan)
    later = tuple(said for said in foresight.said if said[0] > now_s)
    shares = GpuShares(
        at_s=now_s,
        demand=_gpus_for(report.outlooks, snapshot, {outlook.model: outlook.rps_now for outlook in report.outlooks}),
        p50=p50,
        p99=p99,
        ready=ready,
        serving=serving,
        held=held,
        reserved=reserved,
        training=training,
        free=max(0.0, free - held - reserved),
        drained=drained,
        request_counts=report.request_counts,
    )
    return shares, PastForecasts((*due[-1:], *later, *_foreseen(report))[-MOST_REMEMBERED:])


def _serving(snapshot: Snapshot, *, only_ready: bool) -> float:
    shapes = {model.name: model.shape for model in snapshot.models}
    counted = (r for r in snapshot.replicas if r.state is ReplicaState.READY or not only_ready)
    sits = [(replica.slot, shape_held(replica, shapes)) for replica in counted]
    return sum(snapshot.ledger.table.gpus_at(slot, shape) for slot, shape in sits)


def _free(snapshot: Snapshot) -> tuple[float, float]:
    """Return free devices on hosts that take work, and on those that do not."""
    free = snapshot.ledger.table.in_whole(np.maximum(snapshot.ledger.gpu_milli, 0)) / WHOLE_DEVICE_MILLI
    usable = snapshot.ledger.table.usable
    return float(free[usable].sum()), float(free[~usable].sum())


def _gpus_for(outlooks: Iterable[ModelOutlook], snapshot: Snapshot, rates: dict[str, float]) -> float:
    """Return devices (with fractions) that rates by model take on GPU models."""
    gpus = {model.name: snapshot.ledger.table.gpus_of(model.shape) for model in snapshot.models}
    return sum(
        rates[one.model] / one.rps_per_replica * gpus[one.model]
        for one in outlooks
        if one.model in rates and one.model in gpus
    )


def _foreseen(report: Report) -> tuple[tuple[float, float, float], ...]:
    """Return what is forecast for one (the longest) lead time from now; nothing when a model has no forecast."""
    outlooks = report.outlooks
    if not outlooks or not all(outlook.points for outlook in outlooks):
        return ()
    at_s = report.cycle.at_s + max(outlook.lead_time_s for outlook in outlooks)
    p50 = {one.model: _at(one, at_s, 0.5) for one in outlooks}
    p99 = {one.model: _at(one, at_s, 0.99) for one in outlooks}
    snapshot = report.cycle.snapshot
    return ((at_s, _gpus_for(outlooks, snapshot, p50), _gpus_for(outlooks, snapshot, p99)),)


def _at(outlook: ModelOutlook, at_s: float, level: float) -> float:
    times = [point.at_s for point in outlook.points]
    values = [point.p50 if level == 0.5 else point.p99 for point in outlook.points]  # noqa: PLR2004  # the middle
    return float(np.interp(at_s, times, values))
