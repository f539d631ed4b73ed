"""Which sizes of job could start now, and from when on the next larger one: asked of the planner, size by size."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from scheduler.control.records import CycleRecord, DesiredState, JobRecord
from scheduler.control.snapshots.parts import training_job
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Plan, StartJob
from scheduler.model.policy import Policy
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.planning.planner import plan

PROBE: Final = JobId("a job of that size")
LOWEST_PRIORITY: Final = -1_000_000
"""It has nobody stopped, and goes before nobody."""
CPU_MILLI: Final = 1000
MEMORY_MIB: Final = 1024
"""Asked for each device: next to nothing, so that devices decide."""
MOST_SIZES: Final = 8
"""So many sizes are asked about at most."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size of job.

    Attributes:
        hosts: on how many.
        gpus: on each of them.
        at_s: from when on it could start, epoch seconds: now, or infinity where nobody can say.
    """

    hosts: int
    gpus: int
    at_s: float


def sizes_of(cycle: CycleRecord, policy: Policy) -> tuple[Size, ...]:
    """Return the largest size that could start at once, stopping nobody, and the next one; () without GPUs."""
    found = list[Size]()
    for hosts, gpus in _ladder(cycle):
        at_s = _start_s(cycle, policy, hosts, gpus)
        found.append(Size(hosts, gpus, at_s))
        if at_s > cycle.snapshot.taken_at_s:
            break
    return tuple(found[-2:])


def _ladder(cycle: CycleRecord) -> Iterator[tuple[int, int]]:
    """Yield (hosts, devices on each), the smallest size first: on one host, then on more and more whole ones."""
    usable = Counter(len(host.devices) for host in cycle.snapshot.hosts if host.devices)
    if not usable:
        return
    largest = max(usable)
    sizes = [(1, gpus) for gpus in _doubling(largest)]
    sizes += [(hosts, largest) for hosts in _doubling(usable[largest]) if hosts > 1]
    yield from sizes[:MOST_SIZES]


def _doubling(most: int) -> list[int]:
    found = [1]
    while found[-1] * 2 < most:
        found.append(found[-1] * 2)
    return found if found[-1] == most else [*found, most]


def _start_s(cycle: CycleRecord, policy: Policy, hosts: int, gpus: int) -> float:
    snapshot = cycle.snapshot
    shape = Shape(CPU_MILLI, MEMORY_MIB, gpus, WHOLE_DEVICE_MILLI)
    spec = JobSpec("probe", "", Gang(hosts, shape), priority=LOWEST_PRIORITY)
    record = JobRecord(PROBE, spec, JobState.PENDING, DesiredState.RUN, snapshot.taken_at_s)
    made = plan(snapshot.otherwise({PROBE: training_job(record, 0.0)}), cycle.demand, policy)
    if any(isinstance(action, StartJob) and action.job_id == PROBE for action in made.actions):
        return snapshot.taken_at_s
    return _later_s(made)


def _later_s(made: Plan) -> float:
    booked = next((booking.start_s for booking in made.bookings if booking.job_id == PROBE), None)
    why = made.reason_for(PROBE)
    until_s = booked if booked is not None else why.until_s if why else None
    return inf if until_s is None else until_s
