"""What was used lately: step by step as the loop goes on, and the same from the records after a restart."""

from dataclasses import replace
from math import isclose

import pytest

from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome
from scheduler.control.snapshots.usage import Meter
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

HALF_LIFE_S = 3600.0
GANG = Gang(2, Shape(1000, 1024, 1))
SLOTS = (Slot("h", (0,)), Slot("h", (1,)))
HOST = Host("h", 8000, 8192, (Device(0), Device(1)))


def snapshot(*, runs: bool) -> Snapshot:
    job = TrainingJob(JobId("1"), "j", GANG, "research", "ana", state=JobState.RUNNING, slots=SLOTS, attempt=1)
    return Snapshot.of(hosts=[HOST], jobs=[job] if runs else [])


def record(began_s: float, ended_s: float | None) -> JobRecord:
    spec = JobSpec(name="j", entrypoint="x", gang=GANG, owner="ana", queue="research")
    outcome = Outcome.OPEN if ended_s is None else Outcome.SUCCEEDED
    attempt = AttemptRecord(JobId("1"), 1, SLOTS, began_s, began_s, ended_s, outcome)
    return JobRecord(JobId("1"), spec, JobState.RUNNING, DesiredState.RUN, 0.0, attempts=(attempt,))


def test_after_one_half_life_half_of_what_is_held_counts_and_then_it_fades() -> None:
    meter = Meter(HALF_LIFE_S, 0.0)
    meter.see(snapshot(runs=True))
    (use,) = meter.usage(HALF_LIFE_S)
    assert (use.queue, use.owner) == ("research", "ana")
    assert (use.gpu_milli, use.cpu_milli, use.memory_mib) == pytest.approx((1000.0, 1000.0, 1024.0))
    meter.see(snapshot(runs=False))
    (use,) = meter.usage(3 * HALF_LIFE_S)
    assert use.gpu_milli == pytest.approx(250.0)


def test_how_often_it_is_asked_changes_nothing() -> None:
    often, once = Meter(HALF_LIFE_S, 0.0), Meter(HALF_LIFE_S, 0.0)
    for meter in (often, once):
        meter.see(snapshot(runs=True))
    for at_s in range(0, 7200, 30):
        often.usage(float(at_s))
    assert isclose(often.usage(7200.0)[0].gpu_milli, once.usage(7200.0)[0].gpu_milli)


@pytest.mark.parametrize("ended_s", [None, 5000.0])
def test_a_restart_finds_in_the_records_what_the_loop_had_counted(ended_s: float | None) -> None:
    meter = Meter(HALF_LIFE_S, 1000.0)
    meter.see(snapshot(runs=True))
    if ended_s is not None:
        meter.usage(ended_s)
        meter.see(snapshot(runs=False))
    (counted,) = meter.usage(9000.0)
    (derived,) = Meter(HALF_LIFE_S, 9000.0, [record(1000.0, ended_s)]).usage(9000.0)
    assert derived.gpu_milli == pytest.approx(counted.gpu_milli)


def test_attempts_that_never_started_and_what_is_long_gone_count_nothing() -> None:
    never = record(0.0, None)
    never = replace(never, attempts=(replace(never.attempts[0], started_at_s=None),))
    assert Meter(HALF_LIFE_S, 9000.0, [never, record(0.0, 60.0)]).usage(100 * HALF_LIFE_S) == ()
