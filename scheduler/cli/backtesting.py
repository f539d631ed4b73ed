"""`headroom backtest`: how good forecasts were on recorded traffic, of one file or of several together.

The command table of `scheduler.cli.main` names `backtest` (a plain function, like all commands). Everything heavy is
imported inside the functions.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from records.form import Form
from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.file_flags import DecimalOption, LocalTimesOption, ThousandsOption, TimeFormatOption
from scheduler.cli.flags import date_flag_s
from scheduler.cli.forecasting import (
    FileColumns,
    HolidaysOption,
    PlotOption,
    TimestampOption,
    ValueOption,
    ZoneOption,
    duration,
    faults,
    read,
)
from scheduler.cli.output_files import check_plot
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.cli.table import Cell, Column, Table, cell, render
from scheduler.cli.wording import NOTHING, seconds
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from forecasting.evaluation.backtest import Answers, Plan
    from forecasting.series import Series

_OWN: Final = "headroom"
_TENTHS: Final = 10
_STRETCH: Final = ".."
_SOURCES_HELP: Final = (
    "CSV, Parquet, or the JSON of the Wikimedia pageviews API; several are scored together. "
    "@ZONE and @FROM..UNTIL after a file's name pick its time zone and a stretch of it."
)


@dataclass(frozen=True, slots=True)
class Source:
    """A stretch of a file.

    Attributes:
        text: as it was given.
        path: the file.
        zone: IANA name, or "" for the one of `--zone`.
        from_s, until_s: epoch seconds; None for the file's own.
    """

    text: str
    path: Path
    zone: str = ""
    from_s: float | None = None
    until_s: float | None = None

    @classmethod
    def of(cls, text: str) -> "Source":
        """Read "FILE", "FILE@Europe/Berlin", "FILE@2012-01-01..2012-12-31" or both in any order."""
        name, *parts = text.split("@")
        found = cls(text, Path(name))
        for part in parts:
            first, dots, last = part.partition(_STRETCH)
            if dots:
                found = replace(found, from_s=date_flag_s(first, text), until_s=date_flag_s(last, text))
            else:
                found = replace(found, zone=part)
        return found

    @property
    def name(self) -> str:
        """As it was given, without folders."""
        return self.path.name + self.text.removeprefix(str(self.path))

    def read(self, columns: FileColumns) -> "Series":
        """Return the series."""
        series = read(self.path, replace(columns, zone=self.zone or columns.zone))
        whole = (series.start_s, series.end_s)
        first, last = self.from_s, self.until_s
        return series.between(whole[0] if first is None else first, whole[1] if last is None else last)


@dataclass(frozen=True, slots=True)
class _Questions:
    """What is asked about each series."""

    models: tuple[str, ...]
    every_s: int
    windows_s: tuple[int, ...]
    first_s: float | None
    step_s: int | None
    rate: float
    holidays: frozenset[date]


def backtest(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE[@ZONE][@FROM..UNTIL]...", help=_SOURCES_HELP)],
    *,
    timestamp: TimestampOption = "timestamp",
    value: ValueOption = "requests",
    zone: ZoneOption = "UTC",
    holidays: HolidaysOption = None,
    horizons: Annotated[str, typer.Option(help="Windows whose peak is forecast.")] = "1h,6h,24h,168h",
    every: Annotated[str, typer.Option(help="Time from one origin to the next.")] = "13h",
    train_until: Annotated[str, typer.Option(metavar="DATE", help="First origin.", show_default=False)] = "",
    models: Annotated[str, typer.Option(help="Models by name, or all that are installed.", show_default=False)] = "",
    finer: Annotated[
        str, typer.Option(metavar="STEP", help="Draw the traffic in shorter steps first.", show_default=False)
    ] = "",
    rate: Annotated[float, typer.Option(min=1e-6, help="With --finer: mean requests per second.")] = 20.0,
    arrivals: Annotated[
        str, typer.Option(metavar="STEP", help="Rows are single arrivals: count them in such bins.", show_default=False)
    ] = "",
    time_format: TimeFormatOption = "",
    local_times: LocalTimesOption = None,
    decimal: DecimalOption = "",
    thousands: ThousandsOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    plot: PlotOption = None,
) -> None:
    """Measure forecasts on recorded traffic: every model is asked at the same moments, knowing nothing of later.

    --finer draws each bin in shorter ones: straight lines between the bins' centres, and arrivals by chance (Poisson).
    """
    from forecasting.evaluation.intervals import as_json as named  # noqa: PLC0415  # only this command pays for it
    from forecasting.evaluation.intervals import over_others  # noqa: PLC0415  # likewise
    from forecasting.evaluation.pooling import pooled  # noqa: PLC0415  # likewise
    from forecasting.evaluation.scores import report  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    with faults():
        check_plot(plot)
        form = Form(time_format, local_times, zone, decimal, thousands)
        bins_s = duration(arrivals, "--arrivals") if arrivals else None
        columns = FileColumns(timestamp, value, zone, holidays, bins_s, form, partial(warn, screen=screen))
        asked = _Questions(
            models=_names(models),
            every_s=duration(every, "--every"),
            windows_s=tuple(sorted({duration(part, "--horizons") for part in horizons.split(",")})),
            first_s=date_flag_s(train_until, "--train-until"),
            step_s=duration(finer, "--finer") if finer else None,
            rate=rate,
            holidays=columns.days(),
        )
        plans = {text: _plan(Source.of(text), columns, asked) for text in files}
    runs = {text: (plan, _run(text, plan, asked, screen)) for text, plan in plans.items()}
    reports = {text: report(*run) for text, run in runs.items()}
    found = pooled(reports) if len(reports) > 1 else next(iter(reports.values()))
    if _OWN in found["models"]:
        found["over"] = named(over_others(runs.values(), _OWN))
    screen.say(json_text(found) if as_json else _text(found, plans, screen))
    if plot:
        from forecasting.plotting import plot_trade_off  # noqa: PLC0415  # only pictures pay for it

        plot_trade_off(plot, tuple(runs.values()))
        screen.note(f"picture in {plot}")


def _plan(source: Source, columns: FileColumns, asked: _Questions) -> "Plan":
    from forecasting.evaluation import backtest as engine  # noqa: PLC0415  # likewise
    from forecasting.evaluation.disaggregate import drawn_finer  # noqa: PLC0415  # likewise

    series = source.read(columns)
    if asked.step_s is not None:
        series = drawn_finer(series, asked.step_s, asked.rate)
    return engine.plan(series, every_s=asked.every_s, windows_s=asked.windows_s, train_until_s=asked.first_s)


def _run(text: str, plan: "Plan", asked: _Questions, screen: Screen) -> "dict[str, Answers]":
    """Ask models of its own for each series: some remember what they said."""
    from forecasting.evaluation import backtest as engine  # noqa: PLC0415  # likewise
    from forecasting.peers import model  # noqa: PLC0415  # likewise

    models = {name: model(name, asked.holidays) for name in asked.models}
    return engine.run(plan, models, _progress(Source.of(text).name, screen, len(plan.origins)))


def _names(text: str) -> tuple[str, ...]:
    from forecasting.peers import NAMES, installed, model  # noqa: PLC0415  # likewise

    names = tuple(name.strip() for name in text.split(",")) if text else installed()
    for name in names:
        if name not in NAMES:
            raise ConfigError(f'--models: no model "{name}"', help=f"one of {', '.join(NAMES)}")
        model(name)
    return names


def _progress(of: str, screen: Screen, origins: int) -> "Callable[[str, int], None]":
    """Return what tells of progress: ten lines a model."""
    began_s = time.monotonic()

    def seen(name: str, count: int) -> None:
        if count * _TENTHS // origins > (count - 1) * _TENTHS // origins:
            passed = seconds(round(time.monotonic() - began_s))
            screen.note(f"{of}  {name}  {count} of {origins} origins · {passed}")

    return seen


def _text(found: "dict[str, Any]", plans: "dict[str, Plan]", screen: Screen) -> str:
    """Return a table for each series and, of several, first one for all and what ours scores over the others'."""
    each = found.get("series", {})
    if not each:
        (plan,) = plans.values()
        return "\n\n".join([f"{_head(plan)}\n{_scores(found, screen)}", *_compared(found, screen)])
    count = f"{len(each)} series, {found['origins']} origins: means over series, shares of all windows"
    parts = [f"{count}\n{_scores(found, screen)}", *_compared(found, screen)]
    parts += [f"{Source.of(text).name}: {_head(plans[text])}\n{_scores(said, screen)}" for text, said in each.items()]
    return "\n\n".join(parts)


def _compared(found: "dict[str, Any]", screen: Screen) -> list[str]:
    """Return what ours scores over the others'; nothing without others."""
    if not found.get("over"):
        return []
    return [
        f"{_OWN} over the others, below 1 is better\n{_ratios(found, screen)}",
        f"its peaks, with 95 % intervals (weeks of origins drawn anew)\n{_intervals(found, screen)}",
    ]


def _head(plan: "Plan") -> str:
    span_s = (plan.origins[-1] - plan.origins[0]) * plan.series.step_s
    measure = "pinball loss of the peak in % of the peak, lower is better"
    return f"{span_s / 86400:.0f} days, {len(plan.origins)} origins · {measure}"


def _scores(found: "dict[str, Any]", screen: Screen) -> str:
    first = next(iter(found["models"].values()))
    windows, judged = list(first["peak_wql"]), list(first["peak_coverage"])
    columns = (
        Column("MODEL"),
        *(Column(f"PEAK {w}", right=True, drop=3) for w in windows),
        *(Column(f"P95 HELD {w}", right=True, drop=5) for w in judged),
        *(Column(f"P99 HELD {w}", right=True) for w in judged),
        *(Column(f"OVER AT 5 % {w}", right=True, drop=2) for w in judged),
        Column("MASE 24h", right=True, drop=1),
        Column("CPU", right=True, drop=4),
    )
    rows = tuple(_row(name, said, windows, judged) for name, said in found["models"].items())
    return render(Table(columns, rows), screen)


def _row(name: str, said: "dict[str, Any]", windows: list[str], judged: list[str]) -> "tuple[Cell | str, ...]":
    return (
        cell(name, "bold" if name == _OWN else ""),
        *(f"{100 * said['peak_wql'][w]:.2f}" for w in windows),
        *(f"{100 * said['peak_coverage'][w][level]:.1f} %" for level in ("0.95", "0.99") for w in judged),
        *(f"{100 * said['op5'][w]:.1f} %" for w in judged),
        NOTHING if math.isnan(said["mase_24h"]) else f"{said['mase_24h']:.3f}",
        f"{1000 * said['cpu_s_per_origin']:.0f} ms",
    )


def _ratios(found: "dict[str, Any]", screen: Screen) -> str:
    from forecasting.evaluation.pooling import ratios  # noqa: PLC0415  # likewise

    over = ratios(found, _OWN)
    titles = [key for key in next(iter(over.values()), {}) if not key.startswith("wql")]
    columns = (Column("OVER"), *(Column(title.removeprefix("peak_wql ").upper(), right=True) for title in titles))
    rows = tuple((name, *(f"{said[title]:.2f}" for title in titles)) for name, said in over.items())
    return render(Table(columns, rows), screen)


def _intervals(found: "dict[str, Any]", screen: Screen) -> str:
    over: dict[str, dict[str, dict[str, float]]] = found["over"]
    columns = (Column("OVER"), *(Column(f"PEAK {window}".upper(), right=True) for window in next(iter(over.values()))))
    rows = tuple(
        (name, *("{ratio:.2f} ({low:.2f} to {high:.2f})".format(**said) for said in windows.values()))
        for name, windows in over.items()
    )
    return render(Table(columns, rows), screen)
