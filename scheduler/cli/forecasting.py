"""`headroom forecast` of a file or a Prometheus query: the numerics of forecasting on the command line.

`headroom forecast` calls `forecast_recorded` for either. Everything heavy is imported inside the functions.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from records.fault import Say, nobody
from records.form import UNSAID, Form
from scheduler.cli.documents import json_text
from scheduler.cli.flags import date_flag_s, levels_flag
from scheduler.cli.forecast_view import PEAKS_S, document, forecast_text
from scheduler.cli.output_files import check_plot
from scheduler.cli.session import Output, Session
from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError
from scheduler.recorded import input_faults

if TYPE_CHECKING:
    from forecasting.series import Series
    from scheduler.wire.forecasts import Forecast

TimestampOption = Annotated[str, typer.Option(metavar="COL", help="Column with the start of each bin.")]
ValueOption = Annotated[str, typer.Option(metavar="COL", help="Column with the requests of each bin.")]
ZoneOption = Annotated[str, typer.Option(metavar="NAME", help="Time zone whose days the traffic follows.")]
HolidaysOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Days that go towards Sundays: .ics, or a date a line.", show_default=False),
]
PlotOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw a picture: .png or .svg.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class FileColumns:
    """How to read a file of traffic.

    Attributes:
        timestamp, value: names of columns.
        zone: IANA name of the time zone.
        holidays: file of a calendar, see `forecasting.calendars`; None for none.
        arrivals_s: rows are single arrivals, to be counted in bins of so many seconds; None: rows are bins.
        form: what is known of how it writes times and numbers; its zone is not looked at.
        say: is told what was assumed of it.
    """

    timestamp: str = "timestamp"
    value: str = "requests"
    zone: str = "UTC"
    holidays: Path | None = None
    arrivals_s: int | None = None
    form: Form = UNSAID
    say: Say = nobody

    def days(self) -> "frozenset[date]":
        """Return the days of the calendar."""
        from forecasting.calendars import read_holidays  # noqa: PLC0415  # only files need it

        return read_holidays(self.holidays) if self.holidays else frozenset()


@dataclass(frozen=True, slots=True)
class PrometheusQuery:
    """Recorded traffic in a Prometheus server.

    Attributes:
        query: PromQL that yields one series in requests per second.
        url: of the server.
        step: width of a bin, as written.
        history: how far back to read, as written.
    """

    query: str
    url: str
    step: str = "1h"
    history: str = "42d"

    @property
    def name(self) -> str:
        """What pictures and tables are headed with."""
        return self.query

    def read(self, columns: FileColumns, until_s: float) -> "Series":
        """Return the closed bins up to a moment, epoch seconds.

        Raises:
            Unreachable: the server does not answer, refuses the query, or answers with several series.
            ConfigError: there is nothing in it.
        """
        from scheduler.telemetry.prometheus import PrometheusTraffic  # noqa: PLC0415  # only such sources need it

        step_s, history_s = duration(self.step, "--step"), duration(self.history, "--history")
        source = PrometheusTraffic(self.url, self.query, step_s=step_s, history_s=history_s, zone=columns.zone)
        series = source.read(until_s).series
        if not series.known.any():
            raise ConfigError(f"{self.query} has no values in the {self.history} before", help="a longer --history")
        return series


def forecast_recorded(  # noqa: PLR0913  # one argument a flag
    session: Session,
    source: Path | PrometheusQuery,
    columns: FileColumns,
    *,
    horizon: str,
    quantiles: str,
    since: str,
    plot: Path | None,
    output: Output,
) -> None:
    """Print the forecast of what follows a recorded series, and what it rests on."""
    from forecasting.forecaster import Forecaster  # noqa: PLC0415  # only this command pays for the numerics

    with faults():
        check_plot(plot)
        from_s = date_flag_s(since, "--from")
        reach_s = duration(horizon, "--horizon")
        now_s = time.time() if isinstance(source, PrometheusQuery) and from_s is None else from_s
        whole = _whole(source, columns, now_s, reach_s)
        series = whole if now_s is None else whole.until(now_s)
        forecaster = Forecaster(horizon_s=max(reach_s, PEAKS_S[-1]), holidays=columns.days())
        fitted = forecaster.fit(series)
        bins = max(1, reach_s // fitted.step_s)
        levels = levels_flag(quantiles, "--quantiles")
    if output is Output.JSON:
        session.screen.say(json_text(document(_origin(source), series, fitted, bins, levels)))
    else:
        session.screen.say(forecast_text(source.name, fitted, bins, levels, session.screen))
    if plot:
        from forecasting.plotting import plot_forecast  # noqa: PLC0415  # only pictures pay for it

        came = whole.between(fitted.start_s, fitted.start_s + bins * fitted.step_s) if since else None
        plot_forecast(plot, series, fitted, bins, f"{source.name}: {fitted.basis}", came)
        session.screen.note(f"picture in {plot}")


def _whole(source: Path | PrometheusQuery, columns: FileColumns, from_s: float | None, reach_s: int) -> "Series":
    """Return all of a file; of a server what was recorded before `from_s` and what came."""
    if isinstance(source, Path):
        return read(source, columns)
    now_s = time.time()
    return source.read(columns, now_s if from_s is None else min(now_s, from_s + reach_s))


def _origin(source: Path | PrometheusQuery) -> dict[str, str]:
    """Return where a series came from, for programs."""
    if isinstance(source, Path):
        return {"file": str(source)}
    return {"query": source.query, "prometheus": source.url}


@contextmanager
def faults() -> Iterator[None]:
    """Turn what forecasting says of bad input into what the command line says of it."""
    from forecasting.peers import PeerMissing  # noqa: PLC0415  # likewise

    try:
        with input_faults("BadSeries"):
            yield
    except PeerMissing as error:
        raise ConfigError(str(error), help="or leave it out") from error


def read(path: Path, columns: FileColumns) -> "Series":
    """Return the series in a file.

    Raises:
        ConfigError: it is a counter.
    """
    from forecasting.arrivals import read_arrivals  # noqa: PLC0415  # likewise
    from forecasting.reading import read_series  # noqa: PLC0415  # likewise
    from scheduler.telemetry.counters import counted, looks_counted  # noqa: PLC0415  # likewise

    form = replace(columns.form, zone=columns.zone)
    at, zone, say = columns.timestamp, columns.zone, columns.say
    if columns.arrivals_s is not None:
        return read_arrivals(path, columns.arrivals_s, timestamp=at, zone=zone, form=form, say=say)
    series = read_series(path, timestamp=at, value=columns.value, zone=zone, form=form, say=say)
    if looks_counted(series.values, series.step_s):
        raise ConfigError(counted(str(path), columns.value))
    return series


def draw_model(path: Path, seen: "Sequence[tuple[datetime, float]]", item: "Forecast") -> None:
    """Draw what was measured of a served model, and the bands to come."""
    import numpy as np  # noqa: PLC0415  # only pictures pay for it

    from forecasting.plotting import plot_bands  # noqa: PLC0415  # likewise

    def moments(times: "Iterable[datetime]") -> "np.ndarray[Any, Any]":
        return np.array([at.astimezone(UTC).replace(tzinfo=None) for at in times], dtype="datetime64[ms]")

    bands = np.array([(p.p10, p.p50, p.p90, p.p99) for p in item.points]).reshape(-1, 4).T
    past = moments(at for at, _ in seen), np.array([value for _, value in seen])
    plot_bands(path, past, moments(p.at for p in item.points), bands, f"{item.model}: {item.rests_on or item.basis}")


def duration(text: str, flag: str) -> int:
    """Return seconds, 1 or more, of what a flag says.

    Raises:
        ConfigError: it is not a length of time.
    """
    try:
        length = int(duration_s(text))
    except UnitError as error:
        raise ConfigError(f"{flag}: {error}", help=error.help) from error
    if length < 1:
        raise ConfigError(f"{flag}: {text} is no time at all", help="for instance 24h")
    return length
