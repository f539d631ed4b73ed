"""Many scenarios, each with several seeds: runs that are played anywhere in any order, and come out the same."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from pydantic import ConfigDict, TypeAdapter

from scheduler.config.scenario import Scenario
from scheduler.model.errors import ConfigError
from simulations.evidence import Evidence, Witness
from simulations.outcome import Outcome
from simulations.parallel import as_done
from simulations.report import Result
from simulations.run import Progress, Simulation, no_progress
from simulations.wiring import setup_of


@dataclass(frozen=True, eq=False)
class Task:
    """One run.

    Attributes:
        name: of the scenario, what of it is varied included.
        scenario: what is played, everything said.
        seed: of all that is left to chance.
        told: whether it is told in full what happened, not only what came out.
    """

    name: str
    scenario: Scenario
    seed: int
    told: bool = False

    @property
    def key(self) -> str:
        """What tells this run from others, whatever file its scenario is from."""
        said = json.dumps([self.scenario.model_dump_json(), self.name, self.seed, self.told])
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one run.

    Attributes:
        outcome: in numbers.
        hosts, gpus: how many there were.
        said: what was assumed of recorded files, and left out of them.
        evidence: what happened; None where nobody asked.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="constants")

    outcome: Outcome
    hosts: int
    gpus: int
    said: tuple[str, ...]
    evidence: Evidence | None = None


_PLAYED: Final = TypeAdapter(Played)


def tasks_of(name: str, scenario: Scenario, seeds: int, *, told: bool = False) -> tuple[Task, ...]:
    """Return the runs of a scenario, by seed; the first is told in full where that is wanted."""
    return tuple(Task(name, scenario, scenario.seed + number, told and not number) for number in range(seeds))


def play(task: Task, progress: Progress = no_progress) -> Played:
    """Play one run; `progress` hears which share of it is done.

    Raises:
        ConfigError: see `setup_of`.
    """
    said: list[str] = []
    setup = setup_of(task.scenario, seed=task.seed, say=said.append)
    simulation = Simulation(setup)
    witness = Witness(simulation, task.seed, made_up(task.scenario)) if task.told else None
    outcome = simulation.run(progress)
    gpus = sum(len(host.devices) for host in setup.hosts)
    evidence = witness.evidence() if witness else None
    return Played(outcome, len(setup.hosts), gpus, tuple(dict.fromkeys(said)), evidence)


def made_up(scenario: Scenario) -> tuple[str, ...]:
    """Return what of a scenario was recorded and what is made up, in words."""
    recorded = [f"traffic {name} as recorded in {one.file.name}" for name, one in scenario.traffic.items()]
    recorded += [f"jobs as recorded in {trace.file.name}" for trace in scenario.jobs.traces]
    streams = ", ".join(stream.name for stream in scenario.jobs.streams)
    invented = [f"jobs at random: {streams}"] if streams else []
    invented += ["requests counted as they may come (poisson)"] if scenario.noise.poisson and scenario.traffic else []
    invented += ["spikes or failovers"] if scenario.spikes or scenario.failovers else []
    return (*recorded, *(f"made up: {one}" for one in invented))


class Diary:
    """A file of runs that are done, so that a sweep that was interrupted goes on where it was.

    Each line is one run; a line that is not whole, as of a process that was killed, counts as none.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        """Begin anew, or with what is there.

        Raises:
            ConfigError: nothing can be written there.
        """
        self._path = path
        self._known = dict(_lines(path)) if resume and path.exists() else {}
        try:
            with path.open("w", encoding="utf-8") as file:
                file.writelines(f"{key} {body}\n" for key, body in self._known.items())
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error

    def done(self, task: Task) -> Played | None:
        """Return what came of a run that was played before; None when it was not."""
        body = self._known.get(task.key)
        return None if body is None else _PLAYED.validate_json(body)

    def keep(self, task: Task, played: Played) -> None:
        """Write a run down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{task.key} {_PLAYED.dump_json(played).decode()}\n")

    def close(self) -> None:
        """Remove the file: all is done."""
        self._path.unlink(missing_ok=True)


def sweep(
    tasks: Sequence[Task], workers: int, told: Callable[[float], None], diary: Diary | None = None
) -> dict[Task, Played]:
    """Play the runs that are not done yet; the result is in the order of the tasks, however they were played.

    Args:
        tasks: all of them.
        workers: processes; one is this one.
        told: hears how many are done, in parts where one at a time is played.
        diary: of what was done before.
    """
    found = {task: played for task in tasks if diary and (played := diary.done(task)) is not None}
    told(len(found))
    one = play if workers > 1 else partial(play, progress=lambda share: told(len(found) + share))
    for task, played in as_done(workers)(one, [task for task in tasks if task not in found]):
        found[task] = played
        if diary:
            diary.keep(task, played)
        told(len(found))
    return {task: found[task] for task in tasks}


def results_of(found: dict[Task, Played], wall_s: float, command: str = "") -> tuple[Result, ...]:
    """Return what came of each scenario, in the order in which they were asked for."""
    by_name: dict[str, list[tuple[Task, Played]]] = {}
    for task, played in found.items():
        by_name.setdefault(task.name, []).append((task, played))
    return tuple(
        Result(
            scenario=name,
            days=runs[0][0].scenario.days,
            hosts=runs[0][1].hosts,
            gpus=runs[0][1].gpus,
            runs=tuple((task.seed, played.outcome) for task, played in runs),
            wall_s=wall_s,
            evidence=next((played.evidence for _, played in runs if played.evidence), None),
            command=command,
        )
        for name, runs in by_name.items()
    )


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, body = line.partition(" ")
        try:
            _PLAYED.validate_json(body)
        except ValueError:
            continue
        yield key, body
