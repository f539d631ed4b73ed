"""Which sizes of job could start now, and from when the next larger one."""

from math import inf

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.control.whatif.sizes import Size, sizes_of
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

NOW_S, HOUR_S = 1_000_000.0, 3600.0
POLICY = policy_from_names()


def host(name: str, gpus: int = 4) -> Host:
    return Host(name, 64_000, 256_000, tuple(Device(index, 65_536) for index in range(gpus)), "MI300X")


def job(number: int, name: str, gpus: int, hours: float | None) -> TrainingJob:
    return TrainingJob(
        JobId(str(number)), "j", Gang(1, Shape(1000, 1024, gpus)), submitted_at_s=NOW_S - HOUR_S, attempt=1,
        state=JobState.RUNNING, slots=(Slot(name, tuple(range(gpus))),), started_at_s=NOW_S - HOUR_S,
        max_runtime_s=None if hours is None else (hours + 1) * HOUR_S,
    )  # fmt: skip


def asked(hosts: list[Host], *jobs: TrainingJob) -> tuple[Size, ...]:
    seen = Snapshot.of(version=3, taken_at_s=NOW_S, hosts=hosts, jobs=jobs)
    return sizes_of(CycleRecord(3, NOW_S, seen, Demand(), Plan(3), 0.0), POLICY)


def test_an_empty_site_takes_its_largest_gang_now() -> None:
    assert asked([host("a"), host("b"), host("c")]) == (Size(2, 4, NOW_S), Size(3, 4, NOW_S))
    assert asked([host("a", 1)]) == (Size(1, 1, NOW_S),)


def test_the_next_larger_one_starts_when_who_is_in_the_way_ends() -> None:
    now, later = asked([host("a"), host("b")], job(1, "a", 3, 2.0), job(2, "b", 2, 5.0))
    assert now == Size(1, 2, NOW_S)
    assert (later.hosts, later.gpus) == (1, 4)
    assert abs(later.at_s - NOW_S - 2 * HOUR_S) < 600


def test_where_not_even_one_device_is_free_it_is_said_from_when() -> None:
    (only,) = asked([host("a", 1)], job(1, "a", 1, 3.0))
    assert (only.hosts, only.gpus) == (1, 1)
    assert NOW_S < only.at_s < inf


def test_a_site_without_devices_has_no_sizes() -> None:
    assert asked([host("a", 0)]) == ()
