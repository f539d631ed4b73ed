"""`headroom forecast`: what the traffic of a model, a file or a Prometheus query will be, or would have been."""

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from records.files import ENDINGS
from records.form import Form
from scheduler.cli.errors import warn
from scheduler.cli.file_flags import DecimalOption, LocalTimesOption, ThousandsOption, TimeFormatOption
from scheduler.cli.flags import duration_flag, levels_flag
from scheduler.cli.output_files import check_plot
from scheduler.cli.pools import pool_table, pool_text
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import moment, number, seconds, zone_name
from scheduler.model.errors import ConfigError, HeadroomError
from scheduler.recorded import input_faults
from scheduler.wire.base import Single
from scheduler.wire.forecasts import Forecast, Peak
from scheduler.wire.serving import Capacity, PoolList

_BARS: Final = "▁▂▃▄▅▆▇█"
_USUAL_QUANTILES: Final = "0.1,0.5,0.9,0.99"
_HOLIDAYS_HELP: Final = "a traffic source has a key holidays: headroom explain cluster traffic"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be shown of a model.

    Attributes:
        horizon_s: how far ahead, seconds.
        quantiles: levels, as written.
        plot: file of a picture; None for none.
    """

    horizon_s: float
    quantiles: str = _USUAL_QUANTILES
    plot: Path | None = None

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels.

        Raises:
            ConfigError: they are none.
        """
        return levels_flag(self.quantiles, "--quantiles")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the quantiles on the wire."""
        return tuple(f"p{100 * level:g}" for level in self.levels)


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of models for the shell; nothing when nobody answers quickly."""
    from scheduler.client import Client  # noqa: PLC0415  # only completion of this argument pays for it

    try:
        with Client(Session.of(context).url or None, timeout_s=1.0) as client:
            return [model.name for model in client.models().items if model.name.startswith(incomplete)]
    except HeadroomError:
        return []


def forecast(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL | FILE | QUERY",
            help="A served model, a file of recorded traffic, or, with --prometheus, a query.",
            autocompletion=complete_model,
            show_default=False,
        ),
    ] = "",
    *,
    pool: Annotated[bool, typer.Option("--pool", help="Models on one kind of device together.")] = False,
    horizon: Annotated[str, typer.Option(help="How far ahead.")] = "48h",
    quantiles: Annotated[str, typer.Option(help="Quantiles to show.")] = _USUAL_QUANTILES,
    timestamp: Annotated[str, typer.Option(metavar="COL", help="The file's column of times.")] = "timestamp",
    value: Annotated[str, typer.Option(metavar="COL", help="The file's column of requests per bin.")] = "requests",
    prometheus: Annotated[
        str, typer.Option(metavar="URL", help="Ask this Prometheus server for the query.", show_default=False)
    ] = "",
    step: Annotated[str, typer.Option(help="With --prometheus: width of a bin.")] = "1h",
    history: Annotated[str, typer.Option(help="With --prometheus: how far back to read.")] = "42d",
    zone: Annotated[str, typer.Option(metavar="NAME", help="Time zone whose days recorded traffic follows.")] = "UTC",
    since: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="DATE",
            help="Forecast recorded traffic from then, and draw what came.",
            show_default=False,
        ),
    ] = "",
    holidays: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Days that go towards Sundays: .ics, or a date a line.", show_default=False),
    ] = None,
    time_format: TimeFormatOption = "",
    local_times: LocalTimesOption = None,
    decimal: DecimalOption = "",
    thousands: ThousandsOption = "",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw a picture: .png or .svg.", show_default=False)
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the forecast of a model's traffic, or of recorded traffic; -o wide lists every step."""
    session = Session.of(context)
    if pool or not model:
        if plot:
            raise ConfigError("--plot draws one model or file", help="headroom forecast MODEL --plot FILE")
        _show_pools(session, model, pool=pool, output=output)
    elif prometheus or model.endswith(ENDINGS):
        from scheduler.cli.forecasting import (  # noqa: PLC0415  # only recorded traffic needs them
            FileColumns,
            PrometheusQuery,
            forecast_recorded,
        )

        source = PrometheusQuery(model, prometheus, step, history) if prometheus else Path(model)
        with input_faults("BadFlag"):
            form = Form(time_format, local_times, zone, decimal, thousands)
        columns = FileColumns(timestamp, value, zone, holidays, form=form, say=partial(warn, screen=session.screen))
        wanted = {"horizon": horizon, "quantiles": quantiles, "since": since}
        forecast_recorded(session, source, columns, **wanted, plot=plot, output=output)
    else:
        if holidays or since:
            raise ConfigError("--holidays and --from are for recorded traffic", help=_HOLIDAYS_HELP)
        _show_model(session, model, _Wanted(duration_flag(horizon, "--horizon"), quantiles, plot), output)


def _show_pools(session: Session, model: str, *, pool: bool, output: Output) -> None:
    """Show the joint peaks of the models on each kind of device."""
    if model or not pool:
        raise ConfigError("say one thing: a model, a file, or --pool", help="headroom forecast --pool")
    found = session.client.get("/capacity", Single[Capacity], until=1)
    pools = tuple(one for one in found.item.pools if one.peaks)
    if output is Output.TABLE:
        session.screen.say((pool_text(found, session.screen) or "no forecast yet") + "\n")
    listed = Single[PoolList](
        kind="PoolList", observed_at=found.observed_at, cycle=found.cycle, item=PoolList(pools=pools)
    )
    session.show(output, listed, lambda: pool_table(found))


def _show_model(session: Session, model: str, wanted: _Wanted, output: Output) -> None:
    asked, hours = ",".join(map(str, wanted.levels)), wanted.horizon_s / 3600
    check_plot(wanted.plot)
    found = session.client.get(f"/forecast/{quote(model, safe='')}", Single[Forecast], quantiles=asked, until=hours)
    end = found.observed_at + timedelta(seconds=wanted.horizon_s)
    near = tuple(point for point in found.item.points if point.at <= end)
    found = found.model_copy(update={"item": found.item.model_copy(update={"points": near})})
    if output is Output.TABLE:
        session.screen.say(_summary(found.item, found.observed_at, wanted.names, session.screen))
    else:
        session.show(output, found, lambda: forecast_table(found, wanted.names, session.screen))
    if wanted.plot:
        _draw(session, wanted.plot, found)


def _draw(session: Session, path: Path, found: Single[Forecast]) -> None:
    """Draw what was measured of a model and the bands to come."""
    from scheduler.cli.forecasting import draw_model  # noqa: PLC0415  # only pictures need it

    before = session.client.get("/capacity", Single[Capacity], model=found.item.model, until=48)
    seen = [(point.at, point.actual) for point in before.item.points if point.actual is not None]
    draw_model(path, seen, found.item)
    session.screen.note(f"picture in {path}")


def forecast_table(found: Single[Forecast], names: tuple[str, ...], screen: Screen) -> Table:
    """Return one row a step, with these quantiles."""
    columns = (
        Column(f"AT ({zone_name(found.observed_at, screen)})"),
        *(Column(name.upper(), right=True) for name in names),
    )
    rows = tuple(
        (moment(point.at, found.observed_at, screen), *(number(getattr(point, name, None)) for name in names))
        for point in found.item.points
    )
    return Table(columns, rows, tuple(point.at.isoformat() for point in found.item.points))


def _summary(item: Forecast, now: datetime, names: tuple[str, ...], screen: Screen) -> str:
    head = f"{screen.paint(item.model, 'bold')} · requests/s · {item.basis}, {seconds(item.history_s)} of history"
    age = "not heard yet" if item.source_age_s is None else f"{seconds(item.source_age_s)} old"
    source = f"source {item.source}, {age}"
    if not item.points:
        return f"{head}\nno forecast yet\n{source}"
    width = max(min(screen.width - len("p99 "), len(item.points)), 1) if screen.is_terminal else len(item.points)
    line = _sparkline([point.p99 for point in item.points], width)
    peaks = [f"peak {_peak(peak, now, names, screen)}" for peak in item.peaks]
    rests = [item.rests_on] if item.rests_on else []
    rests += [f"lately: {item.record.says}"] if item.record is not None else []
    return "\n".join([head, f"p99 {screen.paint(line, 'blue')}", *peaks, *rests, source])


def _peak(peak: Peak, now: datetime, names: tuple[str, ...], screen: Screen) -> str:
    """Return one window: its p99, when, and the quantiles asked for beside it."""
    others = [name for name in names if name not in {"p10", "p90", "p99"} and hasattr(peak, name)]
    beside = ", ".join(f"{name} {number(getattr(peak, name))}" for name in others or ["p50"])
    said = f"next {seconds(peak.window_s)}: {number(peak.p99)} {moment(peak.at, now, screen)} ({beside})"
    if peak.at_p10 is None or peak.at_p90 is None or peak.at_p10 == peak.at_p90:
        return said
    return f"{said}, likely {moment(peak.at_p10, now, screen)} – {moment(peak.at_p90, now, screen)}"


def _sparkline(values: list[float], width: int) -> str:
    """Return one sign for each of `width` stretches of equal length: the highest value in it."""
    edges = [round(position * len(values) / width) for position in range(width + 1)]
    tops = [max(values[first:last]) for first, last in itertools.pairwise(edges)]
    top = max(tops) or 1.0
    return "".join(_BARS[min(int(max(value, 0.0) / top * len(_BARS)), len(_BARS) - 1)] for value in tops)
