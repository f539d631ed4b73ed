"""What one run came to: waits, completions and stops by group of jobs, and who held the devices over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.model.plan import Cause
from simulations.holding import held_gpus, moment_s
from simulations.outcome import first_start_s
from simulations.run import Simulation
from simulations.usage import Use

ALL: Final = "all"
"""The group that every job is in."""


@dataclass(frozen=True, eq=False)
class Group:
    """One group's jobs in one run; J of them.

    Attributes:
        wait_s: from submission to the first start, float64 (J,); to the end of the run for those never started.
        completion_s: from submission to the end, float64 (J,); to the end of the run for those that were not over.
        unfinished: how many were not over.
        stops: attempts stopped for something else (growing is not counted).
        stopped: jobs to which that happened.
        moves: stops by consolidation, which are among the stops.
        lost_gpu_s: work since the last checkpoint that these stops lost.
        mean_gpus: devices held on average over the run.
        held_gpus: and in each hour of it (the last may be shorter), float64 (hours,).
    """

    wait_s: NDArray[np.float64]
    completion_s: NDArray[np.float64]
    unfinished: int
    stops: int
    stopped: int
    moves: int
    lost_gpu_s: float
    mean_gpus: float
    held_gpus: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """One run.

    Attributes:
        groups: by name, `ALL` among them; groups without jobs are left out.
        overhead_gpu_s: starting up and saving, of ended attempts.
        in_use: share of all device time in which somebody held the device.
    """

    groups: dict[str, Group]
    overhead_gpu_s: float
    in_use: float


def measured(simulation: Simulation, group_of: Callable[[JobRecord], str]) -> Measured:
    """Return what a simulation that has ended came to."""
    setup, world = simulation.setup, simulation.world
    jobs = world.store.jobs(open_only=False)
    grouped: dict[str, list[JobRecord]] = {ALL: list(jobs)}
    for job in jobs:
        grouped.setdefault(group_of(job), []).append(job)
    capacity_gpu_s = sum(len(host.devices) for host in setup.hosts) * (setup.end_s - setup.start_s + setup.lead_in_s)
    held_gpu_s = sum(world.cluster.meter.total(use, setup.end_s) for use in Use if use is not Use.LOST)
    return Measured(
        {name: _group(members, setup.start_s, setup.end_s) for name, members in grouped.items()},
        world.cluster.totals.overhead_gpu_s,
        held_gpu_s / capacity_gpu_s,
    )


def _group(jobs: Sequence[JobRecord], start_s: float, end_s: float) -> Group:
    stops = [[attempt for attempt in job.attempts if _stopped_for_others(attempt)] for job in jobs]
    return Group(
        wait_s=np.array([first_start_s(job, end_s) - job.submitted_at_s for job in jobs]),
        completion_s=np.array([moment_s(job.finished_at_s, end_s) - job.submitted_at_s for job in jobs]),
        unfinished=sum(job.finished_at_s is None for job in jobs),
        stops=sum(map(len, stops)),
        stopped=sum(map(bool, stops)),
        moves=sum(attempt.stop_cause is Cause.CONSOLIDATION for each in stops for attempt in each),
        lost_gpu_s=sum(attempt.lost_gpu_s for each in stops for attempt in each),
        mean_gpus=float(held_gpus(jobs, start_s, end_s, end_s - start_s)[0]),
        held_gpus=held_gpus(jobs, start_s, end_s),
    )


def _stopped_for_others(attempt: AttemptRecord) -> bool:
    return attempt.outcome is Outcome.PREEMPTED and attempt.stop_cause is not Cause.GROWTH
