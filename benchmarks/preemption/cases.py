"""Full clusters at random by seed, each with one piece of work that fits only if somebody is stopped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from benchmarks.preemption.seating import filled
from policies.registry import policy_from_names
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need, need_of
from scheduler.planning.preemption.candidates import Candidates
from scheduler.planning.preemption.stoppable import Stoppable
from simulations.chance import chance

NOW_S: Final = 1e6
CORES_PER_GPU: Final = 8
MOST_HOSTS: Final = 40
REFUSALS: Final = 6
"""A cluster is full when so many jobs in a row found no room."""
POLICY: Final = policy_from_names(victim_cost="lost-work")


@dataclass(frozen=True, eq=False)
class Case:
    """One question: whom to stop so that the need is met.

    Attributes:
        need: what finds no room.
        coming: what is free.
        candidates: who may be stopped, and what that costs.
    """

    need: Need
    coming: CachedTrial
    candidates: Candidates


def cases(count: int, seed: int) -> Iterator[Case]:
    """Yield so many cases: each has victims enough, and none is met by what is free."""
    rng = chance(seed, "preemption cases")
    while count:
        case = _case(rng)
        if _is_asked(case):
            count -= 1
            yield case


def _is_asked(case: Case) -> bool:
    most = case.candidates.units_if_all_stopped(case.coming, case.need.shape)
    return case.need.is_met_by(most) and not case.need.is_met_by(case.coming.units(case.need.shape))


def _case(rng: np.random.Generator) -> Case:
    hosts = _hosts(rng)
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=hosts, jobs=_running(rng, hosts))
    return Case(need_of(_asked(rng)), CachedTrial(snapshot.ledger), Stoppable(snapshot, POLICY).candidates)


def _hosts(rng: np.random.Generator) -> list[Host]:
    """Return 2 to `MOST_HOSTS` hosts of 4 or 8 devices, of one or two models."""
    models = ("A", "B")[: int(rng.integers(1, 3))]
    sizes = rng.choice([4, 8], int(rng.integers(2, MOST_HOSTS + 1)), p=[0.3, 0.7])
    return [
        Host(f"h{row:02}", size * CORES_PER_GPU * 1000, 0, tuple(map(Device, range(size))), str(rng.choice(models)))
        for row, size in enumerate(sizes.tolist())
    ]


def _running(rng: np.random.Generator, hosts: Sequence[Host]) -> list[TrainingJob]:
    """Fill the hosts with jobs where they happen to fit."""
    seated = filled(rng, hosts, partial(_gang, rng), REFUSALS)
    return [_job(rng, str(number), gang, slots) for number, (gang, slots) in enumerate(seated)]


def _gang(rng: np.random.Generator) -> Gang:
    """Return a running job: most have one device, some a share of one, some are gangs over several hosts."""
    kind = rng.random()
    if kind < 0.2:  # noqa: PLR2004  # shares of all jobs
        return Gang(1, Shape(_cores(rng, 1), gpu_count=1, gpu_milli=int(rng.choice([250, 500, 700]))))
    size = int(rng.choice([1, 2, 4, 8], p=[0.5, 0.2, 0.2, 0.1]))
    workers = int(rng.integers(2, 5)) if kind > 0.8 else 1  # noqa: PLR2004  # likewise
    return Gang(workers, Shape(_cores(rng, size), gpu_count=size))


def _asked(rng: np.random.Generator) -> Gang:
    """Return what is to be placed: the same sizes, larger gangs, a limit per host or a model now and then."""
    gang = _gang(rng)
    size = gang.shape.gpu_count
    models = frozenset({"A"}) if rng.random() < 0.2 else frozenset[str]()  # noqa: PLR2004  # share of all jobs
    limit = int(rng.choice([0, 0, 0, 1, 2]))
    workers = int(rng.integers(1, 9)) if rng.random() < 0.5 else gang.workers  # noqa: PLR2004  # likewise
    return Gang(workers, Shape(_cores(rng, size), 0, size, gang.shape.gpu_milli, models), limit)


def _cores(rng: np.random.Generator, size: int) -> int:
    return int(size * CORES_PER_GPU * 1000 * rng.choice([0.25, 0.5, 1.0], p=[0.4, 0.4, 0.2]))


def _job(rng: np.random.Generator, job_id: str, gang: Gang, slots: tuple[Slot, ...]) -> TrainingJob:
    """Return a job that runs: started long ago or just now, and saved never, seldom or often."""
    ran_s = float(rng.lognormal(8.5, 1.5))
    interval_s = float(rng.choice([300.0, 1800.0, 7200.0, np.inf], p=[0.3, 0.4, 0.2, 0.1]))
    saved_s = NOW_S - float(rng.uniform(0, interval_s)) if interval_s <= ran_s else None
    return TrainingJob(
        JobId(job_id),
        "running",
        gang,
        priority=int(rng.choice([25, 50])),
        preemptible=bool(rng.random() > 0.1),  # noqa: PLR2004  # share of all jobs
        state=JobState.RUNNING,
        attempt=1,
        slots=slots,
        started_at_s=NOW_S - ran_s,
        checkpointed_at_s=saved_s,
        restart_cost_s=float(rng.choice([30.0, 60.0, 300.0])),
    )
