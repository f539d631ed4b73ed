"""Series from files: CSV, Parquet, and the JSON of the Wikimedia pageviews API."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.duplicates import Bins, each_once
from forecasting.grid import laid_out
from forecasting.series import Series, SeriesError
from records.clocks import never_comes
from records.fault import Say, about, nobody, reading
from records.files import read_table
from records.form import Form
from records.numbers import counts_of
from records.table import Column, Table
from records.times import seconds_of

_API: Final = ("timestamp", "views")
"""Columns of the pageviews API."""


def read_series(  # noqa: PLR0913  # what a file does not say itself, all by name
    path: Path,
    *,
    timestamp: str = "timestamp",
    value: str = "requests",
    zone: str = "UTC",
    per_bin: bool = True,
    form: Form | None = None,
    say: Say = nobody,
) -> Series:
    """Return the series in a file; hours (or whatever the step is) absent from it are NaN.

    Args:
        path: CSV, Parquet or JSON, compressed or not, as `records.files` reads them.
        timestamp: column with the start of each bin.
        value: column with the values; of an answer of the pageviews API its views.
        zone: IANA zone whose days the traffic follows.
        per_bin: whether values are totals per bin, to be divided by its seconds; else they are rates.
        form: what is known of how the file writes times and numbers; the rest is found out, or refused.
        say: is told what was assumed, left out or put in order.

    Raises:
        SeriesError: the file cannot be read, with file, line and column.
    """
    form = Form(zone=zone) if form is None else form
    say = about(path, say)
    with reading(path, SeriesError):
        table = read_table(path, [(timestamp, value)], say)
        if table.typed and not table.has(value) and all(map(table.has, _API)):
            timestamp, value = _API
            form = replace(form, local_times=False)
        table = table.without_sums(timestamp, say).without_gaps(timestamp, say)
        return _series(table, (timestamp, value), form, zone, say, per_bin=per_bin)


def _series(table: Table, named: tuple[str, str], form: Form, zone: str, say: Say, *, per_bin: bool) -> Series:  # noqa: PLR0913  # as `read_series`
    times, amounts = (table.column(name) for name in named)
    if not times.cells:
        raise SeriesError("there are no rows below the header", help="at least two bins")
    seconds = np.round(seconds_of(times, form, say=say)).astype(np.int64)
    values = counts_of(amounts, form)
    kept = each_once(Bins(table, times, amounts, seconds, values), form, say)
    order = kept[np.argsort(seconds[kept], kind="stable")]
    if not _is_in_order(seconds[kept]):
        say("rows are in no order of time: sorted")
    if form.local_times is None:
        _say_skipped(times, seconds[order], form.zone, say)
    start, step, grid = laid_out(seconds[order], values[order], times.only([int(i) for i in order]), say)
    if named == _API and len(order) < len(grid):
        said = f"{len(grid) - len(order)} of {len(grid)} bins are not in the answer"
        say(f"{said}, which leaves out those without views as well as those it lost: taken for missing")
    return Series(start, step, grid / (step if per_bin else 1), zone)


def _is_in_order(seconds: NDArray[np.int64]) -> bool:
    steps = np.diff(seconds)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _say_skipped(times: Column, ordered: NDArray[np.int64], zone: str, say: Say) -> None:
    """Tell when exactly the hour is missing over which clocks go forward: the times may be local ones."""
    if zone == "UTC" or len(ordered) < 2 or _has_offset(times.cells):  # noqa: PLR2004  # a gap lies between two
        return
    steps = np.diff(ordered)
    step = int(np.median(steps))
    for index in np.flatnonzero((steps > step) & (steps <= step + 7200)):
        if never_comes(float(ordered[index] + step), zone):
            say(f"the hour is missing that clocks of {zone} go over in spring: if times are local, --local-times")
            return


def _has_offset(cells: Sequence[str]) -> bool:
    return any(cell.endswith(("Z", "z", "UTC", "GMT")) or cell[-6:-5] in {"+", "-"} for cell in cells[:1])
