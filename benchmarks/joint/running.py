"""Plays the policies of the joint benchmark: each knob tuned on the window before, then every seed of the window."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Final

from benchmarks.joint.foresight import Clairvoyant
from benchmarks.joint.policies import CONTENDERS
from benchmarks.joint.setting import SOURCE, Setting, scenario_of
from scheduler.control.demand.listening import Crews
from simulations.outcome import Outcome
from simulations.run import Simulation
from simulations.wiring import setup_of

FEASIBLE: Final = 1e-4
"""A policy is feasible when at most so many of its requests are late or not answered."""
TUNING_SEED: Final = 0


@dataclass(frozen=True)
class Task:
    """One run: who, in which window, by which knob and seed."""

    policy: str
    setting: Setting
    knob: float
    seed: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One value of a knob on the earlier window.

    Attributes:
        knob: the value.
        late_ratio: requests that were late or not answered, of all.
        wait_s: the mean wait of jobs.
    """

    knob: float
    late_ratio: float
    wait_s: float

    @property
    def is_feasible(self) -> bool:
        """Whether so few were late that the policy may be asked for its waits."""
        return self.late_ratio <= FEASIBLE


@dataclass(frozen=True, slots=True)
class Played:
    """One policy.

    Attributes:
        knob: the value it was played with.
        tried: what the earlier window said of each; empty where there is nothing to tune.
        runs: (seed, outcome) of each run.
    """

    knob: float
    tried: tuple[Tried, ...]
    runs: tuple[tuple[int, Outcome], ...]


def play_all(
    setting: Setting, names: Sequence[str], seeds: Sequence[int], workers: int, told: Callable[[str], None]
) -> dict[str, Played]:
    """Return what came of each policy; `told` hears of what was tuned.

    Raises:
        ConfigError: see `scenario_of`, of the window or the one before.
    """
    with _player(workers) as play:
        tried = _tuned(setting, names, play)
        knobs = {name: best(tried[name]).knob if tried[name] else CONTENDERS[name].values[0] for name in names}
        for name in (name for name in names if tried[name]):
            told(f"{name}: {CONTENDERS[name].knob} {knobs[name]:g}, of {len(tried[name])} on the window before")
        tasks = [Task(name, setting, knobs[name], seed) for name in names for seed in seeds]
        outcomes = dict(zip(tasks, play(tasks), strict=True))
    runs = {name: tuple((task.seed, outcomes[task]) for task in tasks if task.policy == name) for name in names}
    return {name: Played(knobs[name], tried[name], runs[name]) for name in names}


def best(tried: Sequence[Tried]) -> Tried:
    """Return the feasible value with the shortest wait (of equals: with fewer late), else that with the fewest late."""
    feasible = [each for each in tried if each.is_feasible]
    if feasible:
        return min(feasible, key=lambda each: (each.wait_s, each.late_ratio))
    return min(tried, key=lambda each: each.late_ratio)


def play(task: Task) -> Outcome:
    """Play one run."""
    contender = CONTENDERS[task.policy]
    scenario = contender.change(scenario_of(task.setting), task.setting, task.knob)
    setup = setup_of(scenario, seed=task.seed)
    if contender.knows:
        setup = replace(setup, crews=Crews(fitters=Clairvoyant(setup.loads[SOURCE])))
    return Simulation(setup).run()


def late_ratio(outcome: Outcome) -> float:
    """Return the share of requests that were late or not answered."""
    return outcome.late_requests_share + outcome.failed_requests_share


def _tuned(
    setting: Setting, names: Sequence[str], play: Callable[[Sequence[Task]], list[Outcome]]
) -> dict[str, tuple[Tried, ...]]:
    tasks = [
        Task(name, setting.earlier(), knob, TUNING_SEED)
        for name in names
        if CONTENDERS[name].knob
        for knob in CONTENDERS[name].values
    ]
    tried = {name: list[Tried]() for name in names}
    for task, outcome in zip(tasks, play(tasks), strict=True):
        tried[task.policy].append(Tried(task.knob, late_ratio(outcome), outcome.wait_mean_s))
    return {name: tuple(each) for name, each in tried.items()}


@contextmanager
def _player(workers: int) -> Iterator[Callable[[Sequence[Task]], list[Outcome]]]:
    """Yield what plays runs, in so many processes."""
    if workers < 2:  # noqa: PLR2004  # one process is this one
        yield lambda tasks: [play(task) for task in tasks]
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield lambda tasks: list(pool.map(play, tasks))
        finally:
            pool.shutdown(cancel_futures=True)
