"""Series from files: CSV, Parquet, and the JSON of the Wikimedia pageviews API."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from forecasting.series import LONGEST_STEP_S, SHORTEST_STEP_S, Series, SeriesError

if TYPE_CHECKING:
    import pandas as pd

_PAGEVIEWS_STAMP: Final = "%Y%m%d%H"
_HEADER_LINES: Final = 1


def read_series(
    path: Path, *, timestamp: str = "timestamp", value: str = "requests", zone: str = "UTC", per_bin: bool = True
) -> Series:
    """Return the series in a file; hours (or whatever the step is) absent from it are NaN.

    Args:
        path: `.csv` or `.parquet` (compressed or not), or `.json` as the pageviews API answers.
        timestamp: column with the start of each bin. Times without an offset are UTC.
        value: column with the values.
        zone: IANA zone whose days the traffic follows.
        per_bin: whether values are totals per bin, to be divided by its seconds; else they are rates.

    Raises:
        SeriesError: the file cannot be read, with file, line and column.
    """
    try:
        stamps, values = _columns(path, timestamp, value)
        return _regular(stamps, values, zone, per_bin=per_bin)
    except SeriesError as error:
        where = _line_of(path, error.line)
        raise SeriesError(error.message, file=str(path), line=where, column=error.column, help=error.help) from None


def _line_of(path: Path, row: int) -> int:
    """Return the line of a 1-based row; only text has lines."""
    return row + _HEADER_LINES if row and ".csv" in path.suffixes else 0


def _columns(path: Path, timestamp: str, value: str) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    if not path.is_file():
        raise SeriesError("there is no such file", help="check the path")
    if ".json" in path.suffixes:
        return _parsed(_pageviews(path), "timestamp", "views", _PAGEVIEWS_STAMP)
    return _parsed(read_table(path), timestamp, value, None)


def read_table(path: Path) -> "pd.DataFrame":
    """Return a CSV or Parquet file.

    Raises:
        SeriesError: it is neither.
    """
    import pandas as pd  # noqa: PLC0415  # takes half a second; only reading needs it

    try:
        return pd.read_parquet(path) if ".parquet" in path.suffixes else pd.read_csv(path, skip_blank_lines=False)
    except (OSError, ValueError, EOFError) as error:
        raise SeriesError(f"not readable as a table ({str(error).strip()})", help="CSV or Parquet") from None


def _pageviews(path: Path) -> "pd.DataFrame":
    import pandas as pd  # noqa: PLC0415  # see above

    try:
        answer: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SeriesError(f"not JSON ({error})", help="the answer of the pageviews API, as it came") from None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("items"), list):
        raise SeriesError(
            'no "items" in it', help='the answer of the pageviews API: {"items": [{"timestamp", "views"}]}'
        )
    return pd.DataFrame(answer["items"], dtype=object)


def _parsed(
    table: "pd.DataFrame", timestamp: str, value: str, stamp_format: str | None
) -> "tuple[pd.Series[Any], pd.Series[Any]]":
    import pandas as pd  # noqa: PLC0415  # see above

    for name in (timestamp, value):
        if name not in table.columns:
            there = ", ".join(str(c) for c in table.columns)
            raise SeriesError("there is no such column", column=name, help=f"columns are: {there}")
    try:
        stamps = pd.to_datetime(table[timestamp], utc=True, errors="coerce", format=stamp_format)
    except (ValueError, OverflowError):
        stamps = pd.Series(pd.NaT, index=table.index)
    values = pd.to_numeric(table[value], errors="coerce")
    refuse_first(stamps.isna(), table[timestamp], timestamp, "is not a time")
    refuse_first(values.isna() & table[value].notna(), table[value], value, "is not a number")
    refuse_first(np.isinf(values) | (values < 0), table[value], value, "is not a number of 0 or more")
    return stamps, values


def refuse_first(wrong: "pd.Series[bool]", column: "pd.Series[Any]", name: str, what: str) -> None:
    """Raise a SeriesError that names the first row that is `wrong`, if any is."""
    if wrong.any():
        row = int(np.asarray(wrong).argmax())
        raise SeriesError(f'"{column.iloc[row]}" {what}', line=row + 1, column=name, help="correct or remove the row")


def _regular(stamps: "pd.Series[Any]", values: "pd.Series[Any]", zone: str, *, per_bin: bool) -> Series:
    """Return the values laid on the regular grid that their times are on."""
    seconds = (stamps.astype("datetime64[ns, UTC]").astype("int64") // 10**9).to_numpy()
    order = np.argsort(seconds, kind="stable")
    ordered = seconds[order]
    step = _step(ordered)
    places = (ordered - ordered[0]) // step
    _refuse_off_grid(ordered, order, step)
    grid = np.full(int(places[-1]) + 1, np.nan)
    grid[places] = np.asarray(values, dtype=np.float64)[order] / (step if per_bin else 1)
    return Series(int(ordered[0]), step, grid, zone)


def _step(ordered: np.ndarray[Any, Any]) -> int:
    if len(ordered) < 2:  # noqa: PLR2004  # a step lies between two
        raise SeriesError(f"{len(ordered)} rows are too few to know the step", help="at least two bins")
    distances, counts = np.unique(np.diff(ordered), return_counts=True)
    step = int(distances[counts.argmax()])
    if not SHORTEST_STEP_S <= step <= LONGEST_STEP_S:
        raise SeriesError(f"the step is {step} s", help="1 minute to 1 day, each time once")
    return step


def _refuse_off_grid(ordered: np.ndarray[Any, Any], order: np.ndarray[Any, Any], step: int) -> None:
    off = (ordered - ordered[0]) % step != 0
    if off.any():
        row = int(order[off.argmax()]) + 1
        raise SeriesError(f"a time off the step of {step} s", line=row, help="bins must be equally long")
    again = np.flatnonzero(np.diff(ordered) == 0)
    if len(again):
        raise SeriesError("a time that was there before", line=int(order[again[0] + 1]) + 1, help="one row a bin")
