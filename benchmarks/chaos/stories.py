"""Stories of trouble: what a seed draws, small enough to be written down and shrunk."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from pydantic import TypeAdapter

from simulations.chance import chance

BUSY_S: Final = 5400.0
"""Jobs arrive and trouble begins for so long; after that there is peace."""
HOSTS: Final = ("a", "b", "c")
DEVICES: Final = 4
MOST_TROUBLES: Final = 8


class Kind(StrEnum):
    """What goes wrong."""

    HOST_DIES = "a host dies, and comes back empty"
    HOST_SILENT = "nothing is heard of a host, on which all goes on"
    STARTS_FAIL = "starts fail, of replicas and of jobs"
    STARTS_HANG = "replicas take twenty times as long to get ready"
    DEATH = "the control plane ends between two effects"
    STALE = "the control plane is shown the cluster as it was before"
    MISSES = "the control plane is not shown a run or a replica"
    LATE = "what it orders is done later"
    UNREACHABLE = "the cluster does not answer"
    DISK_FULL = "the store takes nothing"
    TELEMETRY_STOPS = "the traffic source does not answer"
    TELEMETRY_LIES = "the traffic source tells nonsense"
    CLOCK_JUMPS = "the clock is wrong for a while"
    DRAIN = "an operator drains a host"
    RELOAD = "another policy and other settings count"
    OWNER = "an owner puts a job on hold for a while"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong for a while.

    Attributes:
        kind: see `Kind`.
        at_s: from when on.
        lasts_s: for how long.
        pick: which host, call or job, as far as it is about one.
        size: how bad, 0 to 1.
    """

    kind: Kind
    at_s: float
    lasts_s: float
    pick: int
    size: float


@dataclass(frozen=True, slots=True)
class Job:
    """A job that somebody submits.

    Attributes:
        at_s: when.
        workers, gpus: of the gang; devices of each worker.
        most: workers it can use, 0 for a fixed size.
        priority: as an integer.
        takes_s: undisturbed.
        saves: whether it takes checkpoints.
    """

    at_s: float
    workers: int
    gpus: int
    most: int
    priority: int
    takes_s: float
    saves: bool


@dataclass(frozen=True, slots=True)
class Story:
    """One seed's world and all that goes wrong in it.

    Attributes:
        seed: that drew it.
        jobs: that are submitted.
        loads: requests per second in each part of the busy time.
        troubles: see `Trouble`.
    """

    seed: int
    jobs: tuple[Job, ...]
    loads: tuple[float, ...]
    troubles: tuple[Trouble, ...]


STORY: Final = TypeAdapter(Story)
"""Reads stories that were written down."""


def story_of(seed: int) -> Story:
    """Return the story of a seed."""
    rng = chance(seed, "chaos")
    jobs = tuple(sorted((_job(rng) for _ in range(int(rng.integers(3, 10)))), key=lambda job: job.at_s))
    loads = tuple(round(float(load), 1) for load in rng.uniform(0, 60, 6))
    troubles = (_trouble(rng) for _ in range(int(rng.integers(1, MOST_TROUBLES + 1))))
    return Story(seed, jobs, loads, tuple(sorted(troubles, key=lambda trouble: trouble.at_s)))


def _job(rng: np.random.Generator) -> Job:
    workers, gpus = int(rng.choice([1, 1, 2, 3])), int(rng.choice([0, 1, 1, 2]))
    return Job(
        at_s=round(float(rng.uniform(0, BUSY_S)), 1),
        workers=workers,
        gpus=gpus,
        most=int(rng.choice([0, 0, workers + 2])),
        priority=int(rng.choice([25, 50, 75])),
        takes_s=round(float(rng.uniform(60, 2400)), 1),
        saves=bool(rng.random() < 0.7),  # noqa: PLR2004  # most do
    )


def _trouble(rng: np.random.Generator) -> Trouble:
    kinds = list(Kind)
    return Trouble(
        kind=kinds[int(rng.integers(len(kinds)))],
        at_s=round(float(rng.uniform(0, BUSY_S)), 1),
        lasts_s=round(float(rng.choice([60, 240, 900])), 1),
        pick=int(rng.integers(0, 60)),
        size=round(float(rng.random()), 3),
    )
