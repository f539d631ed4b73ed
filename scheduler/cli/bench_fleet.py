"""`headroom bench forecast-fleet`: how long forecasts of a whole fleet take, on real traffic cut at random."""

import os
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from records.form import Form
from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.file_flags import DecimalOption, LocalTimesOption, ThousandsOption, TimeFormatOption
from scheduler.cli.forecasting import (
    FileColumns,
    TimestampOption,
    ValueOption,
    ZoneOption,
    duration,
    faults,
    read,
)
from scheduler.cli.session import Session
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from forecasting.series import Series

_WEEK_S: Final = 7 * 86_400
_NOISE: Final = 0.05
"""Standard deviation of the logarithm, so that no two series are alike."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What forecasting a fleet took.

    Attributes:
        series, weeks, workers: what was asked.
        horizon_s: how far ahead.
        wall_s: from the first to the last.
        cpu_s: of all processes.
        cpu_ms_per_series: of one.
    """

    series: int
    weeks: float
    workers: int
    horizon_s: int
    wall_s: float
    cpu_s: float
    cpu_ms_per_series: float


def forecast_fleet(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Recorded traffic, longer than the history asked for.")],
    *,
    series: Annotated[int, typer.Option(min=1, help="How many models with traffic of their own.")] = 500,
    weeks: Annotated[float, typer.Option(min=0.1, help="History of each.")] = 12.0,
    horizon: Annotated[str, typer.Option(help="How far ahead.")] = "168h",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for one a processor.")] = 0,
    timestamp: TimestampOption = "timestamp",
    value: ValueOption = "requests",
    time_format: TimeFormatOption = "",
    local_times: LocalTimesOption = None,
    zone: ZoneOption = "UTC",
    decimal: DecimalOption = "",
    thousands: ThousandsOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Forecast many series at once, cut at random from recorded traffic, and say how long that takes."""
    screen = Session.of(context).screen
    with faults():
        form = Form(time_format, local_times, zone, decimal, thousands)
        columns = FileColumns(timestamp, value, zone, form=form, say=partial(warn, screen=screen))
        fleet = _cut(read(file, columns), series, round(weeks * _WEEK_S))
        timing = _timed(fleet, weeks, duration(horizon, "--horizon"), workers or len(os.sched_getaffinity(0)))
    screen.say(json_text(asdict(timing)) if as_json else _sentence(timing))


def _cut(whole: "Series", count: int, length_s: int) -> "list[Series]":
    import numpy as np  # noqa: PLC0415  # only this command pays for the numerics

    bins = length_s // whole.step_s
    if len(whole) < bins:
        raise ConfigError(f"the file has {len(whole)} bins, not {bins}", help="ask for fewer --weeks")
    random = np.random.default_rng(0)
    first = random.integers(0, len(whole) - bins + 1, count)
    return [
        replace(
            whole,
            start_s=whole.start_s + int(at) * whole.step_s,
            values=whole.values[at : at + bins] * np.exp(_NOISE * random.standard_normal(bins)),
        )
        for at in first
    ]


def _timed(fleet: "list[Series]", weeks: float, horizon_s: int, workers: int) -> Timing:
    from forecasting.fleet import fit_all  # noqa: PLC0415  # likewise
    from forecasting.forecaster import Forecaster  # noqa: PLC0415  # likewise

    wall_s, cpu_s = time.perf_counter(), _cpu_s()
    fit_all(Forecaster(horizon_s=horizon_s), fleet, workers=workers)
    wall_s, cpu_s = time.perf_counter() - wall_s, _cpu_s() - cpu_s
    return Timing(len(fleet), weeks, workers, horizon_s, wall_s, cpu_s, 1000 * cpu_s / len(fleet))


def _cpu_s() -> float:
    """Return processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _sentence(timing: Timing) -> str:
    asked = f"{timing.series} series of {timing.weeks:g} weeks, {timing.horizon_s // 3600} h ahead"
    each = f"{timing.cpu_s:.1f} s of processor time ({timing.cpu_ms_per_series:.0f} ms each)"
    return f"{asked}, {timing.workers} processes: {timing.wall_s:.1f} s, {each}"
