"""A series from a record of arrivals: a row for each, counted in bins."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series, SeriesError
from records.fault import Say, about, nobody, reading
from records.files import read_table
from records.form import Form
from records.times import ARRIVALS, seconds_of


def read_arrivals(  # noqa: PLR0913  # what a file does not say itself, all by name
    path: Path,
    step_s: int,
    *,
    timestamp: str = "timestamp",
    zone: str = "UTC",
    form: Form | None = None,
    say: Say = nobody,
) -> Series:
    """Return arrivals per second in each bin from the first to the last whole one; a bin without any is 0.

    Args:
        path: as `records.files` reads them, a row for each arrival, in any order.
        step_s: length of a bin, seconds.
        timestamp: column of the moments: dates and times, or numbers of seconds from any beginning.
        zone: IANA zone whose days the arrivals follow.
        form: what is known of how the file writes times.
        say: is told what was assumed or left out.

    Raises:
        SeriesError: the file cannot be read, with file, line and column, or spans less than two bins.
    """
    form = Form(zone=zone) if form is None else form
    say = about(path, say)
    with reading(path, SeriesError):
        times = read_table(path, [(timestamp,)], say).without_sums(timestamp, say).column(timestamp)
        if not times.cells:
            raise SeriesError("there are no rows below the header", help="a row for each arrival")
        seconds = seconds_of(times, form, ARRIVALS, say)
        return _counted(seconds, step_s, zone)


def _counted(seconds: NDArray[np.float64], step_s: int, zone: str) -> Series:
    first, last = -(-int(seconds.min()) // step_s), int(seconds.max()) // step_s
    if last - first < 2:  # noqa: PLR2004  # a series is more than one bin
        raise SeriesError(f"arrivals span less than two bins of {step_s} s", help="shorter bins")
    places = (seconds // step_s).astype(np.int64) - first
    counts = np.bincount(places[(places >= 0) & (places < last - first)], minlength=last - first)
    return Series(first * step_s, step_s, counts / step_s, zone)
