"""A series from a record of arrivals: a row for each, counted in bins."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from forecasting.reading import read_table, refuse_first
from forecasting.series import Series, SeriesError

if TYPE_CHECKING:
    import pandas as pd

_HEADER_LINES: Final = 1


def read_arrivals(path: Path, step_s: int, *, timestamp: str = "timestamp", zone: str = "UTC") -> Series:
    """Return arrivals per second in each bin from the first to the last whole one; a bin without any is 0.

    Args:
        path: `.csv` or `.parquet`, compressed or not, a row for each arrival, in any order.
        step_s: length of a bin, seconds.
        timestamp: column of the moments: dates and times (UTC without an offset), or numbers of seconds.
        zone: IANA zone whose days the arrivals follow.

    Raises:
        SeriesError: the file cannot be read, with file, line and column, or spans less than two bins.
    """
    try:
        seconds = _seconds(_column(path, timestamp), timestamp)
    except SeriesError as error:
        line = error.line + _HEADER_LINES if error.line and ".csv" in path.suffixes else 0
        raise SeriesError(error.message, file=str(path), line=line, column=error.column, help=error.help) from None
    first, last = -(-int(seconds.min()) // step_s), int(seconds.max()) // step_s
    if last - first < 2:  # noqa: PLR2004  # a series is more than one bin
        raise SeriesError(f"arrivals span less than two bins of {step_s} s", file=str(path), help="shorter bins")
    places = (seconds // step_s).astype(np.int64) - first
    counts = np.bincount(places[(places >= 0) & (places < last - first)], minlength=last - first)
    return Series(first * step_s, step_s, counts / step_s, zone)


def _column(path: Path, timestamp: str) -> "pd.Series[Any]":
    if not path.is_file():
        raise SeriesError("there is no such file", help="check the path")
    table = read_table(path)
    if timestamp not in table.columns:
        there = ", ".join(str(column) for column in table.columns)
        raise SeriesError("there is no such column", column=timestamp, help=f"columns are: {there}")
    if not len(table):
        raise SeriesError("there are no rows", help="a row for each arrival")
    return table[timestamp]


def _seconds(stamps: "pd.Series[Any]", name: str) -> "np.ndarray[Any, Any]":
    """Return (n,) float64 seconds since the epoch."""
    import pandas as pd  # noqa: PLC0415  # takes half a second; only reading needs it

    if pd.api.types.is_numeric_dtype(stamps):
        refuse_first(~np.isfinite(stamps), stamps, name, "is not a time")
        return stamps.to_numpy(dtype=np.float64)
    moments = pd.to_datetime(stamps, utc=True, errors="coerce", format="ISO8601")
    refuse_first(moments.isna(), stamps, name, "is not a time")
    return moments.astype("datetime64[ns, UTC]").astype("int64").to_numpy() / 1e9
