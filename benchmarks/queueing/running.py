"""Plays every choice of every comparison on every run's arrivals, on all processors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.queueing.comparisons import COMPARISONS
from benchmarks.queueing.measured import Measured, measured
from benchmarks.queueing.scenes import Recorded, recorded
from scheduler.config.scenario import Scenario
from scheduler.model.errors import ConfigError
from simulations.parallel import as_done
from simulations.run import Simulation
from simulations.wiring import setup_of


@dataclass(frozen=True, slots=True)
class Task:
    """One run.

    Attributes:
        comparison, choice: names, see `COMPARISONS`.
        seed: of all that is left to chance.
        window: which jobs of a recorded cluster; None for made-up ones.
    """

    comparison: str
    choice: str
    seed: int
    window: Recorded | None = None


def tasks_of(comparison: str, seeds: Sequence[int] | None = None, windows: Sequence[Recorded] = ()) -> tuple[Task, ...]:
    """Return the runs of a comparison; each choice sees the same arrivals.

    Args:
        comparison: its name.
        seeds: of the runs; those that the comparison needs when None, and one for each window.
        windows: of a recorded cluster; made-up jobs when there are none.
    """
    asked = COMPARISONS[comparison]
    usual = (1,) if windows else range(1, asked.seeds + 1)
    return tuple(
        Task(comparison, choice, seed, window)
        for window in windows or (None,)
        for seed in (usual if seeds is None else seeds)
        for choice in asked.choices
    )


def play_all(tasks: Sequence[Task], workers: int, told: Callable[[int], None]) -> dict[Task, Measured]:
    """Play the runs, in so many processes; `told` is called with the number of those done."""
    found: dict[Task, Measured] = {}
    for task, result in as_done(workers)(play, tasks):
        found[task] = result
        told(len(found))
    return {task: found[task] for task in tasks}


def play(task: Task) -> Measured:
    """Play one run: the control loop of `headroom run`, on a simulated cluster and a virtual clock.

    Raises:
        ConfigError: a trace cannot be read, has no job in the window, or one that fits on no set of hosts.
    """
    asked = COMPARISONS[task.comparison]
    setup = setup_of(asked.choices[task.choice](_scene(task)), seed=task.seed)
    if not setup.arrivals:
        raise ConfigError("no job arrives in the time asked for", help="another --window, more --days or --share")
    simulation = Simulation(setup)
    simulation.run()
    return measured(simulation, asked.group)


def _scene(task: Task) -> Scenario:
    return recorded(task.window) if task.window else COMPARISONS[task.comparison].scene()
