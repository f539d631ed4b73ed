"""`headroom bench queueing`: how long jobs wait and what they lose under one choice of the site or another."""

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.file_flags import DecimalOption, LocalTimesOption, ThousandsOption, TimeFormatOption
from scheduler.cli.output_files import check_plot
from scheduler.cli.screen import Screen
from scheduler.cli.seeds import seeds_of
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.config.units import format_duration
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.queueing.report import ChoiceRow, GroupRow, Spread
    from benchmarks.queueing.scenes import Recorded
    from scheduler.config.scenario import JobTrace
    from simulations.outcome import Estimate

CompareOption = Annotated[
    list[str] | None,
    typer.Option("--compare", metavar="NAME", help="Only this choice of the site; may be repeated."),
]
SeedsOption = Annotated[
    str,
    typer.Option("--seeds", metavar="1-8", help="Seeds of the runs.", show_default="as many as show the difference"),
]
TraceOption = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="Recorded jobs instead of made-up ones: timestamp, duration, num_gpus (docs/files.md).",
    ),
]
WindowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--window", metavar="DATE", help="Of the trace: where to begin; may be repeated.", show_default="its first day"
    ),
]
DaysOption = Annotated[float, typer.Option("--days", min=0.05, help="Of each window of the trace.")]
HostsOption = Annotated[int, typer.Option("--hosts", min=1, help="Of 8 GPUs each, for the trace.")]
ShareOption = Annotated[float, typer.Option("--share", min=0.001, max=1.0, help="Of the trace's jobs that is played.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one a processor.")]
DurationUnitOption = Annotated[
    str, typer.Option("--duration-unit", metavar="UNIT", help="Of the trace: s, ms, us, ns, min or h.")
]
GpuUnitOption = Annotated[str, typer.Option("--gpu-unit", metavar="UNIT", help="Of the trace: gpu, percent or milli.")]
ZoneOption = Annotated[str, typer.Option("--zone", metavar="NAME", help="Of the trace's local times.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Leave out rows of the trace that cannot be read, counted and named.")
]
_WRITTEN: Final = (
    "time_format", "local_times", "zone", "decimal", "thousands", "duration_unit", "gpu_unit", "skip_bad_rows",
)  # fmt: skip
TOLD: Final = 20
"""Progress is told so many times."""


def queueing(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    compare: CompareOption = None,
    seeds: SeedsOption = "",
    trace: TraceOption = None,
    window: WindowOption = None,
    days: DaysOption = 4.0,
    hosts: HostsOption = 24,
    share: ShareOption = 0.45,
    time_format: TimeFormatOption = "",
    local_times: LocalTimesOption = None,
    zone: ZoneOption = "UTC",
    decimal: DecimalOption = "",
    thousands: ThousandsOption = "",
    duration_unit: DurationUnitOption = "",
    gpu_unit: GpuUnitOption = "",
    skip_bad_rows: SkipOption = False,
    workers: WorkersOption = 0,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play days of arriving jobs under different choices of the site, and compare waits, completions and lost work."""
    from benchmarks.queueing.comparisons import COMPARISONS, chosen  # noqa: PLC0415  # other commands need not load it
    from benchmarks.queueing.plotting import plot_all  # noqa: PLC0415  # likewise
    from benchmarks.queueing.report import document, summary  # noqa: PLC0415  # likewise
    from benchmarks.queueing.running import play_all, tasks_of  # noqa: PLC0415  # likewise
    from benchmarks.queueing.scenes import Recorded  # noqa: PLC0415  # likewise

    check_plot(plot)
    screen = Session.of(context).screen
    written = {"time_format": time_format, "local_times": local_times, "zone": zone, "decimal": decimal}
    written |= {
        "thousands": thousands,
        "duration_unit": duration_unit,
        "gpu_unit": gpu_unit,
        "skip_bad_rows": skip_bad_rows,
    }
    recorded = None if trace is None else _trace(trace, written)
    windows = _windows(recorded, window or [], partial(Recorded, days=days, hosts=hosts, share=share), screen)
    names = chosen(compare or [], on_trace=trace is not None)
    numbers = seeds_of(seeds) if seeds else None
    tasks = [task for name in names for task in tasks_of(name, numbers, windows)]
    processes = workers or len(os.sched_getaffinity(0))
    screen.note(f"{len(tasks)} runs: {', '.join(names)}")

    def told(done: int) -> None:
        if done * TOLD // len(tasks) > (done - 1) * TOLD // len(tasks):
            screen.note(f"{done} of {len(tasks)} runs")

    found = play_all(tasks, processes, told)
    if plot:
        plot_all(plot, names, found)
        screen.note(f"picture in {plot}")
    if as_json:
        screen.say(json_text(document(names, found)))
        return
    for name in names:
        screen.say(f"{name}: {COMPARISONS[name].about}")
        screen.say(render(_table(summary(name, found)), screen) + "\n")


def _trace(file: Path, written: Mapping[str, str | bool | None]) -> "JobTrace":
    """Return a trace as scenarios have them, from flags that are called like its keys.

    Raises:
        ConfigError: a flag says what no file is written in.
    """
    from pydantic import ValidationError  # noqa: PLC0415  # other commands need not load it

    from scheduler.config.scenario import JobTrace  # noqa: PLC0415  # likewise

    try:
        return JobTrace.model_validate(
            {"file": file, **{key: said for key, said in written.items() if said not in {"", None}}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        flag = str(first["loc"][0]).replace("_", "-")
        said = f"--{flag}: {first['msg'].removeprefix('Value error, ')}"
        raise ConfigError(said, help="headroom bench queueing --help") from error


def _windows(
    trace: "JobTrace | None", firsts: list[str], window: "Callable[..., Recorded]", screen: Screen
) -> "list[Recorded]":
    """Return the stretches of a trace to play; what its file leaves open is told once, here."""
    from simulations.traces import first_day  # noqa: PLC0415  # other commands need not load it

    if trace is None:
        if firsts:
            raise ConfigError("--window goes with --trace", help="--trace FILE --window 2017-10-04")
        return []
    begins = first_day(trace, partial(warn, screen=screen))
    written = tuple(trace.model_dump(include=set(_WRITTEN)).items())
    return [window(file=trace.file, first=moment_of(first), written=written) for first in firsts or [begins]]


def moment_of(text: str) -> str:
    """Return a date given by `--window` as RFC 3339.

    Raises:
        ConfigError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f'--window: "{text}" is no date', help="for instance 2017-10-04") from error
    return moment.isoformat() if moment.tzinfo else f"{moment.isoformat()}+00:00"


def _table(rows: "dict[str, ChoiceRow]") -> Table:
    weights = [group.by_weight_gpus for row in rows.values() for group in row.groups.values()]
    weighed = (Column("BY WEIGHT", right=True),) if any(weights) else ()
    columns = (
        Column("CHOICE"),
        Column("JOBS"),
        Column("NUMBER", right=True, drop=5),
        Column("WAIT MEAN", right=True),
        Column("P90", right=True, drop=3),
        Column("P99", right=True, drop=4),
        Column("COMPLETION", right=True),
        Column("P90", right=True, drop=6),
        Column("P99", right=True, drop=7),
        Column("V FIRST", right=True),
        Column("STOPS", right=True, drop=1),
        Column("LOST GPU-H", right=True, drop=2),
        Column("GPUS", right=True, drop=8),
        *weighed,
        Column("IN USE", right=True, drop=9),
    )
    cells = tuple(
        _row(choice, name, row, group, weighed=bool(weighed))
        for choice, row in rows.items()
        for name, group in row.groups.items()
    )
    return Table(columns, cells, tuple(f"{row[0]}/{row[1]}" for row in cells))


def _row(choice: str, name: str, row: "ChoiceRow", group: "GroupRow", *, weighed: bool) -> tuple[str, ...]:
    from benchmarks.queueing.measured import ALL  # noqa: PLC0415  # other commands need not load it

    return (
        choice,
        name,
        f"{group.jobs:.0f}",
        *_times(group.wait_s),
        *_times(group.completion_s),
        _change(group),
        f"{group.stops:.1f}",
        f"{group.lost_gpu_h:.1f}",
        _spread(group.held_gpus),
        *(("" if group.by_weight_gpus is None else f"{group.by_weight_gpus:.2f}",) if weighed else ()),
        f"{100 * row.in_use:.1f} %" if name == ALL else "",
    )


def _times(spread: "Spread") -> tuple[str, str, str]:
    return format_duration(spread.mean), format_duration(spread.p90), format_duration(spread.p99)


def _spread(value: "Estimate") -> str:
    return f"{value.mean:.2f}" + (f" ± {value.half_width:.2f}" if value.half_width else "")


def _change(group: "GroupRow") -> str:
    if group.change is None:
        return ""
    spread = f" ± {100 * group.change.half_width:.0f}" if group.change.half_width else ""
    change = round(100 * group.change.mean)
    return f"{change:+d}{spread} %" if change else f"0{spread} %"
