"""Training jobs that arrive at random by seed, as the streams of a scenario say."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from scheduler.config.nouns import gang_of, shape_of
from scheduler.config.scenario import JobStream, Training
from scheduler.model.jobspec import JobSpec
from scheduler.model.workloads import Gang
from simulations.chance import chance
from simulations.estimates import Words
from simulations.work import Work

DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A job that is submitted at `at_s` (epoch seconds), and what it really needs."""

    at_s: float
    spec: JobSpec
    work: Work


def from_stream(
    stream: JobStream, priorities: Mapping[str, int], start_s: float, end_s: float, seed: int
) -> Iterator[Arrival]:
    """Yield a Poisson process's jobs between two moments, in order."""
    rng = chance(seed, f"jobs {stream.name}")
    gang = gang_of(
        stream.workers,
        shape_of(stream.resources),
        stream.max_per_host,
        prefer_same=stream.prefer_same,
        require_same=stream.require_same,
    )
    at_s = start_s + rng.exponential(DAY_S / stream.per_day)
    words, number = Words(stream, seed, f"stream {stream.name}"), 1
    while at_s < end_s:
        work = work_of(stream, _duration_s(stream, rng), rng)
        said_s = words.said_s(work, stream.owner)
        yield Arrival(at_s, job_spec(stream, f"{stream.name}-{number}", gang, priorities, said_s), work)
        at_s += rng.exponential(DAY_S / stream.per_day)
        number += 1


def job_spec(origin: Training, name: str, gang: Gang, priorities: Mapping[str, int], said_s: float | None) -> JobSpec:
    """Return the specification of one job of a stream or trace, which says that it takes at most so long."""
    return JobSpec(
        name=name,
        entrypoint="simulated",
        gang=gang,
        owner=origin.owner,
        queue=origin.queue,
        priority_class=origin.priority,
        priority=priorities[origin.priority],
        preemptible=origin.preemptible,
        grace_period_s=origin.grace,
        checkpoint_interval_s=origin.checkpoint_interval,
        max_runtime_s=said_s,
    )


def work_of(origin: Training, duration_s: float, rng: np.random.Generator) -> Work:
    """Return the work of one job; a share of them breaks at a uniformly random point."""
    breaks, at_share = rng.random(2)
    fails_after_s = at_share * duration_s if breaks < origin.failing else None
    return Work(duration_s, origin.start_up, origin.save, fails_after_s)


def _duration_s(stream: JobStream, rng: np.random.Generator) -> float:
    """Draw a duration whose mean is the stream's."""
    match stream.durations:
        case "fixed":
            return stream.duration
        case "exponential":
            return float(rng.exponential(stream.duration))
        case "lognormal":
            return float(rng.lognormal(math.log(stream.duration) - stream.sigma**2 / 2, stream.sigma))
