"""Recorded traffic as a source: at each moment it knows what had been measured by then, and nothing from later."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.reading import read_series
from forecasting.series import Series
from records.fault import Say, nobody
from records.form import Form
from scheduler.control.ports import Traffic
from scheduler.model.errors import ConfigError
from scheduler.recorded import input_faults
from scheduler.telemetry.calendars import holidays_in
from scheduler.telemetry.counters import counted, looks_counted


class RecordedFile(Protocol):
    """A file of traffic as a configuration describes it; the fields are those of `ReplayTraffic.from_file`."""

    @property
    def file(self) -> Path:
        """Where it is."""

    @property
    def timestamp(self) -> str:
        """Its column of times."""

    @property
    def value(self) -> str:
        """Its column of requests."""

    @property
    def zone(self) -> str:
        """Whose days it follows."""

    @property
    def scale(self) -> float:
        """What its rates are multiplied by."""

    @property
    def holidays(self) -> Path | None:
        """A calendar, or none."""

    @property
    def form(self) -> Form:
        """How it writes times and numbers."""


class ReplayTraffic:
    """A series played on the world's clock; a load generator that follows `rate_at` makes it come true."""

    def __init__(self, series: Series, holidays: frozenset[date] = frozenset()) -> None:
        """Play a series of requests per second that has at least one value.

        Raises:
            ConfigError: it has none.
        """
        known = np.flatnonzero(series.known)
        if not len(known):
            raise ConfigError("recorded traffic without a single value", help="check the column")
        self.series, self.holidays = series, holidays
        self._centres = series.start_s + (known + 0.5) * series.step_s
        self._rates = series.values[known]

    @classmethod
    def described(cls, recorded: RecordedFile, say: Say = nobody) -> Self:
        """Read the file that a configuration describes; see `from_file`."""
        return cls.from_file(
            recorded.file,
            timestamp=recorded.timestamp,
            value=recorded.value,
            zone=recorded.zone,
            scale=recorded.scale,
            holidays=holidays_in(recorded.holidays),
            form=recorded.form,
            say=say,
        )

    @classmethod
    def from_file(  # noqa: PLR0913  # the fields of the configuration, all by name
        cls,
        path: Path,
        *,
        timestamp: str = "timestamp",
        value: str = "requests",
        zone: str = "UTC",
        scale: float = 1.0,
        shift_s: int = 0,
        holidays: frozenset[date] = frozenset(),
        form: Form | None = None,
        say: Say = nobody,
    ) -> Self:
        """Read a CSV or Parquet file with requests per bin.

        Args:
            path: the file.
            timestamp: column with the start of each bin.
            value: column with the requests in it.
            zone: IANA zone whose days the traffic follows.
            scale: requests per second are multiplied by it.
            shift_s: added to all times; whole days, where there are holidays.
            holidays: local dates on which the traffic goes like on a Sunday.
            form: what is known of how the file writes times and numbers.
            say: is told what was assumed, left out or put in order.

        Raises:
            ConfigError: the file cannot be used; names file, line and column.
        """
        with input_faults("BadTraffic"):
            series = read_series(path, timestamp=timestamp, value=value, zone=zone, form=form, say=say)
        if looks_counted(series.values, series.step_s):
            raise ConfigError(counted(str(path), value))
        moved = frozenset(day + timedelta(seconds=shift_s) for day in holidays)
        return cls(replace(series, start_s=series.start_s + shift_s, values=series.values * scale), moved)

    def read(self, now_s: float) -> Traffic:
        """Return the bins that have ended, and the rate of this moment (NaN before the first and after the last)."""
        inside = self.series.start_s <= now_s < self.series.end_s
        latest_at_s = min(now_s, self.series.end_s)
        return Traffic(self.series.until(now_s), self.rate_at(now_s) if inside else np.nan, latest_at_s, self.holidays)

    def rate_at(self, at_s: float) -> float:
        """Return requests per second at a moment: straight lines between the centres of known bins, level outside."""
        return float(self.rates_at(np.array(at_s)))

    def rates_at(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the same for many moments, in their shape."""
        return np.asarray(np.interp(at_s, self._centres, self._rates))
