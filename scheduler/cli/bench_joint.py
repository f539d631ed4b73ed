"""`headroom bench joint`: what a forecast gives to serving and training on one site, beside policies without one."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.flags import duration_flag
from scheduler.cli.screen import Screen
from scheduler.cli.seeds import seeds_of
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.config.units import format_duration
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.joint.running import Played
    from benchmarks.joint.setting import Setting

TrafficOption = Annotated[Path, typer.Option("--traffic", metavar="FILE", help="Recorded traffic (docs/files.md).")]
JobsOption = Annotated[Path, typer.Option("--jobs", metavar="FILE", help="Recorded jobs (docs/files.md).")]
FromOption = Annotated[str, typer.Option("--from", metavar="DATE", help="Where the window of the traffic begins.")]
JobsFromOption = Annotated[
    str,
    typer.Option("--jobs-from", metavar="DATE", help="And that of the jobs; as many days before each are tuned on."),
]
DaysOption = Annotated[float, typer.Option("--days", min=0.05, help="Of the window.")]
HostsOption = Annotated[int, typer.Option("--hosts", min=1, help="Of 8 GPUs each.")]
WarmUpOption = Annotated[str, typer.Option("--warm-up", metavar="TIME", help="Of a replica.")]
SeedsOption = Annotated[str, typer.Option("--seeds", metavar="1-5", help="Seeds of the runs.")]
PolicyOption = Annotated[
    list[str] | None,
    typer.Option("--policy", metavar="NAME", help="Only this one; may be repeated.", show_default="all"),
]
ZoneOption = Annotated[str, typer.Option("--zone", metavar="NAME", help="Of the days that the traffic follows.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one a processor.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_TITLES: Final = (
    "LATE %",
    "VIOLATION",
    "WAIT",
    "P95",
    "JCT",
    "USEFUL GPU-H",
    "LOST",
    "PREEMPTIONS",
    "ALLOCATED %",
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
    seeds: SeedsOption = "1-5",
    policy: PolicyOption = None,
    zone: ZoneOption = "UTC",
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Play one site under recorded traffic and jobs by each policy, its knob tuned on the window before."""
    from benchmarks.joint.report import document  # noqa: PLC0415  # other commands need not load it
    from benchmarks.joint.running import play_all  # noqa: PLC0415  # likewise
    from benchmarks.joint.setting import Setting  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    setting = Setting(
        traffic=_there(traffic, "--traffic"),
        jobs=_there(jobs, "--jobs"),
        start=_moment(start, "--from"),
        jobs_start=_moment(jobs_start, "--jobs-from"),
        days=days,
        hosts=hosts,
        warm_up_s=duration_flag(warm_up, "--warm-up"),
        zone=zone,
    )
    processes = workers or len(os.sched_getaffinity(0))
    found = play_all(setting, _chosen(policy or []), seeds_of(seeds), processes, screen.note)
    if as_json:
        screen.say(json_text(document(setting, found)))
        return
    _show(setting, found, screen)


def _show(setting: "Setting", found: "dict[str, Played]", screen: Screen) -> None:
    from benchmarks.joint.policies import CONTENDERS  # noqa: PLC0415  # other commands need not load it

    begins = f"{setting.start[:10]} (jobs {setting.jobs_start[:10]})"
    screen.say(
        f"{setting.days:g} days from {begins} on {setting.gpus} GPUs, warm-up {format_duration(setting.warm_up_s)}"
    )
    rows = tuple(_row(name, played) for name, played in found.items())
    screen.say(
        render(Table((Column("POLICY"), *(Column(title, right=True) for title in _TITLES)), rows, tuple(found)), screen)
    )
    for name, played in found.items():
        knob = f"; {CONTENDERS[name].knob} {played.knob:g}, tuned on the window before" if played.tried else ""
        screen.say(f"{name}: {CONTENDERS[name].about}{knob}")


def _row(name: str, played: "Played") -> tuple[str, ...]:
    from benchmarks.joint.report import numbers  # noqa: PLC0415  # other commands need not load it

    mean = {number: each.mean for number, each in numbers(played.runs).items()}
    times = (format_duration(mean[key]) for key in ("mean_wait_s", "p95_wait_s", "mean_jct_s"))
    return (
        name,
        f"{100 * mean['late_ratio']:.4f}",
        format_duration(60.0 * mean["violation_minutes"]),
        *times,
        f"{mean['gpu_hours_useful']:.0f}",
        f"{mean['gpu_hours_lost']:.1f}",
        f"{mean['preemptions']:.0f}",
        f"{100 * mean['gpu_allocation']:.1f}",
        f"{100 * mean['goodput_per_mean_gpu']:.1f}",
    )


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
