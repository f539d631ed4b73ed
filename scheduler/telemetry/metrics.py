"""The control plane's metrics for Prometheus, read from the last report and from the store.

What the store counts survives a restart; histograms begin anew, as Prometheus expects of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from scheduler.control.records import AttemptTotal, Outcome
from scheduler.control.reports.board import Board, Report
from scheduler.model.plan import StartJob
from scheduler.model.workloads import ReplicaState
from scheduler.telemetry import families

PLAN_BUCKETS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
WAIT_BUCKETS_S = (60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 86400.0, 3 * 86400.0)
ETA_BUCKETS_S = (-14400.0, -3600.0, -600.0, -60.0, 60.0, 600.0, 3600.0, 14400.0, 86400.0)
WARM_UP_BUCKETS_S = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0)

Totals = Callable[[], Iterable[AttemptTotal]]
Judgement = Callable[[Report], float | None]


def no_totals() -> Iterable[AttemptTotal]:
    """Return nothing: no store counts attempts."""
    return ()


class Metrics(Collector):
    """Everything under the prefix `headroom_`, in base units."""

    def __init__(self, board: Board, totals: Totals = no_totals, lowest_ratio: Judgement | None = None) -> None:
        """Read from the parts of a control plane.

        Args:
            board: where reports appear.
            totals: a store's `attempt_totals`.
            lowest_ratio: judges a report: the lowest headroom of the next 48 h, or None when nothing is needed.
        """
        self._board = board
        self._totals = totals
        self._lowest_ratio = lowest_ratio
        self.registry = CollectorRegistry()
        self._plan_s = self._histogram("headroom_plan_duration_seconds", "Time the planner takes", PLAN_BUCKETS_S)
        self._wait_s = self._histogram(
            "headroom_job_wait_seconds", "From submission to the first start of a job", WAIT_BUCKETS_S
        )
        self._warm_up_s = self._histogram(
            "headroom_warmup_seconds", "From starting a replica until it is ready", WARM_UP_BUCKETS_S
        )
        self._eta_error_s = self._histogram(
            "headroom_eta_error_seconds", "By what a start came later than its first p50", ETA_BUCKETS_S
        )
        self._starting: dict[str, float] = {}
        self.registry.register(self)
        board.listeners.append(self._seen)

    def missed(self, seconds: float) -> None:
        """Count a start that came so much later than was foretold."""
        self._eta_error_s.observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)

    def collect(self) -> Iterator[Metric]:
        """Yield what is not a histogram."""
        yield InfoMetricFamily("headroom_build", "The control plane", {"version": version("headroom-scheduler")})
        yield from _ended(self._totals())
        yield from families.of_effort(self._board.effort)
        report = self._board.report
        if report is not None:
            yield from families.of_report(report)
            yield from self._judged(report)

    def _judged(self, report: Report) -> Iterator[Metric]:
        lowest = self._lowest_ratio(report) if self._lowest_ratio is not None else None
        if lowest is not None:
            text = "Lowest headroom of the next 48 hours, planned replicas over those the forecast asks for"
            yield GaugeMetricFamily("headroom_lowest_ratio_48h", text, value=lowest)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, text, buckets=buckets, registry=self.registry)

    def _seen(self, report: Report) -> None:
        self._plan_s.observe(report.cycle.plan_duration_s)
        jobs = {job.job_id: job for job in report.cycle.snapshot.jobs}
        for action in report.cycle.plan.actions:
            if isinstance(action, StartJob) and action.attempt == 1 and action.job_id in jobs:
                self._wait_s.observe(report.cycle.at_s - jobs[action.job_id].submitted_at_s)
        self._see_replicas(report)

    def _see_replicas(self, report: Report) -> None:
        replicas = report.observation.replicas
        for replica in replicas:
            if replica.state is ReplicaState.READY and replica.replica_id in self._starting:
                self._warm_up_s.observe(report.cycle.at_s - self._starting.pop(replica.replica_id))
        self._starting = {
            replica.replica_id: self._starting.get(replica.replica_id, report.cycle.at_s)
            for replica in replicas
            if replica.state is ReplicaState.STARTING
        }


def _ended(totals: Iterable[AttemptTotal]) -> Iterator[Metric]:
    preemptions = CounterMetricFamily(
        "headroom_preemptions",
        "Attempts stopped for somebody else, or to go on with more workers",
        labels=("reason", "outcome"),
    )
    ended = CounterMetricFamily("headroom_attempts", "Attempts that ended, by how", labels=("outcome",))
    counts: Counter[str] = Counter()
    lost = CounterMetricFamily("headroom_lost_gpu_seconds", "GPU-seconds of work done after the last checkpoint")
    lost_gpu_s = 0.0
    for total in totals:
        lost_gpu_s += total.lost_gpu_s
        counts[total.outcome.value] += total.attempts
        if total.outcome is Outcome.PREEMPTED and total.stop_cause is not None:
            preemptions.add_metric((total.stop_cause.value, "saved" if total.saved else "killed"), total.attempts)
    lost.add_metric((), lost_gpu_s)
    for outcome in filter(None, Outcome):
        ended.add_metric((outcome.value,), counts[outcome.value])
    yield ended
    yield preemptions
    yield lost
