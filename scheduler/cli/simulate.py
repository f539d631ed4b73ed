"""`headroom simulate`: the control loop of `headroom run` over a simulated cluster, on a virtual clock."""

import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scheduler.cli.comparing import write_report
from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.flags import duration_flag
from scheduler.cli.output_files import check_file, check_plot, write_text
from scheduler.cli.progress import progress
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from scheduler.config.scenario import Scenario
    from simulations.report import Result
    from simulations.sweeping import Diary

BLOCKS: Final = 3
"""More scenarios than this are shown as a table, one a row."""

ScenarioArgument = Annotated[
    list[Path], typer.Argument(help="Scenario files, for instance configs/scenarios/growth.yaml.", show_default=False)
]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Runs with different chance; shows the spread.")]
ParallelOption = Annotated[
    int, typer.Option("--parallel", min=0, help="Processes; the outcome is the same. 0 for one a processor.")
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Also write one HTML file that shows what happened, and why.",
        show_default=False,
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on where a sweep with the same --json was interrupted.")
]
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
    scenarios: ScenarioArgument,
    *,
    seeds: SeedsOption = 1,
    parallel: ParallelOption = 1,
    reactive: ReactiveOption = False,
    json_file: JsonOption = "",
    report: ReportOption = None,
    resume: ResumeOption = False,
    plot: PlotOption = None,
    drain: DrainOption = "",
    skip_bad_rows: SkipOption = False,
) -> None:
    """Run scenarios offline with the real planner and show what comes out.

    A scenario that varies some keys stands for all combinations. What was done is kept beside the file of --json until
    all is done: --resume goes on from there.
    """
    from simulations.comparing.entries import entry_of  # noqa: PLC0415  # other commands need not load it
    from simulations.report import document  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_file("--json", Path(json_file) if json_file not in {"", "-"} else None)
    check_file("--report", report)
    check_plot(plot)
    if resume and json_file in {"", "-"}:
        raise ConfigError(
            "--resume needs the --json FILE of the sweep", help="headroom simulate … --json FILE --resume"
        )
    asked = _asked(scenarios, drain, reactive=reactive, skip_bad_rows=skip_bad_rows)
    if plot and len(asked) > 1:
        raise ConfigError("--plot draws one scenario", help="name one that varies nothing")
    flags: dict[str, str | bool] = {
        "--seeds": f"{seeds}",
        "--drain": drain,
        "--reactive": reactive,
        "--skip-bad-rows": skip_bad_rows,
    }
    again, told = _again(scenarios, flags), bool(json_file or report)
    played = partial(_played, seeds=seeds, parallel=parallel, told=told, again=again)
    results = played(asked, screen, _diary(json_file, resume=resume))
    if report:
        write_report(report, [entry_of(document(result)) for result in results], screen)
    if plot:
        _draw(plot, *next(iter(asked.items())), screen)
    _show(results, json_file, screen)


def _show(results: "Sequence[Result]", json_file: str, screen: Screen) -> None:
    from simulations.report import document, lines  # noqa: PLC0415  # other commands need not load it

    documents = [document(result) for result in results]
    text = json_text(documents[0] if len(documents) == 1 else {"scenarios": documents})
    if json_file == "-":
        screen.say(text)
        return
    if len(results) > BLOCKS:
        screen.say(render(_table(results), screen))
    for line in (line for result in results if len(results) <= BLOCKS for line in lines(result, _moment)):
        screen.say(line)
    if json_file:
        write_text("--json", json_file, text)
        _beside(json_file).unlink(missing_ok=True)


def _asked(files: "Sequence[Path]", drain: str, *, reactive: bool, skip_bad_rows: bool) -> "dict[str, Scenario]":
    """Return all scenarios by name.

    Raises:
        ConfigError: with every fault of a file, or two have one name.
    """
    from scheduler.config.scenario_loading import load_variants  # noqa: PLC0415  # other commands need not load it

    found: dict[str, Scenario] = {}
    for file in files:
        for variant in load_variants(file):
            name = f"{variant.name} (reactive)" if reactive else variant.name
            if name in found:
                raise ConfigError(f'{file}: two scenarios are called "{name}"', help="scenario: says the name")
            found[name] = _as_asked(variant.scenario, drain, reactive=reactive, skip_bad_rows=skip_bad_rows)
    return found


def _as_asked(scenario: "Scenario", drain: str, *, reactive: bool, skip_bad_rows: bool) -> "Scenario":
    """Return the scenario with what flags say in place of the file."""
    changes: dict[str, object] = {"drain": duration_flag(drain, "--drain")} if drain else {}
    if reactive:
        changes["control"] = scenario.control.model_copy(update={"reactive": True})
    if skip_bad_rows:
        traces = tuple(trace.model_copy(update={"skip_bad_rows": True}) for trace in scenario.jobs.traces)
        changes["jobs"] = scenario.jobs.model_copy(update={"traces": traces})
    return scenario.model_copy(update=changes)


def _played(  # noqa: PLR0913  # what is played, and how
    asked: "Mapping[str, Scenario]",
    screen: Screen,
    diary: "Diary | None",
    *,
    seeds: int,
    parallel: int,
    told: bool,
    again: str,
) -> "tuple[Result, ...]":
    from simulations.sweeping import results_of, sweep, tasks_of  # noqa: PLC0415  # other commands need not load it

    tasks = [task for name, scenario in asked.items() for task in tasks_of(name, scenario, seeds, told=told)]
    workers = parallel or len(os.sched_getaffinity(0))
    began_s, name = time.monotonic(), next(iter(asked)) if len(asked) == 1 else f"{len(asked)} scenarios"
    with progress(name, len(tasks), screen, "runs") as tell:
        found = sweep(tasks, workers, tell, diary)
    for said in dict.fromkeys(said for played in found.values() for said in played.said):
        warn(said, screen)
    return results_of(found, time.monotonic() - began_s, again)


def _again(scenarios: "Sequence[Path]", flags: "Mapping[str, str | bool]") -> str:
    """Return the command that plays the same again."""
    said = [flag if value is True else f"{flag} {value}" for flag, value in flags.items() if value]
    return " ".join(["headroom simulate", *map(str, scenarios), *said])


def _diary(json_file: str, *, resume: bool) -> "Diary | None":
    from simulations.sweeping import Diary  # noqa: PLC0415  # other commands need not load it

    return None if json_file in {"", "-"} else Diary(_beside(json_file), resume=resume)


def _beside(json_file: str) -> Path:
    """Return where what was done is kept until all is done."""
    return Path(f"{json_file}.partial")


def _draw(path: Path, name: str, scenario: "Scenario", screen: Screen) -> None:
    from simulations.plotting import plot_holders  # noqa: PLC0415  # other commands need not load it
    from simulations.run import Simulation  # noqa: PLC0415  # likewise
    from simulations.wiring import setup_of  # noqa: PLC0415  # likewise

    simulation = Simulation(setup_of(scenario, seed=scenario.seed))
    simulation.run()
    plot_holders(path, simulation, f"{name}: who holds the GPUs")
    screen.note(f"picture in {path}")


def _table(results: "Sequence[Result]") -> Table:
    from simulations.report import row  # noqa: PLC0415  # other commands need not load it

    columns = (
        Column("SCENARIO"),
        Column("GPUS", right=True, drop=5),
        Column("LATE", right=True),
        Column("VIOLATION", right=True, drop=2),
        Column("HEADROOM MIN", right=True, drop=1),
        Column("WAIT MEAN", right=True),
        Column("P95", right=True),
        Column("PREEMPTIONS", right=True, drop=3),
        Column("GPU-H LOST", right=True, drop=4),
    )
    return Table(columns, tuple(row(result) for result in results), tuple(result.scenario for result in results))


def _moment(at_s: float) -> str:
    """Return "4 Jun 19:40": scenarios play in UTC, wherever they are looked at."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%b %H:%M} UTC"
