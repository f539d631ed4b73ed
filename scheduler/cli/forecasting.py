"""`headroom backtest`, and `headroom forecast` of a file: the numerics of forecasting on the command line.

The command table of `scheduler.cli.main` names `backtest` (a plain function, like all commands); `headroom forecast`
calls `forecast_file` when it is given a file. Everything heavy is imported inside the functions.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from scheduler.cli.forecast_view import PEAKS_S, document, forecast_text
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, Session
from scheduler.cli.table import Cell, Column, Table, cell, render
from scheduler.cli.wording import seconds
from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError, Fault

if TYPE_CHECKING:
    from forecasting.asked import Model
    from forecasting.backtest import Answers, Plan
    from forecasting.series import Series

_HOUR_S: Final = 3600
_TENTHS: Final = 10

TimestampOption = Annotated[str, typer.Option(metavar="COL", help="Column with the start of each bin.")]
ValueOption = Annotated[str, typer.Option(metavar="COL", help="Column with the requests of each bin.")]
ZoneOption = Annotated[str, typer.Option(metavar="NAME", help="Time zone whose days the traffic follows.")]
PlotOption = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw a picture.", show_default=False)]


@dataclass(frozen=True, slots=True)
class FileColumns:
    """How to read a file of traffic.

    Attributes:
        timestamp, value: names of columns.
        zone: IANA name of the time zone.
    """

    timestamp: str = "timestamp"
    value: str = "requests"
    zone: str = "UTC"


def backtest(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV, Parquet, or the JSON of the Wikimedia pageviews API.")],
    *,
    timestamp: TimestampOption = "timestamp",
    value: ValueOption = "requests",
    zone: ZoneOption = "UTC",
    horizons: Annotated[str, typer.Option(help="Windows whose peak is forecast.")] = "1h,6h,24h,168h",
    every: Annotated[str, typer.Option(help="Time from one origin to the next.")] = "13h",
    train_until: Annotated[str, typer.Option(metavar="DATE", help="First origin.", show_default=False)] = "",
    models: Annotated[str, typer.Option(help="Models by name, or all that are installed.", show_default=False)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    plot: PlotOption = None,
) -> None:
    """Measure forecasts on recorded traffic: every model is asked at the same moments, knowing nothing of later."""
    from forecasting import backtest as engine  # noqa: PLC0415  # only this command pays for the numerics
    from forecasting.scores import report  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    with _faults():
        _check_plot(plot)
        asked = _models(models)
        plan = engine.plan(
            _read(file, FileColumns(timestamp, value, zone)),
            every_s=_duration(every, "--every"),
            windows_s=tuple(sorted({_duration(part, "--horizons") for part in horizons.split(",")})),
            train_until_s=_date_s(train_until) if train_until else None,
        )
    answers = engine.run(plan, asked, _progress(screen, len(plan.origins)))
    found = report(plan, answers)
    screen.say(json.dumps(found, indent=2) if as_json else _scores_text(plan, found, screen))
    if plot:
        _draw_trade_off(plot, plan, answers, screen)


def forecast_file(  # noqa: PLR0913  # one argument a flag
    session: Session,
    path: Path,
    columns: FileColumns | None = None,
    *,
    horizon: str = "48h",
    quantiles: str = "0.1,0.5,0.9,0.99",
    plot: Path | None = None,
    output: Output = Output.TABLE,
) -> None:
    """Print the forecast of what follows a recorded series, and what it rests on."""
    from forecasting.forecaster import Forecaster  # noqa: PLC0415  # only this command pays for the numerics

    with _faults():
        _check_plot(plot)
        series = _read(path, columns or FileColumns())
        fitted = Forecaster(horizon_s=max(_duration(horizon, "--horizon"), PEAKS_S[-1])).fit(series)
        bins = max(1, _duration(horizon, "--horizon") // fitted.step_s)
        levels = _levels(quantiles)
    if output is Output.JSON:
        session.screen.say(json.dumps(document(path, series, fitted, bins, levels), indent=2))
    else:
        session.screen.say(forecast_text(path, fitted, bins, levels, session.screen))
    if plot:
        from forecasting.plotting import plot_forecast  # noqa: PLC0415  # only pictures pay for it

        plot_forecast(plot, series, fitted, bins, f"{path.name}: {fitted.basis}")
        session.screen.note(f"picture in {plot}")


@contextmanager
def _faults() -> Iterator[None]:
    """Turn what forecasting says of bad input into what the command line says of it."""
    from forecasting.peers import PeerMissing  # noqa: PLC0415  # likewise
    from forecasting.plotting import PlotMissing  # noqa: PLC0415  # likewise
    from forecasting.series import SeriesError  # noqa: PLC0415  # likewise

    try:
        yield
    except SeriesError as error:
        said = f"{error.column}: {error.message}" if error.column else error.message
        raise ConfigError(Fault("BadSeries", said, error.file, error.line, error.column, error.help)) from error
    except (PeerMissing, PlotMissing) as error:
        raise ConfigError(str(error), help="or leave it out") from error


def _read(path: Path, columns: FileColumns) -> "Series":
    from forecasting.reading import read_series  # noqa: PLC0415  # likewise

    return read_series(path, timestamp=columns.timestamp, value=columns.value, zone=columns.zone)


def _models(text: str) -> "dict[str, Model]":
    from forecasting.peers import NAMES, installed, model  # noqa: PLC0415  # likewise

    names = [name.strip() for name in text.split(",")] if text else installed()
    for name in names:
        if name not in NAMES:
            raise ConfigError(f'--models: no model "{name}"', help=f"one of {', '.join(NAMES)}")
    return {name: model(name) for name in names}


def _check_plot(plot: Path | None) -> None:
    if plot is not None:
        from forecasting.plotting import check_plotting  # noqa: PLC0415  # likewise

        check_plotting()


def _duration(text: str, flag: str) -> int:
    try:
        length = int(duration_s(text))
    except UnitError as error:
        raise ConfigError(f"{flag}: {error}", help=error.help) from error
    if length < 1:
        raise ConfigError(f"{flag}: {text} is no time at all", help="for instance 24h")
    return length


def _date_s(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f'--train-until: "{text}" is not a date', help="for instance 2012-06-01") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _levels(text: str) -> tuple[float, ...]:
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f'--quantiles: "{text}" is not a list of numbers', help="for instance 0.5,0.99") from error
    if not all(0 < level < 1 for level in levels):
        raise ConfigError("--quantiles: each lies between 0 and 1", help="for instance 0.5,0.99")
    return levels


def _progress(screen: Screen, origins: int) -> "Callable[[str, int], None]":
    """Return what tells of progress: ten lines a model."""
    began_s = time.monotonic()

    def seen(name: str, count: int) -> None:
        if count * _TENTHS // origins > (count - 1) * _TENTHS // origins:
            screen.note(f"{name}  {count} of {origins} origins · {seconds(round(time.monotonic() - began_s))}")

    return seen


def _scores_text(plan: "Plan", found: "dict[str, Any]", screen: Screen) -> str:
    """Return a sentence and a table, the seasonal naive's row being the measure where it was asked."""
    span = (plan.origins[-1] - plan.origins[0]) * plan.series.step_s / (24 * _HOUR_S)
    head = f"{span:.0f} days, {len(plan.origins)} origins · pinball loss of the peak in % of the peak, lower is better"
    first = next(iter(found["models"].values()))
    windows, judged = list(first["peak_wql"]), list(first["peak_coverage"])
    columns = [
        Column("MODEL"),
        *(Column(f"PEAK {w}", right=True, drop=3) for w in windows),
        *(Column(f"P99 HELD {w}", right=True) for w in judged),
        *(Column(f"OVER AT 5 % {w}", right=True, drop=2) for w in judged),
        Column("MASE 24h", right=True, drop=1),
        Column("CPU", right=True, drop=4),
    ]
    rows = tuple(_row(name, said, windows, judged) for name, said in found["models"].items())
    return f"{head}\n{render(Table(tuple(columns), rows), screen)}"


def _row(name: str, said: "dict[str, Any]", windows: list[str], judged: list[str]) -> "tuple[Cell | str, ...]":
    return (
        cell(name, "bold" if name == "headroom" else ""),
        *(f"{100 * said['peak_wql'][w]:.2f}" for w in windows),
        *(f"{100 * said['peak_coverage'][w]['0.99']:.1f} %" for w in judged),
        *(f"{100 * said['op5'][w]:.1f} %" for w in judged),
        f"{said['mase_24h']:.3f}",
        f"{1000 * said['cpu_s_per_origin']:.0f} ms",
    )


def _draw_trade_off(path: Path, plan: "Plan", answers: "dict[str, Answers]", screen: Screen) -> None:
    from forecasting.plotting import plot_trade_off  # noqa: PLC0415  # only pictures pay for it

    plot_trade_off(path, plan, answers)
    screen.note(f"picture in {path}")
