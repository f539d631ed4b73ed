"""Calendars of holidays that a configuration names."""

from datetime import date
from pathlib import Path

from forecasting.calendars import read_holidays
from scheduler.recorded import input_faults


def holidays_in(path: Path | None) -> frozenset[date]:
    """Return the days of a calendar file; none without a file.

    Raises:
        ConfigError: the file cannot be used; names file and line.
    """
    with input_faults("BadCalendar"):
        return read_holidays(path) if path else frozenset()
