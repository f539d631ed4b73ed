"""One report as metric families: gauges of what is, and counters that others keep for us."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from scheduler.control.reports.board import Effort, Report
from scheduler.control.reports.queue_usage import guaranteed_gpu_milli, queue_usages
from scheduler.model.hosts import Host, HostState
from scheduler.model.occupancy import HELD, RESERVED, kept
from scheduler.model.reasons import Reasons
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import ReplicaState

Key = tuple[str, ...]


def of_report(report: Report) -> Iterator[Metric]:
    """Yield every family that one report answers for."""
    yield _gauge("last_plan_timestamp_seconds", "When the last plan was made", {(): report.cycle.at_s})
    yield from _serving(report)
    yield from _forecasts(report)
    yield from _hosts(report)
    yield _gauge("strays", "What others run on the cluster", {(): float(len(report.observation.strays))})
    yield from _training(report)
    yield from _queues(report.cycle.snapshot)
    yield from _counters(report)


def of_effort(effort: Effort) -> Iterator[Metric]:
    """Yield what turns of the control loop have taken since the process began."""
    yield CounterMetricFamily("headroom_turns", "Turns of the control loop", value=effort.turns)
    yield CounterMetricFamily("headroom_turn_seconds", "Time that turns took", value=effort.wall_s)
    text = "CPU time of the loop's thread within turns"
    yield CounterMetricFamily("headroom_turn_cpu_seconds", text, value=effort.cpu_s)


def _serving(report: Report) -> Iterator[Metric]:
    snapshot = report.cycle.snapshot
    gpus = {model.name: snapshot.ledger.table.gpus_of(model.shape) for model in snapshot.models}
    ready, counts = Counter[str](), Counter[Key]()
    for replica in snapshot.replicas:
        counts[replica.model, replica.state.value] += 1
        ready[replica.model] += replica.state is ReplicaState.READY
    planned = {demand.model: demand.replicas_wanted for demand in report.cycle.demand.models}
    starting = {name: counts[name, ReplicaState.STARTING.value] for name in gpus}
    capacity: dict[Key, float] = {
        (state,): sum(replicas[name] * gpus[name] for name in gpus if name in replicas)
        for state, replicas in (("ready", ready), ("starting", starting), ("planned", planned))
    }
    loads = {one.model: one for one in report.outlooks}
    demand = sum(one.rps_now / one.rps_per_replica * gpus[name] for name, one in loads.items())
    ratios: dict[Key, float] = {
        (name,): ready[name] * one.rps_per_replica / one.rps_now for name, one in loads.items() if one.rps_now > 0
    }
    yield _gauge("serving_demand_gpus", "GPUs that the load of now takes", {(): demand})
    yield _gauge("serving_capacity_gpus", "GPUs of replicas, by what they are", capacity, ("state",))
    yield _gauge("replicas", "Replicas that hold room", counts, ("model", "state"))
    yield _gauge("ratio", "Headroom: the load that ready replicas serve over the load of now", ratios, ("model",))


def _forecasts(report: Report) -> Iterator[Metric]:
    snapshot = report.cycle.snapshot
    gpus = {model.name: snapshot.ledger.table.gpus_of(model.shape) for model in snapshot.models}
    values: defaultdict[Key, float] = defaultdict(float)
    for one in report.outlooks:  # the label is not "quantile": Prometheus keeps that word for summaries
        for peak in one.peaks:
            horizon = f"{peak.window_s / 3600:g}h"
            for level, rps in (("0.5", peak.p50), ("0.9", peak.p90), ("0.99", peak.p99)):
                values[level, horizon] += rps / one.rps_per_replica * gpus[one.model]
    ages: dict[Key, float] = {
        (one.model,): one.source_age_s for one in report.outlooks if np.isfinite(one.source_age_s)
    }
    yield _gauge(
        "serving_forecast_gpus", "GPUs that the highest load of the horizon takes", values, ("level", "horizon")
    )
    yield _gauge("forecast_age_seconds", "Age of the last value of a model's traffic", ages, ("model",))


def _hosts(report: Report) -> Iterator[Metric]:
    snapshot = report.cycle.snapshot
    kinds: dict[Key, float] = {}
    used, empty = _used(snapshot), _kept(report)
    free = snapshot.ledger.table.in_whole(np.maximum(snapshot.ledger.gpu_milli, 0)) / WHOLE_DEVICE_MILLI
    for row, host in enumerate(snapshot.hosts):
        for kind, devices in _by_kind(host, used, empty, float(free[row])):
            kinds[host.name, kind] = devices
    up: dict[Key, float] = {(host.name,): float(host.state is not HostState.LOST) for host in snapshot.hosts}
    yield _gauge("devices", "Devices by who holds them", kinds, ("host", "kind"))
    yield _gauge("host_up", "Whether a host answers", up, ("host",))


def _by_kind(
    host: Host, used: Mapping[Key, float], empty: Mapping[Key, float], free: float
) -> Iterator[tuple[str, float]]:
    if not host.devices:
        return
    if host.state is HostState.LOST:
        yield "lost", host.accelerators
        return
    yield "serving", used.get((host.name, "serving"), 0.0)
    yield "training", used.get((host.name, "training"), 0.0)
    held, reserved = (empty.get((host.name, kind), 0.0) for kind in (HELD, RESERVED))
    yield HELD, held
    yield RESERVED, reserved
    yield "free" if host.takes_new_work else "drained", max(0.0, free - held - reserved)


def _kept(report: Report) -> Mapping[Key, float]:
    kinds: defaultdict[Key, float] = defaultdict(float)
    for use in kept(report.cycle.snapshot, report.cycle.plan):
        _add(kinds, report.cycle.snapshot, (use.slot,), use.shape, use.kind)
    return kinds


def _used(snapshot: Snapshot) -> Mapping[Key, float]:
    shapes = {model.name: model.shape for model in snapshot.models}
    used: defaultdict[Key, float] = defaultdict(float)
    for job in snapshot.jobs:
        _add(used, snapshot, job.slots, job.gang.shape, "training")
    for replica in snapshot.replicas:
        _add(used, snapshot, (replica.slot,), shape_held(replica, shapes), "serving")
    return used


def _add(used: defaultdict[Key, float], snapshot: Snapshot, slots: Iterable[Slot], shape: Shape, kind: str) -> None:
    for slot in slots:
        used[slot.host, kind] += snapshot.ledger.table.gpus_at(slot, shape)


def _training(report: Report) -> Iterator[Metric]:
    counts: Counter[Key] = Counter()
    oldest: dict[Key, float] = {}
    waiting: dict[str, float] = {}
    for job in report.cycle.snapshot.jobs:
        counts[job.state.value, str(job.priority), job.queue] += 1
        if job.state.is_waiting:
            key = (str(job.priority),)
            oldest[key] = max(oldest.get(key, 0.0), report.cycle.at_s - job.submitted_at_s)
            waiting[job.job_id] = job.gang.workers * report.cycle.snapshot.ledger.table.gpus_of(job.gang.shape)
    pending: defaultdict[Key, float] = defaultdict(float)
    for subject, why in Reasons.of(report.cycle.plan.unplaced).shared:
        pending[(why.reason.value,)] += waiting.get(subject, 0.0)
    yield _elastic_workers(report.cycle.snapshot)
    yield _gauge("jobs", "Jobs that are not final", counts, ("state", "priority", "queue"))
    yield _gauge("pending_gpus", "GPUs that waiting jobs ask for, by why they wait", pending, ("reason",))
    yield _gauge("oldest_pending_seconds", "Age of the oldest waiting job", oldest, ("priority",))


def _elastic_workers(snapshot: Snapshot) -> GaugeMetricFamily:
    jobs = [job for job in snapshot.running.jobs if job.gang.is_elastic]
    values: dict[Key, float] = {
        ("fewest",): sum(job.gang.workers for job in jobs),
        ("now",): sum(len(job.slots) for job in jobs),
        ("most",): sum(job.gang.most for job in jobs),
    }
    return _gauge("elastic_workers", "Workers of running jobs that can shrink and grow", values, ("bound",))


def _queues(snapshot: Snapshot) -> Iterator[Metric]:
    found = queue_usages(snapshot)
    guaranteed: dict[Key, float] = {(one.queue.name,): guaranteed_gpu_milli(one.queue) / 1000 for one in found}
    used: dict[Key, float] = {(one.queue.name,): one.gpu_milli / 1000 for one in found}
    borrowed: dict[Key, float] = {(one.queue.name,): one.borrowed_gpu_milli / 1000 for one in found}
    lent: dict[Key, float] = {(one.queue.name,): one.lent_gpu_milli / 1000 for one in found}
    shares: dict[Key, float] = {}
    for one in found:
        shares[one.queue.name, "now"], shares[one.queue.name, "lately"] = one.share, one.mean_share
    label = ("queue",)
    yield _gauge("queue_guaranteed_gpus", "GPUs that a queue can always have back", guaranteed, label)
    yield _gauge("queue_used_gpus", "GPUs that a queue's jobs hold", used, label)
    yield _gauge("queue_borrowed_gpus", "GPUs held above the guarantee", borrowed, label)
    yield _gauge("queue_lent_gpus", "GPUs guaranteed and not held, as far as they are not free", lent, label)
    yield _gauge("queue_share_ratio", "Dominant share of a queue, of all hosts", shares, ("queue", "when"))


def _counters(report: Report) -> Iterator[Metric]:
    requests = CounterMetricFamily("headroom_requests", "Requests that the router counted", labels=("model", "outcome"))
    for model, counts in report.request_counts:
        on_time = counts.total - counts.late - counts.failed
        for outcome, count in (("ok", on_time), ("late", counts.late), ("failed", counts.failed)):
            requests.add_metric((model, outcome), count)
    yield requests
    refused = CounterMetricFamily("headroom_action_failures", "Actions that the cluster refused", labels=("action",))
    for action, count in report.refused:
        refused.add_metric((action,), count)
    yield refused


def _gauge(name: str, text: str, values: Mapping[Key, float], labels: Key = ()) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"headroom_{name}", text, labels=labels)
    for key in sorted(values):
        family.add_metric(key, values[key])
    return family
