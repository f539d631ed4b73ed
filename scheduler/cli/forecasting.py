"""`headroom forecast` of a file: the numerics of forecasting on the command line.

`headroom forecast` calls `forecast_file` when it is given a file. Everything heavy is imported inside the functions.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.flags import date_flag_s, levels_flag
from scheduler.cli.forecast_view import PEAKS_S, document, forecast_text
from scheduler.cli.session import Output, Session
from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError, Fault

if TYPE_CHECKING:
    from forecasting.series import Series
    from scheduler.wire.cluster import Forecast

TimestampOption = Annotated[str, typer.Option(metavar="COL", help="Column with the start of each bin.")]
ValueOption = Annotated[str, typer.Option(metavar="COL", help="Column with the requests of each bin.")]
ZoneOption = Annotated[str, typer.Option(metavar="NAME", help="Time zone whose days the traffic follows.")]
HolidaysOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Days that go like Sundays: .ics, or a date a line.", show_default=False),
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
    """

    timestamp: str = "timestamp"
    value: str = "requests"
    zone: str = "UTC"
    holidays: Path | None = None

    def days(self) -> "frozenset[date]":
        """Return the days of the calendar."""
        from forecasting.calendars import read_holidays  # noqa: PLC0415  # only files need it

        return read_holidays(self.holidays) if self.holidays else frozenset()


def forecast_file(  # noqa: PLR0913  # one argument a flag
    session: Session,
    path: Path,
    columns: FileColumns | None = None,
    *,
    horizon: str = "48h",
    quantiles: str = "0.1,0.5,0.9,0.99",
    since: str = "",
    plot: Path | None = None,
    output: Output = Output.TABLE,
) -> None:
    """Print the forecast of what follows a recorded series, and what it rests on."""
    from forecasting.forecaster import Forecaster  # noqa: PLC0415  # only this command pays for the numerics

    with faults():
        check_plot(plot)
        whole = read(path, columns or FileColumns())
        from_s = date_flag_s(since, "--from")
        series = whole if from_s is None else whole.until(from_s)
        reach_s = max(duration(horizon, "--horizon"), PEAKS_S[-1])
        fitted = Forecaster(horizon_s=reach_s, holidays=(columns or FileColumns()).days()).fit(series)
        bins = max(1, duration(horizon, "--horizon") // fitted.step_s)
        levels = levels_flag(quantiles, "--quantiles")
    if output is Output.JSON:
        session.screen.say(json.dumps(document(path, series, fitted, bins, levels), indent=2))
    else:
        session.screen.say(forecast_text(path, fitted, bins, levels, session.screen))
    if plot:
        from forecasting.plotting import plot_forecast  # noqa: PLC0415  # only pictures pay for it

        came = whole.between(fitted.start_s, fitted.start_s + bins * fitted.step_s) if since else None
        plot_forecast(plot, series, fitted, bins, f"{path.name}: {fitted.basis}", came)
        session.screen.note(f"picture in {plot}")


@contextmanager
def faults() -> Iterator[None]:
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


def read(path: Path, columns: FileColumns) -> "Series":
    """Return the series in a file."""
    from forecasting.reading import read_series  # noqa: PLC0415  # likewise

    return read_series(path, timestamp=columns.timestamp, value=columns.value, zone=columns.zone)


def draw_model(path: Path, seen: "Sequence[tuple[datetime, float]]", item: "Forecast") -> None:
    """Draw what was measured of a served model, and the bands to come."""
    import numpy as np  # noqa: PLC0415  # only pictures pay for it

    from forecasting.plotting import plot_bands  # noqa: PLC0415  # likewise

    def moments(times: "Iterable[datetime]") -> "np.ndarray[Any, Any]":
        return np.array([at.astimezone(UTC).replace(tzinfo=None) for at in times], dtype="datetime64[ms]")

    bands = np.array([(p.p10, p.p50, p.p90, p.p99) for p in item.points]).reshape(-1, 4).T
    past = moments(at for at, _ in seen), np.array([value for _, value in seen])
    plot_bands(path, past, moments(p.at for p in item.points), bands, f"{item.model}: {item.rests_on or item.basis}")


def check_plot(plot: Path | None) -> None:
    """Say before long work that there will be no picture."""
    if plot is not None:
        from forecasting.plotting import check_plotting  # noqa: PLC0415  # likewise

        check_plotting()


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
