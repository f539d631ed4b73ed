"""Calendars of holidays that a configuration names."""

from datetime import date
from pathlib import Path

from forecasting.calendars import read_holidays
from forecasting.series import SeriesError
from scheduler.model.errors import ConfigError, Fault


def holidays_in(path: Path | None) -> frozenset[date]:
    """Return the days of a calendar file; none without a file.

    Raises:
        ConfigError: the file cannot be used; names file and line.
    """
    try:
        return read_holidays(path) if path else frozenset()
    except SeriesError as error:
        fault = Fault("BadCalendar", error.message, error.file, error.line, help=error.help)
        raise ConfigError(fault) from error
