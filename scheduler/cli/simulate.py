"""`headroom simulate`: the control loop of `headroom run` over a simulated cluster, on a virtual clock."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.flags import duration_flag
from scheduler.cli.output_files import check_file, check_plot
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from scheduler.config.scenario import Scenario
    from simulations.report import Result
    from simulations.run import Simulation

ScenarioArgument = Annotated[Path, typer.Argument(help="A scenario file, for instance configs/scenarios/growth.yaml.")]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Runs with different chance; shows the spread.")]
ReactiveOption = Annotated[bool, typer.Option("--reactive", help="Plan without the forecast, to compare.")]
JsonOption = Annotated[
    str, typer.Option("--json", metavar="FILE", help='Write the outcome as JSON; "-" for standard output.')
]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Also draw who holds the GPUs over time.", show_default=False),
]
DrainOption = Annotated[
    str,
    typer.Option(
        "--drain",
        metavar="TIME",
        help="Longest time the run goes on after the last day, until all jobs are over; the scenario's if not given.",
        show_default=False,
    ),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Leave out rows of job traces that cannot be read, counted and named.")
]


def simulate(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    scenario: ScenarioArgument,
    *,
    seeds: SeedsOption = 1,
    reactive: ReactiveOption = False,
    json_file: JsonOption = "",
    plot: PlotOption = None,
    drain: DrainOption = "",
    skip_bad_rows: SkipOption = False,
) -> None:
    """Run a scenario offline with the real planner and show what comes out."""
    from scheduler.config.scenario_loading import load_scenario  # noqa: PLC0415  # other commands need not load it
    from simulations.report import document, lines  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_file("--json", Path(json_file) if json_file not in {"", "-"} else None)
    check_plot(plot)
    asked = _as_asked(load_scenario(scenario), drain, skip_bad_rows=skip_bad_rows)
    result, first = _run(asked, seeds, screen, reactive=reactive)
    if plot:
        _draw(plot, first, result.scenario, screen)
    text = json_text(document(result))
    if json_file == "-":
        screen.say(text)
        return
    for line in lines(result, _moment):
        screen.say(line)
    if json_file:
        _write(json_file, text)


def _write(json_file: str, text: str) -> None:
    try:
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json: {json_file} cannot be written: {error.strerror}") from error


def _draw(path: Path, first: "Simulation", name: str, screen: Screen) -> None:
    from simulations.plotting import plot_holders  # noqa: PLC0415  # other commands need not load it

    plot_holders(path, first, f"{name}: who holds the GPUs")
    screen.note(f"picture in {path}")


def _as_asked(scenario: "Scenario", drain: str, *, skip_bad_rows: bool) -> "Scenario":
    """Return the scenario with what flags say in place of the file."""
    changes: dict[str, object] = {"drain": duration_flag(drain, "--drain")} if drain else {}
    if skip_bad_rows:
        traces = tuple(trace.model_copy(update={"skip_bad_rows": True}) for trace in scenario.jobs.traces)
        changes["jobs"] = scenario.jobs.model_copy(update={"traces": traces})
    return scenario.model_copy(update=changes)


def _run(scenario: "Scenario", seeds: int, screen: Screen, *, reactive: bool) -> "tuple[Result, Simulation]":
    """Run every seed; return what came out, and the first run as it ended."""
    from simulations.report import Result  # noqa: PLC0415  # other commands need not load it
    from simulations.run import Simulation  # noqa: PLC0415  # likewise
    from simulations.wiring import setup_of  # noqa: PLC0415  # likewise

    began_s, runs, first, say = time.monotonic(), [], None, _once(screen)
    for number in range(seeds):
        setup = setup_of(scenario, seed=scenario.seed + number, reactive=reactive, say=say)
        with _progress(scenario.scenario, number + 1, seeds, scenario.days, screen) as progress:
            simulation = Simulation(setup)
            runs.append((scenario.seed + number, simulation.run(progress)))
        first = first or simulation
    result = Result(
        scenario=f"{scenario.scenario} (reactive)" if reactive else scenario.scenario,
        days=scenario.days,
        hosts=len(setup.hosts),
        gpus=sum(len(host.devices) for host in setup.hosts),
        runs=tuple(runs),
        wall_s=time.monotonic() - began_s,
    )
    return result, first or simulation


def _once(screen: Screen) -> Callable[[str], None]:
    """Return what tells each thing once, however many runs find it."""
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            warn(text, screen)

    return say


@contextmanager
def _progress(name: str, number: int, seeds: int, days: float, screen: Screen) -> Iterator[Callable[[float], None]]:
    """Show on standard error how far a run is: a bar for people, one line a run for logs."""
    if not sys.stderr.isatty():
        screen.note(f"{name}: run {number} of {seeds}")
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  # only terminals pay for it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # likewise

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("day {task.completed:.0f} of {task.total:g}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{name}  seed {number}/{seeds}", total=days)
        yield lambda share: bar.update(task, completed=share * days)


def _moment(at_s: float) -> str:
    """Return "4 Jun 19:40": scenarios play in UTC, wherever they are looked at."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%b %H:%M} UTC"
