"""Waits by priority and by size of the job."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simulations.evidence import JobStory

SIZES: Final = ((0.0, "no GPU"), (1.0, "1 GPU"), (4.0, "2-4 GPUs"), (math.inf, "more GPUs"))
"""Groups of jobs by their devices: at most so many."""


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs of one priority and size.

    Attributes:
        priority: class as an integer.
        size: see `SIZES`.
        jobs: how many.
        mean_s, p95_s: of their waits.
    """

    priority: int
    size: str
    jobs: int
    mean_s: float
    p95_s: float


def size_of(gpus: float) -> str:
    """Return the group of a job with so many devices."""
    return next(name for most, name in SIZES if gpus <= most)


def by_size(jobs: Iterable[JobStory]) -> dict[str, list[JobStory]]:
    """Return the jobs of each size, smallest first, also where there are none."""
    found: dict[str, list[JobStory]] = {name: [] for _, name in SIZES}
    for job in jobs:
        found[size_of(job.gpus)].append(job)
    return found


def groups(jobs: Sequence[JobStory]) -> list[Group]:
    """Return what jobs of each priority and size waited, the highest priority first, where there are any."""
    found = []
    for priority in sorted({job.priority for job in jobs}, reverse=True):
        for size, some in by_size(job for job in jobs if job.priority == priority).items():
            waited = [job.wait_s for job in some]
            if waited:
                p95_s = float(np.quantile(waited, 0.95))
                found.append(Group(priority, size, len(waited), sum(waited) / len(waited), p95_s))
    return found
