"""A partition counts as its share of a device: in what queues may hold, in what they used, in what there is."""

from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.entitlements import GPU, Entitlements
from scheduler.model.host_table import HostTable
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.plan import PreemptJob, Reason, StartJob
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang

FAIR = policy_from_names(queue_order="fair-share", bookings=0, min_runtime_s=0.0)
GIB = 1024
SMALL = Shape(cpu_milli=1000, gpu_count=1, device_memory_mib=20 * GIB)
"""Suits a part of 24 GiB, and any larger device."""


def mi300x(name: str, partitions: int = 1, accelerators: int = 1) -> Host:
    return Host(name, 256_000, 1536 * GIB, devices_offered(accelerators, 192 * GIB, partitions), "MI300X")


def limited(gpus: float) -> tuple[Queue, ...]:
    """Return a queue that may hold so many devices and no more."""
    return (Queue("a", Amounts(gpu_milli=round(1000 * gpus)), borrow_limit=Amounts(gpu_milli=0)),)


def test_a_queue_with_one_device_runs_eight_jobs_on_eighths_of_one(say: Any) -> None:
    jobs = [say.waiting(str(n), SMALL, queue="a") for n in range(1, 13)]

    made = say.plan(policy=FAIR, hosts=[mi300x("parts", 8, 2)], jobs=jobs, queues=limited(1))

    assert [start.job_id for start in say.of(made, StartJob)] == [str(n) for n in range(1, 9)]
    assert {made.reason_for(str(n)).reason for n in range(9, 13)} == {Reason.QUEUE_LIMIT}


def test_on_a_whole_device_the_same_job_counts_as_a_whole_one(say: Any) -> None:
    jobs = [say.waiting(str(n), SMALL, queue="a") for n in range(1, 4)]

    made = say.plan(policy=FAIR, hosts=[mi300x("whole", 1, 4)], jobs=jobs, queues=limited(2))

    assert len(say.of(made, StartJob)) == 2


def test_when_parts_run_out_a_whole_device_is_taken_only_within_the_limit(say: Any) -> None:
    jobs = [say.waiting(str(n), SMALL, queue="a") for n in range(1, 12)]
    hosts = [mi300x("parts", 8), mi300x("whole", 1, 4)]

    made = say.plan(policy=FAIR, hosts=hosts, jobs=jobs, queues=limited(1.5))

    assert [start.slots[0].host for start in say.of(made, StartJob)] == ["parts"] * 8
    assert made.reason_for("9").reason is Reason.QUEUE_LIMIT


def test_nobody_is_stopped_for_a_job_that_its_limit_would_keep_from_a_whole_device(say: Any) -> None:
    busy = [say.running(str(n), f"whole:{n}", shape=SMALL, queue="b", priority=25) for n in range(2)]
    wants = say.waiting("9", SMALL, queue="a", priority=75)

    tight = say.plan(
        policy=FAIR,
        hosts=[mi300x("whole", 1, 2), mi300x("cut", 8)],
        jobs=[*busy, wants, *fillers(say)],
        queues=(*limited(0.5), Queue("b")),
    )
    wide = say.plan(
        policy=FAIR,
        hosts=[mi300x("whole", 1, 2), mi300x("cut", 8)],
        jobs=[*busy, wants, *fillers(say)],
        queues=(*limited(1), Queue("b")),
    )

    assert not say.of(tight, PreemptJob)
    assert say.of(wide, PreemptJob)


def fillers(say: Any) -> list[Any]:
    """Return jobs that fill the parts and do not give way."""
    return [say.running(str(20 + n), f"cut:{n}", shape=SMALL, queue="b", preemptible=False) for n in range(8)]


@pytest.mark.parametrize(("partitions", "gpu_milli"), [(1, 1000), (2, 500), (4, 250), (8, 125)])
def test_what_there_is_what_is_asked_and_what_is_held_are_counted_alike(
    say: Any, partitions: int, gpu_milli: int
) -> None:
    host = mi300x("h", partitions, 4)
    rules = Entitlements((), HostTable([host]))
    snapshot = say.snapshot(hosts=[host], jobs=[say.running("1", "h:0", "h:2", shape=SMALL)])

    assert rules.capacity[GPU] == 4000
    assert rules.asked_by(Gang(3, SMALL))[GPU] == 3 * gpu_milli
    assert rules.asked_on(Gang(3, SMALL), [0, 0, 0])[GPU] == 3 * gpu_milli
    assert rules.held_at(Gang(2, SMALL), [Slot("h", (0,)), Slot("h", (2,))])[GPU] == 2 * gpu_milli
    assert snapshot.running.held[:, GPU].tolist() == [2 * gpu_milli]
    assert snapshot.running.gpus.tolist() == [2 * gpu_milli / 1000]
    assert HostTable([host]).gpus_of(SMALL) == gpu_milli / 1000
    assert host.accelerators == 4


def test_what_may_get_a_part_or_a_whole_device_is_asked_for_as_the_part_and_at_most_as_the_whole() -> None:
    rules = Entitlements((), HostTable([mi300x("parts", 8), mi300x("whole")]))

    assert rules.asked_by(Gang(2, SMALL))[GPU] == 250
    assert rules.asked_by(Gang(2, SMALL), at_most=True)[GPU] == 2000
    assert rules.asked_on(Gang(2, SMALL), [0, 1])[GPU] == 2000
    assert rules.asked_by(Gang(2, Shape(gpu_count=1)))[GPU] == 2000, "who states no memory gets no part"
