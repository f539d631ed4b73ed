"""The benchmark's packer is the planner: the same arrivals through `plan()`, one a turn, get the very same seats."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.packing.contenders import CONTENDERS, DEFAULT_POLICY
from benchmarks.packing.made_up import fleet_of, pods_for
from benchmarks.packing.planned import PlannedPacker, hosts_of
from benchmarks.packing.protocol import Play, arrivals, churn_of, listed
from benchmarks.packing.room import Room, Seat, ShapeTable
from benchmarks.packing.workload import Fleet, Pods
from scheduler.control.records import DesiredState, JobRecord
from scheduler.control.snapshots.workload_stats import WorkloadStats
from scheduler.model.demand import Demand
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

HOSTS = 24


class Site:
    """A control plane's turn, by hand: jobs in its store, its own workload_stats, its own snapshot, `plan()`."""

    def __init__(self, fleet: Fleet) -> None:
        self._hosts = hosts_of(fleet)
        self._rows = {host.name: row for row, host in enumerate(self._hosts)}
        self._workload_stats = WorkloadStats()
        self._jobs: dict[JobId, JobRecord] = {}
        self._slots: dict[JobId, tuple[Slot, ...]] = {}

    def arrive(self, shape: Shape) -> tuple[JobId, Seat | None]:
        """Submit a job and plan; what does not start at once waits, and is never tried again."""
        job_id = JobId(f"{len(self._jobs):06}")
        self._jobs[job_id] = JobRecord(
            job_id, JobSpec("pod", "true", Gang(1, shape)), JobState.PENDING, DesiredState.RUN, float(len(self._jobs))
        )
        work = self._workload_stats.look(tuple(self._jobs.values()), (), ())
        known = [self._planned(each) for each in self._slots] + [self._planned(job_id)]
        snapshot = replace(Snapshot.of(hosts=self._hosts, jobs=known), work=work)
        started = [one for one in plan(snapshot, Demand(()), DEFAULT_POLICY).actions if isinstance(one, StartJob)]
        if not started:
            return job_id, None
        (slot,) = self._slots[job_id] = started[0].slots
        self._jobs[job_id] = replace(self._jobs[job_id], state=JobState.RUNNING)
        return job_id, Seat(self._rows[slot.host], slot.devices)

    def leave(self, job_id: JobId) -> None:
        """End a job well."""
        del self._slots[job_id]
        self._jobs[job_id] = replace(self._jobs[job_id], state=JobState.SUCCEEDED)

    def _planned(self, job_id: JobId) -> TrainingJob:
        job = TrainingJob(job_id, "pod", self._jobs[job_id].spec.gang, preemptible=False)
        slots = self._slots.get(job_id)
        return replace(job, state=JobState.RUNNING, slots=slots, started_at_s=0.0) if slots else job


def filling(fleet: Fleet, pods: Pods, seed: int) -> list[int]:
    """Arrivals until as much was asked for as there is, and a little more: each is its own number."""
    order = arrivals(pods, fleet.capacity_milli, seed)
    return order[: np.searchsorted(pods.gpu_milli[order].cumsum(), 1.05 * fleet.capacity_milli)].tolist()


def with_departures(fleet: Fleet, pods: Pods, seed: int) -> Iterator[tuple[int, int]]:
    """Yield arrivals and, below zero, departures, with the shape of each."""
    course = churn_of(pods, fleet.capacity_milli, 1.0, seed)
    for event in course.events.tolist()[:400]:
        yield event, int(course.shape[event if event >= 0 else -1 - event])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_filling_site_gives_the_seats_that_the_planner_gives(seed: int) -> None:
    fleet, pods = fleet_of(HOSTS, seed), pods_for(HOSTS, seed)
    play, site = Play(fleet, pods, CONTENDERS["headroom"](fleet, pods), seed), Site(listed(fleet, seed))
    for shape in filling(fleet, pods, seed):
        assert play.arrive(shape) == site.arrive(pods.shapes[shape])[1]


def test_a_site_whose_work_ends_does_too() -> None:
    fleet, pods = fleet_of(HOSTS, 3), pods_for(HOSTS, 3)
    play, site = Play(fleet, pods, CONTENDERS["headroom"](fleet, pods), 3), Site(listed(fleet, 3))
    there: dict[int, tuple[JobId, Seat]] = {}
    for event, shape in with_departures(fleet, pods, 3):
        if event >= 0:
            seat, (job_id, planned) = play.arrive(shape), site.arrive(pods.shapes[shape])
            assert seat == planned
            if planned is not None:
                there[event] = (job_id, planned)
        elif (left := there.pop(-1 - event, None)) is not None:
            play.leave(left[1], shape)
            site.leave(left[0])
    assert there


def test_what_is_counted_goes_by_what_became_of_it() -> None:
    half, whole = Shape(cpu_milli=1000, memory_mib=1, gpu_count=1, gpu_milli=500), Shape(1000, 1, gpu_count=1)
    fleet, pods = fleet_of(2, 1), Pods.of([half, whole])
    packer = PlannedPacker(Room(fleet), ShapeTable.of(pods.shapes, fleet.models), DEFAULT_POLICY)
    for _ in range(3):
        seat = packer.choose(0)
        assert seat is not None
        packer.changed(seat, 0, -1)
    packer.changed(seat, 0, 1)
    packer.choose(1)
    assert (packer._running, packer._waiting) == (
        Counter({pods.shapes[0]: 2}),
        Counter({pods.shapes[1]: 1, pods.shapes[0]: 0}),
    )
