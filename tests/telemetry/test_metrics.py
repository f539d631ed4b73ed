"""Metrics: the names and units of the field, the numbers of the last report, counters that outlive a restart."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler.control.records import AttemptTotal, CycleRecord, Outcome
from scheduler.control.reports.board import Board, GpuShares, ModelOutlook, PeakWindow, Report, RequestCounts
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.observation import Observation
from scheduler.model.plan import Cause, Plan, Reason, StartJob, Unplaced
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.telemetry.metrics import Metrics

HALF = Shape(1000, 1024, 1, 500)
WHOLE = Shape(1000, 1024, 1)
Key = tuple[str, frozenset[tuple[str, str]]]


def host(name: str, state: HostState = HostState.READY) -> Host:
    return Host(name, 8000, 8192, (Device(0), Device(1)), "MI210", state=state)


def replica(name: str, slot: Slot, state: ReplicaState = ReplicaState.READY) -> Replica:
    return Replica(ReplicaId(name), "edit-check", slot, state)


@pytest.fixture
def report() -> Report:
    """Return a report with something of everything."""
    running = TrainingJob(
        JobId("1"),
        "lm",
        Gang(1, WHOLE, max_workers=3),
        state=JobState.RUNNING,
        attempt=1,
        slots=(Slot("a", (1,)),),
        submitted_at_s=50.0,
    )
    waiting = TrainingJob(JobId("2"), "big", Gang(4, WHOLE), queue="research", priority=75, submitted_at_s=400.0)
    world = Snapshot.of(
        version=3,
        queues=[Queue("default", Amounts(gpu_milli=500)), Queue("research", Amounts(gpu_milli=2000))],
        usage=[MeanUse("research", "", gpu_milli=3000.0)],
        taken_at_s=1000.0,
        hosts=[host("a"), host("b", HostState.DRAINING), host("c", HostState.LOST)],
        jobs=[running, waiting],
        models=[ServingModel("edit-check", HALF, 1, 6)],
        replicas=[
            replica("r1", Slot("a", (0,))),
            replica("r2", Slot("a", (0,))),
            replica("r3", Slot("b", (0,)), ReplicaState.STARTING),
        ],
    )
    demand = Demand((ModelDemand("edit-check", 2, 4, 4, 16.0, 38.0, 10.0),))
    unplaced = Unplaced("2", Reason.INSUFFICIENT_DEVICES, "4 on one host", 4, 0)
    plan = Plan(3, (StartJob(JobId("1"), 1, (Slot("a", (1,)),)),), (), (unplaced,))
    peaks = (PeakWindow(3600.0, 2000.0, 20.0, 25.0, 30.0), PeakWindow(172800.0, 2000.0, 30.0, 35.0, 40.0))
    outlook = ModelOutlook("edit-check", "wiki", Basis.FORECAST, 16.0, 10.0, 90.0, source_age_s=22.0, peaks=peaks)
    return Report(
        CycleRecord(3, 1000.0, world, demand, plan, 0.014),
        Observation(1000.0, world.hosts, (), world.replicas),
        (outlook,),
        (("edit-check", RequestCounts(total=100, late=3, failed=2)),),
        refused=(("StartJob", 2),),
    )


TOTALS = (
    AttemptTotal(Outcome.PREEMPTED, Cause.SERVING, saved=True, attempts=7, lost_gpu_s=41.0),
    AttemptTotal(Outcome.PREEMPTED, Cause.PRIORITY, saved=False, attempts=1, lost_gpu_s=60.0),
    AttemptTotal(Outcome.SUCCEEDED, None, saved=True, attempts=9, lost_gpu_s=0.0),
    AttemptTotal(Outcome.LOST, None, saved=True, attempts=1, lost_gpu_s=9.0),
    AttemptTotal(Outcome.TIMED_OUT, Cause.TIME_LIMIT, saved=True, attempts=2, lost_gpu_s=0.0),
    AttemptTotal(Outcome.TIMED_OUT, Cause.TIME_LIMIT, saved=False, attempts=1, lost_gpu_s=0.0),
)


def publish(board: Board, report: Report) -> None:
    board.publish(report, GpuShares(report.cycle.at_s, *[0.0] * 10))


@pytest.fixture
def metrics(report: Report) -> Metrics:
    """Return metrics that have seen one report."""
    board = Board()
    made = Metrics(board, lambda: TOTALS, lambda _: 1.08)
    publish(board, report)
    return made


@pytest.fixture
def read() -> Callable[[Metrics], dict[Key, float]]:
    """Return a reader of all samples by name and labels."""

    def read_all(metrics: Metrics) -> dict[Key, float]:
        families = text_string_to_metric_families(metrics.text().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    return read_all


def sample(name: str, **labels: str) -> Key:
    return f"headroom_{name}", frozenset(labels.items())


EXPECTED = {
    sample("attempts_total", outcome="Preempted"): 8,
    sample("attempts_total", outcome="TimedOut"): 3,
    sample("attempts_total", outcome="Failed"): 0,
    sample("turns_total"): 0,
    sample("queue_guaranteed_gpus", queue="research"): 2.0,
    sample("queue_used_gpus", queue="default"): 1.0,
    sample("queue_borrowed_gpus", queue="default"): 0.5,
    sample("queue_lent_gpus", queue="research"): 2.0,
    sample("queue_share_ratio", queue="research", when="lately"): 0.5,
    sample("ratio", model="edit-check"): 20.0 / 16.0,
    sample("lowest_ratio_48h"): 1.08,
    sample("serving_demand_gpus"): 0.8,
    sample("serving_capacity_gpus", state="ready"): 1.0,
    sample("serving_capacity_gpus", state="starting"): 0.5,
    sample("serving_capacity_gpus", state="planned"): 2.0,
    sample("serving_forecast_gpus", level="0.99", horizon="1h"): 1.5,
    sample("serving_forecast_gpus", level="0.5", horizon="48h"): 1.5,
    sample("replicas", model="edit-check", state="ready"): 2,
    sample("replicas", model="edit-check", state="starting"): 1,
    sample("requests_total", model="edit-check", outcome="ok"): 95,
    sample("requests_total", model="edit-check", outcome="late"): 3,
    sample("requests_total", model="edit-check", outcome="failed"): 2,
    sample("devices", host="a", kind="serving"): 1.0,
    sample("devices", host="a", kind="training"): 1.0,
    sample("devices", host="a", kind="free"): 0.0,
    sample("devices", host="b", kind="drained"): 1.5,
    sample("devices", host="c", kind="lost"): 2.0,
    sample("host_up", host="b"): 1.0,
    sample("host_up", host="c"): 0.0,
    sample("jobs", state="Running", priority="50", queue="default"): 1,
    sample("jobs", state="Pending", priority="75", queue="research"): 1,
    sample("elastic_workers", bound="fewest"): 1.0,
    sample("elastic_workers", bound="now"): 1.0,
    sample("elastic_workers", bound="most"): 3.0,
    sample("pending_gpus", reason="InsufficientDevices"): 4.0,
    sample("oldest_pending_seconds", priority="75"): 600.0,
    sample("preemptions_total", reason="serving", outcome="saved"): 7,
    sample("preemptions_total", reason="priority", outcome="killed"): 1,
    sample("lost_gpu_seconds_total"): 110.0,
    sample("action_failures_total", action="StartJob"): 2,
    sample("forecast_age_seconds", model="edit-check"): 22.0,
    sample("last_plan_timestamp_seconds"): 1000.0,
    sample("plan_duration_seconds_count"): 1,
    sample("plan_duration_seconds_sum"): 0.014,
    sample("job_wait_seconds_sum"): 950.0,
    sample("warmup_seconds_count"): 0,
}


def test_every_number_is_that_of_the_report(metrics: Metrics, read: Callable[[Metrics], dict[Key, float]]) -> None:
    found = read(metrics)
    assert {key: found.get(key) for key in EXPECTED} == pytest.approx(EXPECTED)


def test_the_devices_of_a_host_add_up(metrics: Metrics, read: Callable[[Metrics], dict[Key, float]]) -> None:
    found = read(metrics)
    for name in ("a", "b", "c"):
        kinds = [
            v for (metric, labels), v in found.items() if metric == "headroom_devices" and ("host", name) in labels
        ]
        assert sum(kinds) == 2.0


def test_before_the_first_plan_there_is_no_invented_zero(read: Callable[[Metrics], dict[Key, float]]) -> None:
    found = read(Metrics(Board()))
    assert sample("lost_gpu_seconds_total") in found
    assert not any(name.startswith(("headroom_ratio", "headroom_last_plan", "headroom_devices")) for name, _ in found)


def test_warm_up_is_the_time_from_starting_to_ready(
    metrics: Metrics, report: Report, read: Callable[[Metrics], dict[Key, float]]
) -> None:
    ready = tuple(replace(one, state=ReplicaState.READY) for one in report.observation.replicas)
    later = replace(
        report,
        cycle=replace(report.cycle, at_s=1130.0),
        observation=replace(report.observation, replicas=ready),
    )
    for _ in range(2):
        publish(metrics._board, later)
    found = read(metrics)
    assert found[sample("warmup_seconds_count")] == 1
    assert found[sample("warmup_seconds_sum")] == pytest.approx(130.0)


@pytest.mark.prometheus
def test_promtool_has_nothing_to_say(metrics: Metrics) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs the program promtool")
    checked = subprocess.run([promtool, "check", "metrics"], input=metrics.text(), capture_output=True, check=False)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")


def test_what_turns_take_is_counted(metrics: Metrics, read: Callable[[Metrics], dict[Key, float]]) -> None:
    for _ in range(3):
        metrics._board.took(2.0, 0.5)
    found = read(metrics)
    assert [found[sample(f"turn{name}_total")] for name in ("s", "_seconds", "_cpu_seconds")] == [3, 6.0, 1.5]
