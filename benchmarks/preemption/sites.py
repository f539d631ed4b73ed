"""Small sites at random by seed, each full of work when an important job comes: what follows can be tried out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from benchmarks.preemption.seating import filled
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from simulations.chance import chance

NOW_S: Final = 1e6
HOUR_S: Final = 3600.0
LONG_S: Final = 48 * HOUR_S
"""Longer than is looked at: work does not run out, which would make devices idle whoever was stopped."""
REFUSALS: Final = 5
"""A site is full when so many jobs in a row found no room."""
ONE: Final = Gang(1, Shape(1000, 0, 1))
FIRST: Final = JobId("900")
"""The job for which somebody has to be stopped."""


@dataclass(frozen=True, slots=True)
class Task:
    """A job as the planner sees it, and what it does not know.

    Attributes:
        job: the job.
        left_s: how long it works yet, start-up aside.
        save_s: how long it takes to save when it is told to stop.
    """

    job: TrainingJob
    left_s: float
    save_s: float


@dataclass(frozen=True, slots=True)
class Site:
    """One question: whom to stop for the job `FIRST`, at `NOW_S`.

    Attributes:
        hosts: all of them.
        tasks: who runs, who waits, and `FIRST`.
    """

    hosts: tuple[Host, ...]
    tasks: tuple[Task, ...]

    @property
    def snapshot(self) -> Snapshot:
        """The site as the planner sees it."""
        return Snapshot.of(taken_at_s=NOW_S, hosts=self.hosts, jobs=[task.job for task in self.tasks])


def sites(seed: int) -> Iterator[Site]:
    """Yield sites without end; whether `FIRST` needs a victim is for others to say."""
    rng = chance(seed, "sites")
    while True:
        hosts = _hosts(rng)
        running = _running(rng, hosts)
        waiting = [_waits(rng, str(800 + n), ONE, 10) for n in range(int(rng.choice([0, 0, 1, 2])))]
        yield Site(hosts, (*running, *waiting, _waits(rng, FIRST, _gang(rng, hosts), 75)))


def _hosts(rng: np.random.Generator) -> tuple[Host, ...]:
    sizes = rng.choice([2, 4, 8], int(rng.integers(1, 4))).tolist()
    labels = [(("rack", str(rng.choice(["a", "b"]))),) for _ in sizes]
    return tuple(
        Host(f"h{row}", 64_000, 0, tuple(map(Device, range(size))), "A", labels=label)
        for row, (size, label) in enumerate(zip(sizes, labels, strict=True))
    )


def _running(rng: np.random.Generator, hosts: Sequence[Host]) -> list[Task]:
    """Fill the hosts where gangs happen to fit."""
    seated = filled(rng, hosts, partial(_gang, rng, hosts), REFUSALS)
    return [_runs(rng, str(number), gang, slots) for number, (gang, slots) in enumerate(seated)]


def _gang(rng: np.random.Generator, hosts: Sequence[Host]) -> Gang:
    """Return one device mostly, half a host or a whole one, or a gang; some may run on one rack only."""
    size = int(rng.choice([1, 2, 4, 8], p=[0.5, 0.25, 0.15, 0.1]))
    workers = int(rng.integers(2, 7)) if size == 1 and rng.random() < 0.4 else 1  # noqa: PLR2004  # share of the small
    pinned = hosts[int(rng.integers(len(hosts)))].labels if rng.random() < 0.3 else ()  # noqa: PLR2004  # of all
    return Gang(workers, Shape(1000, 0, size, host_labels=pinned))


def _runs(rng: np.random.Generator, job_id: str, gang: Gang, slots: tuple[Slot, ...]) -> Task:
    """Return a job that runs: some save when told to, some do not, some never save."""
    ran_s = float(rng.uniform(600, 8 * HOUR_S))
    interval_s = float(rng.choice([600.0, 1800.0, 4 * HOUR_S]))
    saved_s = NOW_S - float(rng.uniform(0, interval_s)) if interval_s < ran_s else None
    job = replace(
        _job(rng, job_id, gang, int(rng.choice([10, 25, 50], p=[0.3, 0.4, 0.3]))),
        submitted_at_s=NOW_S - ran_s - 60.0,
        checkpoint_interval_s=interval_s,
        checkpointed_at_s=saved_s,
        state=JobState.RUNNING,
        attempt=1,
        slots=slots,
        started_at_s=NOW_S - ran_s,
        max_runtime_s=ran_s + LONG_S + 60.0 if rng.random() < 0.5 else None,  # noqa: PLR2004  # share of all
        preemptible=bool(rng.random() > 0.1),  # noqa: PLR2004  # likewise
    )
    if rng.random() < 0.2:  # noqa: PLR2004  # likewise
        job = replace(job, checkpoint_interval_s=None, checkpointed_at_s=None)
    return Task(job, LONG_S, float(rng.uniform(1.0, job.grace_period_s)))


def _waits(rng: np.random.Generator, job_id: str, gang: Gang, priority: int) -> Task:
    left_s = float(rng.uniform(600.0, 8 * HOUR_S)) if job_id == FIRST else LONG_S
    job = _job(rng, job_id, gang, priority)
    said_s = left_s + 120.0 if rng.random() < 0.5 else None  # noqa: PLR2004  # share of all
    job = replace(job, submitted_at_s=NOW_S - 30.0, max_runtime_s=said_s, checkpoint_interval_s=600.0)
    return Task(job, left_s, 5.0)


def _job(rng: np.random.Generator, job_id: str, gang: Gang, priority: int) -> TrainingJob:
    restart_s, grace_s = float(rng.choice([30.0, 60.0, 300.0])), float(rng.choice([30.0, 30.0, 120.0]))
    return TrainingJob(JobId(job_id), "work", gang, priority=priority, restart_cost_s=restart_s, grace_period_s=grace_s)
