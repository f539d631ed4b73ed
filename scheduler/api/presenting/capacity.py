"""Whether serving is covered, in numbers and in one sentence."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from scheduler.api.presenting.covering import HORIZON_S, coverage_of, verdict_of, within
from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.models import gpus_per_replica, model_views, tallies_at
from scheduler.api.presenting.points import Window, gpu_points, rate_points
from scheduler.api.presenting.pools import pool_view
from scheduler.api.presenting.proposals import proposal_view
from scheduler.api.presenting.times import DAY_S, moment
from scheduler.control.records import JobRecord, Outcome
from scheduler.control.reports.board import GpuShares, Report
from scheduler.control.whatif.sizes import Size
from scheduler.model.occupancy import HELD, OCCUPIED, RESERVED, STRAY
from scheduler.model.policy import Policy
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.workloads import JobState, ReplicaState
from scheduler.planning.serving.coverage import Coverage
from scheduler.wire.hosts import Host
from scheduler.wire.serving import Capacity, CapacityPoint, StartableSize

SERVING_KINDS = frozenset({"serving", "community", "starting", "stopping"})
TRAINING_KINDS = frozenset({"training", "preempting"})


@dataclass(frozen=True, slots=True)
class Past:
    """What happened until now.

    Attributes:
        history: who held the devices, oldest first.
        jobs: every open job and those that ended within a week.
    """

    history: tuple[GpuShares, ...] = ()
    jobs: tuple[JobRecord, ...] = ()


def capacity_view(report: Report, past: Past, window: Window, policy: Policy) -> Capacity:
    """Return the answer to "is serving covered?".

    Args:
        report: the last one.
        past: for the numbers of the last 24 h and the left side of the picture.
        window: what the points and the devices are about.
        policy: by which replicas to come are placed.
    """
    now_s, snapshot = report.cycle.at_s, report.cycle.snapshot
    devices = devices_by_kind(tuple(host for host in host_views(report) if window.gpu_model in {"", host.gpu_model}))
    models = model_views(report, tallies_at(past.history, now_s - DAY_S), {})
    attempts = [attempt for job in past.jobs for attempt in job.attempts]
    ended = [a for a in attempts if a.ended_at_s is not None and a.ended_at_s > now_s - DAY_S]
    waits_s = [now_s - job.submitted_at_s for job in snapshot.jobs if job.state.is_waiting]
    everything = coverage_of(report, policy)
    coverage = within(everything, now_s + HORIZON_S)
    verdict = verdict_of(report, coverage)
    lowest = min((p for p in coverage.points if p.ratio is not None), key=lambda p: p.ratio or 0.0, default=None)
    return Capacity(
        verdict=verdict.verdict,
        detail=verdict.detail,
        notice=verdict.notice,
        covered=verdict.covered,
        headroom_ratio=coverage.now.ratio,
        headroom_model=coverage.now.model,
        lowest_ratio=lowest.ratio if lowest else None,
        lowest_at=moment(lowest.at_s) if lowest else None,
        lowest_model=lowest.model if lowest else "",
        horizon_s=coverage.points[-1].at_s - now_s if coverage.points else 0.0,
        lead_time_s=max((outlook.lead_time_s for outlook in report.outlooks), default=0.0),
        unit="requests/s" if window.model else "GPUs",
        gpus=round(devices.total()),
        gpus_serving=sum(devices[kind] for kind in SERVING_KINDS),
        gpus_training=sum(devices[kind] for kind in TRAINING_KINDS),
        gpus_held=devices[HELD],
        gpus_reserved=devices[RESERVED],
        gpus_free=devices["free"],
        gpus_drained=devices["drained"],
        gpus_occupied=devices[STRAY] + devices[OCCUPIED],
        gpus_lost=devices["lost"],
        serving_gpus_ready=_ready_gpus(report),
        serving_gpus_p99_now=_wanted_gpus(report),
        waiting=len(waits_s),
        oldest_wait_s=max(waits_s, default=0.0),
        requests_24h=sum(one.requests_24h for one in models),
        late_24h=sum(one.late_24h for one in models),
        failed_24h=sum(one.failed_24h for one in models),
        gpu_s_lost_24h=sum(attempt.lost_gpu_s for attempt in ended),
        gpu_s_trained_24h=_trained_gpu_s(past.history, now_s - DAY_S),
        preemptions_24h=sum(attempt.outcome is Outcome.PREEMPTED for attempt in ended),
        points=_points(report, past, window, everything),
        pools=tuple(pool_view(pool) for pool in report.pools),
        proposals=tuple(proposal_view(proposal) for proposal in report.cycle.plan.proposals),
        preempted_at=tuple(moment(at_s) for at_s in sorted(_preempted_at_s(past.jobs)) if at_s >= window.since_s),
    )


def size_views(sizes: Iterable[Size]) -> tuple[StartableSize, ...]:
    """Return sizes of jobs that could start."""
    return tuple(
        StartableSize(hosts=one.hosts, gpus=one.gpus, at=moment(one.at_s) if isfinite(one.at_s) else None)
        for one in sizes
    )


def devices_by_kind(hosts: Sequence[Host]) -> Counter[str]:
    """Return devices (shares and partitions count in part) by who holds them; what is left is free, drained or lost."""
    milli: defaultdict[str, float] = defaultdict(float)
    for host in hosts:
        for device in host.devices:
            for use in device.uses:
                milli[use.kind] += use.gpu_milli / device.partitions
            free = max(0, WHOLE_DEVICE_MILLI - sum(use.gpu_milli for use in device.uses))
            milli[host.rest] += free / device.partitions
    return Counter({kind: amount / WHOLE_DEVICE_MILLI for kind, amount in milli.items()})


def _ready_gpus(report: Report) -> float:
    snapshot = report.cycle.snapshot
    shapes = {model.name: model.shape for model in snapshot.models}
    ready = (replica for replica in snapshot.replicas if replica.state is ReplicaState.READY)
    sits = [(replica.slot, shapes[replica.model]) for replica in ready if replica.model in shapes]
    return sum(snapshot.ledger.table.gpus_at(slot, shape) for slot, shape in sits)


def _wanted_gpus(report: Report) -> float:
    """Return the devices that the planning quantile of the load within the lead time keeps busy."""
    demands = [(report.cycle.demand.of(model), gpus) for model, gpus in gpus_per_replica(report).items()]
    return sum(demand.rps_wanted / demand.rps_per_replica * gpus for demand, gpus in demands if demand)


def _trained_gpu_s(history: Sequence[GpuShares], since_s: float) -> float:
    """Return the area under training, each moment holding until the next."""
    seen = [shares for shares in history if shares.at_s >= since_s]
    return sum(a.training * (b.at_s - a.at_s) for a, b in pairwise(seen))


def _preempted_at_s(jobs: Sequence[JobRecord]) -> Iterator[float]:
    """Yield when attempts were told to make room: those that were preempted, and those being so now."""
    for job in jobs:
        for attempt in job.attempts:
            making_room = job.state is JobState.PREEMPTING and attempt is job.attempt
            if attempt.outcome is Outcome.PREEMPTED or making_room:
                told_at_s = attempt.stop_asked_at_s or attempt.ended_at_s
                yield from () if told_at_s is None else (told_at_s,)


def _points(report: Report, past: Past, window: Window, coverage: Coverage) -> tuple[CapacityPoint, ...]:
    if not window.model:
        return gpu_points(report, past.history, coverage, window)
    served = report.cycle.snapshot.model(window.model)
    return rate_points(report, served, window) if served else ()
