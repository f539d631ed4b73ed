"""Jobs in a recorded cluster's file: when they came, how long they ran, on what; and what is left out, by cause."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from records.durations import durations_of
from records.fault import RecordError, Say
from records.files import read_table
from records.numbers import numbers_of
from records.table import Column, Table
from records.times import JOBS, seconds_of
from scheduler.config.scenario import JobTrace
from simulations.trace_columns import TraceColumns, columns_of, layouts

_MILLI: Final = 1000
_PER_GPU: Final = {"gpu": 1, "percent": 100, "milli": _MILLI}
_PART_OF_ONE: Final = 1e-9
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RecordedJobs:
    """Jobs, column by column.

    Attributes:
        at_s: float64 (n,), when they were submitted: epoch seconds, or seconds from some beginning.
        duration_s: float64 (n,), more than 0 and finite.
        gpus: float64 (n,), whole devices, or a share below 1.
        workers: int64 (n,), into how many workers the file cuts them; 0 where it does not say.
    """

    at_s: Numbers
    duration_s: Numbers
    gpus: Numbers
    workers: NDArray[np.int64]

    def rows(self, drawn: NDArray[np.bool_]) -> Iterator[tuple[float, float, float, int]]:
        """Yield (at_s, duration_s, gpus, workers) of some jobs."""
        columns = (self.at_s, self.duration_s, self.gpus, self.workers)
        yield from zip(*(column[drawn].tolist() for column in columns), strict=True)

    def only(self, places: NDArray[np.intp]) -> "RecordedJobs":
        """Return some of the jobs, in this order."""
        return RecordedJobs(self.at_s[places], self.duration_s[places], self.gpus[places], self.workers[places])

    def moved(self, first_s: float) -> "RecordedJobs":
        """Return the same with times counted from a moment."""
        return replace(self, at_s=self.at_s - first_s)


def read_jobs(trace: JobTrace, say: Say) -> RecordedJobs:
    """Return the jobs of a trace that can be played, in the order of the file.

    Args:
        trace: names the file, and what is known of how it is written.
        say: is told what is assumed, and how many rows are left out for which cause.

    Raises:
        RecordError: a column is missing, a cell cannot be read (with its line), or no job can be played.
    """
    table = read_table(trace.file, layouts(trace), say)
    columns = columns_of(table, trace, say)
    table = table.without_sums(columns.time, say)
    form = trace.form
    if not trace.first and trace.local_times is None:  # then no time is compared with one that is not in the file
        form = replace(form, local_times=False)
    if not table.rows:
        raise RecordError("there are no rows below the header", help="a row for each job")
    jobs = RecordedJobs(
        at_s=seconds_of(table.column(columns.time), form, JOBS, say),
        duration_s=_durations(table, columns, trace, say),
        gpus=_gpus(table, columns, trace),
        workers=_workers(table, columns, trace),
    )
    kept = _playable(jobs, trace, table.column(columns.time), say)
    _say_gangs(jobs.only(kept), trace, say)
    return jobs.only(kept)


def _durations(table: Table, columns: TraceColumns, trace: JobTrace, say: Say) -> Numbers:
    if columns.duration:
        return durations_of(table.column(columns.duration), trace.form, trace.duration_unit, say)
    ends = seconds_of(table.column(columns.end), trace.form, JOBS)
    return ends - seconds_of(table.column(columns.begin), trace.form, JOBS)


def _gpus(table: Table, columns: TraceColumns, trace: JobTrace) -> Numbers:
    """Return devices of each job; NaN where the file has no number, as it is where it is no sensible one."""
    column = table.column(columns.gpus)
    found = _shares(column, trace)
    if columns.milli:
        milli = numbers_of(table.column(columns.milli), trace.form)
        found = np.where((found > 0) & (milli > 0), found * milli / _MILLI, found)
    if columns.workers:
        found = found * numbers_of(table.column(columns.workers), trace.form)
    return np.round(found, 6)


def _shares(column: Column, trace: JobTrace) -> Numbers:
    """Return numbers of devices; cells that end in % are hundredths of one."""
    percent = np.array([cell.endswith("%") for cell in column.cells], dtype=np.bool_)
    bare = Column(column.name, [cell.rstrip("% ") for cell in column.cells], column.lines, column.typed)
    unit = trace.gpu_unit or ("percent" if column.name.casefold() == "plan_gpu" else "gpu")
    return numbers_of(bare, trace.form) / np.where(percent, 100, _PER_GPU[unit])


def _workers(table: Table, columns: TraceColumns, trace: JobTrace) -> NDArray[np.int64]:
    """Return into how many workers the file cuts each job; shares of several devices are as many workers."""
    if columns.workers:
        found = numbers_of(table.column(columns.workers), trace.form)
    elif columns.milli:
        devices = numbers_of(table.column(columns.gpus), trace.form)
        found = np.where(numbers_of(table.column(columns.milli), trace.form) < _MILLI, devices, 0)
    else:
        found = np.zeros(len(table.rows))
    return np.clip(np.nan_to_num(found, posinf=0), 0, _MILLI).astype(np.int64)


def _playable(jobs: RecordedJobs, trace: JobTrace, column: Column, say: Say) -> NDArray[np.intp]:
    """Return the jobs that can be played; tell of the others by cause, each under the first that holds.

    Raises:
        RecordError: there is none.
    """
    per_worker = np.where(jobs.workers > 0, jobs.gpus / np.maximum(jobs.workers, 1), jobs.gpus)
    causes = {
        "without a time": np.isnan(jobs.at_s),
        "without a duration": np.isnan(jobs.duration_s),
        "without an end": jobs.duration_s == np.inf,
        "that end before they begin": jobs.duration_s < 0,
        "that last no time": jobs.duration_s == 0,
        "without a number of GPUs": ~np.isfinite(jobs.gpus),
        "with less than no GPU": jobs.gpus < 0,
        "without a GPU": jobs.gpus == 0,
        "with less than a thousandth of a GPU": per_worker * _MILLI < 1,
        "with whole GPUs and a part of one": (per_worker > 1) & (per_worker != np.floor(per_worker)),
        f"with more than {trace.max_gpus} GPUs (max_gpus)": jobs.gpus > trace.max_gpus,
    }
    left = np.ones(len(jobs.at_s), dtype=np.bool_)
    said = []
    for cause, holds in causes.items():
        now = np.flatnonzero(left & holds)
        left &= ~holds
        if len(now):
            said.append(f"{len(now)} {cause} ({column.at(int(now[0]))}{', …' if len(now) > 1 else ''})")
    listed = f"{int((~left).sum())} of {len(left)} rows: {', '.join(said)}"
    if not left.any():
        raise RecordError(f"no job can be played; left out: {listed}", help=_HELP)
    if said:
        say(f"left out: {listed}")
    return np.flatnonzero(left)


def _say_gangs(jobs: RecordedJobs, trace: JobTrace, say: Say) -> None:
    large = int((jobs.gpus / np.maximum(jobs.workers, 1) > trace.gpus_per_worker).sum())
    if large:
        each = f"more than {trace.gpus_per_worker} GPUs are gangs of equal workers"
        say(f"{large} job{'s' if large > 1 else ''} of {each} (gpus_per_worker)")


_HELP: Final = (
    "gpu_unit: percent or milli where GPUs are counted so; max_gpus for larger jobs; duration_unit; docs/files.md"
)
