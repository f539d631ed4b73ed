"""Plays the policies of the joint benchmark: each knob tuned on an earlier window, then every window and seed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.joint.policies import CONTENDERS
from benchmarks.joint.setting import Setting, scenario_of
from scheduler.control.records import JobRecord
from simulations.outcome import Outcome, first_start_s
from simulations.run import Setup, Simulation
from simulations.wiring import setup_of

T = TypeVar("T")
S = TypeVar("S")

FEASIBLE: Final = 1e-4
"""A policy is feasible when at most so many of its requests are late or not answered."""
TUNING_SEED: Final = 0
SIZES: Final = ("1 GPU", "2-7 GPUs", "8+ GPUs")
"""Groups of jobs by their devices."""
_SMALL, _LARGE = 1.0, 8.0


@dataclass(frozen=True)
class Task:
    """One run: who, in which window, by which knob and seed."""

    policy: str
    setting: Setting
    knob: float
    seed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One value of a knob on the earlier window, without jobs.

    Attributes:
        knob: the value.
        late_ratio: requests that were late or not answered, of all.
        gpu_hours: that serving held.
    """

    knob: float
    late_ratio: float
    gpu_hours: float

    @property
    def is_feasible(self) -> bool:
        """Whether so few were late that the policy may be asked for its waits."""
        return self.late_ratio <= FEASIBLE


@dataclass(frozen=True, eq=False)
class Run:
    """What came of one run.

    Attributes:
        setting: the window.
        seed: of all that was left to chance.
        knob: the value it was played with.
        outcome: its numbers.
        size: int64 (J,), which of `SIZES` each job is of.
        wait_s: float64 (J,), from submission to the first start; to the end of the run for those never started.
        completion_s: float64 (J,), from submission to the end, likewise.
    """

    setting: Setting
    seed: int
    knob: float
    outcome: Outcome
    size: NDArray[np.int64]
    wait_s: NDArray[np.float64]
    completion_s: NDArray[np.float64]

    @property
    def late_ratio(self) -> float:
        """The share of requests that were late or not answered."""
        return late_ratio(self.outcome)


@dataclass(frozen=True, slots=True)
class Played:
    """One policy.

    Attributes:
        tried: by (traffic, jobs), what the earlier window said of each value of its knob; empty where there is none.
        runs: of each window and seed, in the same order for every policy.
    """

    tried: Mapping[tuple[Path, Path], tuple[Tried, ...]]
    runs: tuple[Run, ...]


def play_all(  # noqa: PLR0913, PLR0917  # what is played, and how
    windows: Sequence[Setting],
    names: Sequence[str],
    seeds: Sequence[int],
    workers: int,
    told: Callable[[str], None],
    knob: float | None = None,
) -> dict[str, Played]:
    """Return what came of each policy; `told` hears of what was tuned, and of what has been played.

    A knob is tuned once for all windows of the same files, on days before the first of them; `knob` is a value for all
    of them, and nothing is tuned.

    Raises:
        ConfigError: see `scenario_of`, of a window or the one before.
    """
    with players(workers) as over:
        asked = [(name, first.earlier()) for name in _tuned_names(names) for first in _firsts(windows) if knob is None]
        values = list(over(tuned, asked))
        tried = {(name, _kind(one)): found for (name, one), found in zip(asked, values, strict=True)}
        for (name, (traffic, _)), found in tried.items():
            told(f"{name}: {CONTENDERS[name].knob} {best(found).knob:g} on the days before ({traffic.name})")
        tasks = [
            Task(name, one, _knob(name, tried.get((_tuned_as(name), _kind(one)), ()), knob), seed)
            for one in windows
            for seed in seeds
            for name in names
        ]
        runs = list(_telling(over(play, tasks), len(tasks), told))
    return {
        name: Played(
            {kind: found for (tuned, kind), found in tried.items() if tuned == _tuned_as(name)},
            tuple(run for task, run in zip(tasks, runs, strict=True) if task.policy == name),
        )
        for name in names
    }


def best(tried: Sequence[Tried]) -> Tried:
    """Return the feasible value with which serving holds least, else that with the fewest late."""
    feasible = [each for each in tried if each.is_feasible]
    if feasible:
        return min(feasible, key=lambda each: (each.gpu_hours, each.late_ratio))
    return min(tried, key=lambda each: each.late_ratio)


def play(task: Task) -> Run:
    """Play one run."""
    simulation = Simulation(setup_for(task))
    outcome = simulation.run()
    jobs, ended_s = simulation.world.store.jobs(open_only=False), simulation.world.engine.now_s()
    return Run(
        task.setting,
        task.seed,
        task.knob,
        outcome,
        np.array([_size(job) for job in jobs], dtype=np.int64),
        np.array([first_start_s(job, ended_s) - job.submitted_at_s for job in jobs]),
        np.array([(job.finished_at_s or ended_s) - job.submitted_at_s for job in jobs]),
    )


def setup_for(task: Task) -> Setup:
    """Return what a run is made of."""
    contender = CONTENDERS[task.policy]
    scenario = contender.change(scenario_of(task.setting), task.setting, task.knob)
    return contender.outfit(setup_of(scenario, seed=task.seed), task.knob)


def serving_alone(task: Task) -> Tried:
    """Play a run without jobs: whatever they do, serving has what it asks for within their grace."""
    setup = replace(setup_for(task), arrivals=(), drain_s=0.0)
    outcome = Simulation(setup).run()
    return Tried(task.knob, late_ratio(outcome), (outcome.serving_gpu_s + outcome.starting_gpu_s) / 3600.0)


def late_ratio(outcome: Outcome) -> float:
    """Return the share of requests that were late or not answered."""
    return outcome.late_requests_share + outcome.failed_requests_share


def tuned(asked: tuple[str, Setting]) -> tuple[Tried, ...]:
    """Try the values of a policy's knob, ascending, up to the first that is feasible: those above hold more."""
    name, setting = asked
    tried: list[Tried] = []
    for knob in CONTENDERS[name].values:
        tried.append(serving_alone(Task(name, setting, knob, TUNING_SEED)))
        if tried[-1].is_feasible:
            break
    return tuple(tried)


def _tuned_names(names: Iterable[str]) -> list[str]:
    """Return whose knobs are tuned."""
    return [name for name in dict.fromkeys(map(_tuned_as, names)) if CONTENDERS[name].knob]


def _tuned_as(name: str) -> str:
    return CONTENDERS[name].like or name


def _firsts(windows: Sequence[Setting]) -> list[Setting]:
    """Return the first window of each pair of files."""
    return list({_kind(one): one for one in sorted(windows, key=lambda one: one.start, reverse=True)}.values())


def _knob(name: str, tried: Sequence[Tried], given: float | None) -> float:
    if given is not None and CONTENDERS[name].knob:
        return given
    return best(tried).knob if tried else CONTENDERS[name].values[0]


def _kind(setting: Setting) -> tuple[Path, Path]:
    return setting.traffic, setting.jobs


def _size(job: JobRecord) -> int:
    gpus = job.spec.gang.gpus
    return int(gpus > _SMALL) + int(gpus >= _LARGE)


def _telling(runs: Iterable[T], number: int, told: Callable[[str], None]) -> Iterator[T]:
    for done, run in enumerate(runs, start=1):
        told(f"{done} of {number} runs")
        yield run


class Over(Protocol):
    """Calls a function over many values."""

    def __call__(self, function: Callable[[S], T], values: Sequence[S], /) -> Iterable[T]:
        """Return what it returns for each, in their order."""


@contextmanager
def players(workers: int) -> Iterator[Over]:
    """Yield what calls a function over many values, in so many processes."""
    if workers < 2:  # noqa: PLR2004  # one process is this one
        yield map
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)
