"""Served models and their forecasts on the wire."""

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.api.presenting.jobs import why_view
from scheduler.api.presenting.rollouts import card_view, rollout_view
from scheduler.api.presenting.times import DAY_S, finite, moment, moment_or_none
from scheduler.control.demand.forecast_summary import LEVELS, PEAK_LEVELS, peaks_of, quantiles_until
from scheduler.control.reports.board import GpuShares, ModelOutlook, Report, RequestCounts
from scheduler.control.service.artifacts import digest_in
from scheduler.model.demand import ModelDemand
from scheduler.model.hosts import HostState
from scheduler.model.workloads import ReplicaState, ServingModel
from scheduler.wire.forecasts import Forecast, ForecastPoint, Peak, TrackRecord
from scheduler.wire.models import ModelCard
from scheduler.wire.serving import ServedModel

TWO_DAYS_S = 2 * DAY_S


def model_views(
    report: Report, day_ago: Mapping[str, RequestCounts], owners: Mapping[str, str]
) -> tuple[ServedModel, ...]:
    """Return every served model, most important first.

    Args:
        report: the last one.
        day_ago: requests counted until 24 h ago, see `tallies_at`; what is missing counts from the start.
        owners: by model, of those that the report says nothing of.
    """
    owners = {**owners, **{one.model.name: one.owner for one in report.served}}
    return tuple(_model_view(report, model, day_ago, owners) for model in report.cycle.snapshot.served)


def tallies_at(history: tuple[GpuShares, ...], at_s: float) -> Mapping[str, RequestCounts]:
    """Return the requests counted until a moment: the last count before it, nothing when history is younger."""
    before = next((shares for shares in reversed(history) if shares.at_s <= at_s), None)
    return dict(before.request_counts) if before else {}


def requests_since(report: Report, model: str, before: Mapping[str, RequestCounts]) -> RequestCounts:
    """Return a model's requests after `before`; a router that was restarted since counts from its start."""
    now, then = dict(report.request_counts).get(model, RequestCounts()), before.get(model, RequestCounts())
    if now.total < then.total:
        return now
    return RequestCounts(now.total - then.total, now.late - then.late, now.failed - then.failed)


def replicas_of(report: Report, model: str) -> Mapping[ReplicaState, int]:
    """Return how many replicas of a model are in each state; none on lost hosts, where nobody answers."""
    snapshot = report.cycle.snapshot
    lost = {host.name for host in snapshot.hosts if host.state is HostState.LOST}
    states = [one.state for one in snapshot.replicas if one.model == model and one.slot.host not in lost]
    return {state: states.count(state) for state in ReplicaState}


def gpus_per_replica(report: Report) -> dict[str, float]:
    """Return whole devices per replica, by model; 0 for a CPU model, less than one for what a partition serves."""
    snapshot = report.cycle.snapshot
    return {model.name: snapshot.ledger.table.gpus_of(model.shape) for model in snapshot.models}


def outlook_of(report: Report, model: str) -> ModelOutlook | None:
    """Return what is known of a model's load, or None."""
    return next((outlook for outlook in report.outlooks if outlook.model == model), None)


def forecast_view(outlook: ModelOutlook, now_s: float, until_s: float, levels: tuple[float, ...] = ()) -> Forecast:
    """Return the forecast of one model.

    Args:
        outlook: what is known of its load.
        now_s: epoch seconds.
        until_s: end of the steps, epoch seconds.
        levels: quantiles beside those that are always there.
    """
    return Forecast(
        model=outlook.model,
        source=outlook.source,
        basis=outlook.basis.value,
        history_s=outlook.history_s,
        source_age_s=finite(outlook.source_age_s),
        points=_forecast_points(outlook, until_s, levels),
        peaks=_forecast_peaks(outlook, now_s, levels),
        rests_on=str(outlook.forecast.basis) if outlook.forecast is not None else "",
        share=outlook.share.middle,
        share_spread=outlook.share.spread,
        record=_record_view(outlook),
    )


def _record_view(outlook: ModelOutlook) -> TrackRecord | None:
    """Return how the forecasts of a model's traffic did; None before that is known."""
    record = outlook.record
    if not record.outcomes:
        return None
    return TrackRecord(
        windows=len(record.outcomes),
        p99_held=record.held,
        bias=finite(record.bias),
        skill=finite(record.skill),
        skill_over_reactive=finite(record.skill_over_reactive),
        widened=record.width,
        gives_way=record.gives_way,
        says=str(record),
    )


def _forecast_points(outlook: ModelOutlook, until_s: float, levels: tuple[float, ...]) -> tuple[ForecastPoint, ...]:
    if outlook.forecast is None:
        near = [p for p in outlook.points if p.at_s <= until_s]
        return tuple(ForecastPoint(at=moment(p.at_s), p10=p.p10, p50=p.p50, p90=p.p90, p99=p.p99) for p in near)
    every = (*LEVELS, *levels)
    return tuple(
        ForecastPoint(at=moment(at_s), **_named(every, values))
        for at_s, values in quantiles_until(outlook, until_s, every)
    )


def _forecast_peaks(outlook: ModelOutlook, now_s: float, levels: tuple[float, ...]) -> tuple[Peak, ...]:
    if outlook.forecast is None:
        return tuple(
            Peak(window_s=p.window_s, at=moment(p.at_s), p50=p.p50, p90=p.p90, p99=p.p99) for p in outlook.peaks
        )
    every = (*PEAK_LEVELS, *levels)
    return tuple(
        Peak(
            window_s=p.window_s,
            at=moment(p.at_s),
            at_p10=moment(p.between_s[0]),
            at_p90=moment(p.between_s[1]),
            **_named(every, p.values),
        )
        for p in peaks_of(outlook, now_s, every)
    )


def _named(levels: tuple[float, ...], values: tuple[float, ...]) -> dict[str, Any]:
    """Return values by the names of their levels: p50, p99.9."""
    return {f"p{100 * level:g}": value for level, value in zip(levels, values, strict=True)}


def lowest_ratio(model: ServingModel, outlook: ModelOutlook, until_s: float) -> tuple[float, float] | None:
    """Return the lowest headroom planned until a moment, and when: planned replicas' rate over the p99.

    Returns:
        (ratio, epoch second), or None without a forecast.
    """
    planned = dict(outlook.replicas)
    ratios = [
        (planned.get(point.at_s, model.max_replicas) * outlook.rps_per_replica / point.p99, point.at_s)
        for point in outlook.points
        if point.p99 > 0 and point.at_s <= until_s
    ]
    return min(ratios, default=None)


def _model_view(
    report: Report, model: ServingModel, day_ago: Mapping[str, RequestCounts], owners: Mapping[str, str]
) -> ServedModel:
    now_s = report.cycle.at_s
    demand = report.cycle.demand.of(model.name) or ModelDemand(model.name, 0, 0, 0)
    outlook, counts = outlook_of(report, model.name), replicas_of(report, model.name)
    ready, day = counts[ReplicaState.READY], requests_since(report, model.name, day_ago)
    lowest = lowest_ratio(model, outlook, now_s + TWO_DAYS_S) if outlook else None
    peak_at_s, peak = _peak(outlook, demand, now_s + TWO_DAYS_S)
    short = report.cycle.plan.reason_for(model.name)
    source = outlook.source if outlook else model.name
    measured = next((one for one in report.warm_ups if one.model == model.name), None)
    served = next((one for one in report.served if one.model.name == model.name), None)
    record = next((one for one in report.deployed if one.name == model.name), None)
    return ServedModel(
        name=model.name,
        owner=owners.get(model.name, ""),
        community=model.community,
        served_elsewhere=model.elsewhere,
        ready=ready,
        starting=counts[ReplicaState.STARTING],
        wanted=demand.replicas_wanted,
        peak_replicas=peak,
        peak_at=moment_or_none(peak_at_s),
        min_replicas=model.min_replicas,
        max_replicas=model.max_replicas,
        rps_now=demand.rps_now,
        rps_wanted=demand.rps_wanted,
        rps_per_replica=demand.rps_per_replica,
        headroom_ratio=_headroom(model, ready, demand),
        lowest_ratio_48h=finite(lowest[0]) if lowest and not model.elsewhere else None,
        lead_time_s=outlook.lead_time_s if outlook else model.warm_up_s,
        warm_up_s=model.warm_up_s,
        warm_up_measured_s=measured.planned_s if measured else None,
        starts_measured=measured.starts if measured else 0,
        basis=demand.basis.value,
        late_24h=day.late,
        failed_24h=day.failed,
        requests_24h=day.total,
        gpus_per_replica=gpus_per_replica(report)[model.name],
        why=why_view(short) if short else None,
        trouble="; ".join(str(each) for each in report.troubles if each.part.subject in {model.name, source}),
        warnings=tuple(_warnings(report, model.name)),
        p99_held=finite(outlook.record.held) if outlook else None,
        forecast_record=str(outlook.record) if outlook else "",
        revision=record.serving if record else 0,
        rollout=rollout_view(record.rollout) if record and record.rollout else None,
        removing=record is not None and record.removing_s is not None,
        artifact=digest_in(served.application.args.get("artifact")) if served and served.application else "",
        card=card_view(served.card) if served else ModelCard(),
    )


def _warnings(report: Report, model: str) -> Iterator[str]:
    """Yield what the cluster says of a model: pods that find no host, quotas that would stop a rollout."""
    named = f"{model}: "
    yield from (said.removeprefix(named) for said in report.observation.faults if said.startswith(named))


def _headroom(model: ServingModel, ready: int, demand: ModelDemand) -> float | None:
    """Return the load that ready replicas serve over the load now; None without load, or where others serve."""
    if model.elsewhere or demand.rps_now <= 0:
        return None
    return finite(ready * demand.rps_per_replica / demand.rps_now)


def _peak(outlook: ModelOutlook | None, demand: ModelDemand, until_s: float) -> tuple[float, int]:
    """Return when the most replicas are planned, and how many."""
    ahead = [(count, -at_s) for at_s, count in outlook.replicas if at_s <= until_s] if outlook else []
    count, minus_at_s = max(ahead, default=(demand.replicas_held, -demand.peak_at_s))
    return -minus_at_s, count
