"""The planner places as well as the benchmark says: the same arrivals, through `plan()` a batch at a time."""

from collections import Counter
from dataclasses import replace

import numpy as np

from benchmarks.packing.contenders import CONTENDERS
from benchmarks.packing.made_up import fleet_of, pods_for
from benchmarks.packing.protocol import MARKS, arrivals, fill, listed
from benchmarks.packing.workload import Fleet
from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import WorkSeen
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

HOSTS, BATCH, SEEDS = 48, 24, (1, 2)


def hosts_of(fleet: Fleet) -> tuple[Host, ...]:
    amounts = zip(fleet.cpu_milli.tolist(), fleet.memory_mib.tolist(), fleet.gpu_milli, fleet.model, strict=True)
    return tuple(
        Host(f"h{i:04}", cpu, memory, tuple(Device(d) for d in np.flatnonzero(gpu > 0)), fleet.models[model])
        for i, (cpu, memory, gpu, model) in enumerate(amounts)
    )


def watched(seen: Counter[Shape], running: Counter[Shape]) -> WorkSeen:
    """Return what a site has seen when nothing has ended."""
    counts = (tuple(each[shape] for shape in seen) for each in (seen, running, running))
    return WorkSeen(tuple(seen), *counts, usual=tuple(seen.items()))


def planned_share(name: str, seed: int) -> float:
    """Return the allocated share, in per cent, when the arrived demand is the capacity."""
    fleet, pods = fleet_of(HOSTS, seed), pods_for(HOSTS, seed)
    hosts, order = hosts_of(listed(fleet, seed)), arrivals(pods, fleet.capacity_milli, seed)
    order = order[: np.searchsorted(pods.gpu_milli[order].cumsum(), fleet.capacity_milli)]
    policy = policy_from_names(queue_order="fifo", placement_score=name)
    running: list[TrainingJob] = []
    seen: Counter[Shape] = Counter()
    for first in range(0, len(order), BATCH):
        shapes = [pods.shapes[k] for k in order[first : first + BATCH]]
        jobs = [TrainingJob(JobId(f"{first + n:06}"), "pod", Gang(1, shape)) for n, shape in enumerate(shapes)]
        work = watched(seen, Counter(job.gang.shape for job in running))
        snapshot = replace(Snapshot.of(hosts=hosts, jobs=(*running, *jobs)), work=work)
        started = {
            action.job_id: action.slots
            for action in plan(snapshot, Demand(()), policy).actions
            if isinstance(action, StartJob)
        }
        running += [going(job, started[job.job_id]) for job in jobs if job.job_id in started]
        seen.update(shapes)
    return sum(job.gang.shape.total_gpu_milli for job in running) / fleet.capacity_milli * 100


def going(job: TrainingJob, slots: tuple[Slot, ...]) -> TrainingJob:
    return replace(job, state=JobState.RUNNING, slots=slots, started_at_s=0.0, preemptible=False)


def benchmarked_share(name: str, seed: int) -> float:
    fleet, pods = fleet_of(HOSTS, seed), pods_for(HOSTS, seed)
    outcome = fill(fleet, pods, CONTENDERS[name](fleet, pods), seed)
    return outcome.allocated_pct[MARKS.index(100)]


def test_the_planner_allocates_what_the_benchmark_does() -> None:
    planned, benchmarked = (
        np.mean([share("headroom", seed) for seed in SEEDS]) for share in (planned_share, benchmarked_share)
    )
    assert planned > benchmarked - 0.75
    first_fit = np.mean([benchmarked_share("random", seed) for seed in SEEDS])
    assert planned > first_fit + 2.0
