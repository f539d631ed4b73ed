"""`headroom bench joint`: what a forecast gives to serving and training on one site, beside policies without one."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from scheduler.cli.bench_joint_map import show_map
from scheduler.cli.documents import json_text
from scheduler.cli.flags import duration_flag
from scheduler.cli.output_files import check_plot
from scheduler.cli.screen import Screen
from scheduler.cli.seeds import seeds_of
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.config.units import format_duration
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.joint.running import Played
    from benchmarks.joint.setting import Setting

T = TypeVar("T")

TrafficOption = Annotated[
    list[Path],
    typer.Option(
        "--traffic", metavar="FILE", help="Recorded traffic (docs/files.md); one for each --from, or for all."
    ),
]
JobsOption = Annotated[Path, typer.Option("--jobs", metavar="FILE", help="Recorded jobs (docs/files.md).")]
FromOption = Annotated[
    list[str], typer.Option("--from", metavar="DATE", help="Where a window of the traffic begins; may be repeated.")
]
JobsFromOption = Annotated[
    list[str],
    typer.Option("--jobs-from", metavar="DATE", help="And that of the jobs, one for each --from, or for all."),
]
DaysOption = Annotated[
    float, typer.Option("--days", min=0.05, help="Of each window; three times as many before the first are tuned on.")
]
HostsOption = Annotated[int, typer.Option("--hosts", min=1, help="Of 8 GPUs each.")]
WarmUpOption = Annotated[str, typer.Option("--warm-up", metavar="TIME", help="Of a replica.")]
PeakOption = Annotated[
    float, typer.Option("--peak-share", min=0.01, max=1.0, help="Of the GPUs, that serving needs at a window's peak.")
]
DrainOption = Annotated[
    str, typer.Option("--drain", metavar="TIME", help="A run goes on for at most so long, until no job is open.")
]
SeedsOption = Annotated[str, typer.Option("--seeds", metavar="1-5", help="Seeds of the runs of each window.")]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="NAME", help="Only this one; may be repeated.", show_default="all"),
]
UnitsOption = Annotated[
    int,
    typer.Option("--nodes-per-gpu", min=0, help="So many of the jobs' num_nodes are a GPU here.", show_default=False),
]
ZoneOption = Annotated[str, typer.Option("--zone", metavar="NAME", help="Of the days that the traffic follows.")]
QuickOption = Annotated[bool, typer.Option("--quick", help="A day on 12 hosts, one seed, three policies.")]
KnobOption = Annotated[
    float | None,
    typer.Option(
        "--knob", metavar="NUMBER", help="Of all policies that have one, in place of tuning.", show_default=False
    ),
]
MapOption = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="TIMES",
        help='Instead: what serving holds without jobs, at each warm-up, as "10s,1m,20m".',
        show_default=False,
    ),
]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one a processor.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
QUICK: Final = ("reactive", "reactive+order", "headroom")
QUICK_DAYS, QUICK_HOSTS, QUICK_DRAIN = 1.0, 12, "12h"
_TITLES: Final = (
    "LATE %",
    "WAIT",
    "P95",
    "8+ GPUS",
    "JCT",
    "USEFUL GPU-H",
    "LOST",
    "SERVING",
    "PREEMPTIONS",
    "UNFINISHED",
    "GOODPUT %",
)


def joint(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    traffic: TrafficOption,
    jobs: JobsOption,
    start: FromOption,
    jobs_start: JobsFromOption,
    days: DaysOption = 14.0,
    hosts: HostsOption = 48,
    warm_up: WarmUpOption = "20m",
    peak_share: PeakOption = 0.65,
    drain: DrainOption = "7d",
    seeds: SeedsOption = "1-5",
    policy: PolicyOption = None,
    nodes_per_gpu: UnitsOption = 0,
    zone: ZoneOption = "UTC",
    quick: QuickOption = False,
    knob: KnobOption = None,
    warm_ups: MapOption = "",
    workers: WorkersOption = 0,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play one site under recorded traffic and jobs by each policy, its knob tuned on the days before."""
    from benchmarks.joint.plotting import plot_all  # noqa: PLC0415  # other commands need not load it
    from benchmarks.joint.report import document  # noqa: PLC0415  # likewise
    from benchmarks.joint.running import play_all  # noqa: PLC0415  # likewise
    from benchmarks.joint.setting import Setting  # noqa: PLC0415  # likewise

    check_plot(plot)
    screen = Session.of(context).screen
    windows = [
        Setting(
            traffic=_there(file, "--traffic"),
            jobs=_there(jobs, "--jobs"),
            start=_moment(begins, "--from"),
            jobs_start=_moment(jobs_begin, "--jobs-from"),
            days=QUICK_DAYS if quick else days,
            hosts=QUICK_HOSTS if quick else hosts,
            warm_up_s=duration_flag(warm_up, "--warm-up"),
            zone=zone,
            peak_share=peak_share,
            drain_s=duration_flag(QUICK_DRAIN if quick else drain, "--drain"),
            nodes_per_gpu=nodes_per_gpu,
        )
        for file, begins, jobs_begin in zip(
            _each(traffic, start, "--traffic"), start, _each(jobs_start, start, "--jobs-from"), strict=True
        )
    ]
    processes = workers or len(os.sched_getaffinity(0))
    if warm_ups:
        show_map(
            windows,
            [duration_flag(each, "--map") for each in warm_ups.split(",")],
            processes,
            plot,
            screen,
            as_json=as_json,
        )
        return
    names = _chosen(policy or (list(QUICK) if quick else []))
    found = play_all(windows, names, (1,) if quick else seeds_of(seeds), processes, screen.note, knob)
    if plot:
        plot_all(plot, found)
        screen.note(f"picture in {plot}")
    if as_json:
        screen.say(json_text(document(found)))
        return
    _show(windows, found, screen)


def _each(values: list[T], windows: Sequence[object], flag: str) -> list[T]:
    """Return a value for each window."""
    if len(values) == 1:
        return values * len(windows)
    if len(values) != len(windows):
        raise ConfigError(f"{flag}: {len(values)} for {len(windows)} times --from", help="one for each, or one for all")
    return values


def _show(windows: "Sequence[Setting]", found: "dict[str, Played]", screen: Screen) -> None:
    for one in windows:
        begins = f"{one.traffic.name} from {one.start[:10]}, jobs from {one.jobs_start[:10]}"
        days = f"{one.days:g} day{'' if one.days == 1 else 's'}"
        screen.say(f"{days} of {begins}, {one.gpus} GPUs, warm-up {format_duration(one.warm_up_s)}")
    rows = tuple(_row(name, played) for name, played in found.items())
    columns = (Column("POLICY"), *(Column(title, right=True) for title in _TITLES))
    screen.say(render(Table(columns, rows, tuple(found)), screen))
    for name, played in found.items():
        screen.say(_about(name, played))
    for line in _compared(found):
        screen.say(line)


def _about(name: str, played: "Played") -> str:
    from benchmarks.joint.policies import CONTENDERS  # noqa: PLC0415  # other commands need not load it
    from benchmarks.joint.report import is_feasible  # noqa: PLC0415  # likewise

    knobs = ", ".join(f"{knob:g}" for knob in dict.fromkeys(run.knob for run in played.runs))
    knob = f"; {CONTENDERS[name].knob} {knobs}" if CONTENDERS[name].knob else ""
    return f"{name}: {CONTENDERS[name].about}{knob}{'' if is_feasible(played) else '; not feasible'}"


def _compared(found: "dict[str, Played]") -> list[str]:
    """Return how headroom stands beside the best feasible peers."""
    from benchmarks.joint.report import COMPARED, OURS, best_peer, change  # noqa: PLC0415  # other commands need not

    lines = []
    for peer in (best_peer(found, ordered=False), best_peer(found, ordered=True)):
        if peer is None or OURS not in found:
            continue
        parts = []
        for number in COMPARED:
            if by := change(found[OURS].runs, found[peer].runs, number):
                span = f" ({100 * by['low']:+.0f} to {100 * by['high']:+.0f})" if by["low"] < by["high"] else ""
                parts.append(f"{number.removesuffix('_s').replace('_', ' ')} {100 * by['change']:+.0f} %{span}")
        lines.append(f"headroom beside {peer}: {', '.join(parts)}")
    return lines


def _row(name: str, played: "Played") -> tuple[str, ...]:
    from benchmarks.joint.report import numbers  # noqa: PLC0415  # other commands need not load it

    mean = {number: each.mean for number, each in numbers(played.runs).items()}
    times = (_time(mean[key]) for key in ("mean_wait_s", "p95_wait_s", "large_wait_s", "mean_jct_s"))
    return (
        name,
        f"{100 * mean['late_ratio']:.4f}",
        *times,
        f"{mean['gpu_hours_useful']:.0f}",
        f"{mean['gpu_hours_lost']:.1f}",
        f"{mean['gpu_hours_serving']:.0f}",
        f"{mean['preemptions']:.0f}",
        f"{mean['jobs_unfinished']:.0f}",
        f"{100 * mean['goodput_per_mean_gpu']:.1f}",
    )


def _time(seconds: float) -> str:
    return "–" if seconds != seconds else format_duration(seconds)  # noqa: PLR0124  # NaN


def _chosen(names: list[str]) -> list[str]:
    from benchmarks.joint.policies import CONTENDERS  # noqa: PLC0415  # other commands need not load it

    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        raise ConfigError(f"--policy: there is no {unknown[0]}", help=f"one of {', '.join(CONTENDERS)}")
    return names or list(CONTENDERS)


def _there(file: Path, flag: str) -> Path:
    if not file.is_file():
        raise ConfigError(f"{flag}: there is no file {file}", help="check the path")
    return file


def _moment(text: str, flag: str) -> str:
    """Return a date or time, UTC unless it says otherwise, in RFC 3339."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f'{flag}: "{text}" is no date', help="for instance 2012-06-04") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
