"""Jobs in a recorded cluster's file: when they came, how long they ran, on what; and what is left out, by cause."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from records.bad_rows import Read, unreadable
from records.durations import durations_of
from records.fault import RecordError, Say
from records.files import read_table
from records.form import Form
from records.numbers import numbers_of
from records.table import Column, Table
from records.times import JOBS, seconds_of
from scheduler.config.scenario import JobTrace
from scheduler.config.units import format_duration
from simulations.trace_columns import TraceColumns, columns_of, layouts

_MILLI: Final = 1000
_PER_GPU: Final = {"gpu": 1, "percent": 100, "milli": _MILLI}
_PART_OF_ONE: Final = 1e-9
Numbers = NDArray[np.float64]


class RecordedJob(NamedTuple):
    """One job, see `RecordedJobs`."""

    at_s: float
    duration_s: float
    gpus: float
    workers: int
    requested_s: float
    user: str
    queue: str


@dataclass(frozen=True, slots=True, eq=False)
class RecordedJobs:
    """Jobs, column by column.

    Attributes:
        at_s: float64 (n,), when they were submitted: epoch seconds, or seconds from some beginning.
        duration_s: float64 (n,), more than 0 and finite.
        gpus: float64 (n,), whole devices, or a share below 1.
        workers: int64 (n,), into how many workers the file cuts them; 0 where it does not say.
        requested_s: float64 (n,), the longest time that was asked for; NaN where the file does not say.
        users, queues: (n,), "" where it does not say.
    """

    at_s: Numbers
    duration_s: Numbers
    gpus: Numbers
    workers: NDArray[np.int64]
    requested_s: Numbers
    users: NDArray[np.str_]
    queues: NDArray[np.str_]

    def rows(self, drawn: NDArray[np.bool_]) -> Iterator[RecordedJob]:
        """Yield some jobs."""
        columns = (getattr(self, each.name)[drawn].tolist() for each in fields(self))
        yield from map(RecordedJob._make, zip(*columns, strict=True))

    def only(self, places: NDArray[np.intp]) -> "RecordedJobs":
        """Return some of the jobs, in this order."""
        return RecordedJobs(*(getattr(self, each.name)[places] for each in fields(self)))

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
    table = read_table(trace.file, layouts(trace), say, skip_bad_rows=trace.skip_bad_rows)
    columns = columns_of(table, trace, say)
    table = table.without_sums(columns.time, say)
    if not table.rows:
        raise RecordError("there are no rows below the header", help="a row for each job")
    if trace.skip_bad_rows:
        table = _readable(table, columns, trace, say)
    jobs = RecordedJobs(
        at_s=seconds_of(table.column(columns.time), _form(trace), JOBS, say),
        duration_s=_durations(table, columns, trace, say),
        gpus=_gpus(table, columns, trace),
        workers=_workers(table, columns, trace),
        requested_s=_requested(table, columns, trace),
        users=_words(table, columns.user),
        queues=_words(table, columns.queue),
    )
    kept = jobs.only(_playable(jobs, trace, table.column(columns.time), say))
    _say_gangs(kept, trace, say)
    return _within(kept, trace, say)


def _form(trace: JobTrace) -> Form:
    """Return how times are written; local ones stay so where none is compared with one that is not in the file."""
    apart = not trace.first and trace.local_times is None
    return replace(trace.form, local_times=False) if apart else trace.form


def _readable(table: Table, columns: TraceColumns, trace: JobTrace, say: Say) -> Table:
    """Return the rows of which every cell that is looked at can be read; tell of the others."""
    times, numbers = partial(seconds_of, form=_form(trace), use=JOBS), partial(numbers_of, form=trace.form)
    durations = partial(durations_of, form=trace.form, unit=trace.duration_unit)
    readers: dict[str, Read] = {columns.time: times, columns.gpus: partial(_shares, trace=trace)}
    readers |= {columns.duration: durations} if columns.duration else {columns.begin: times, columns.end: times}
    readers |= {columns.requested: durations, columns.milli: numbers, columns.workers: numbers}
    bad: dict[int, str] = {}
    for name, read in readers.items():
        if name:
            column = table.column(name)
            bad |= {place: f"{name}: {what}" for place, what in unreadable(column, read).items() if place not in bad}
    if bad:
        first, many = min(bad), len(bad) > 1
        where = f"{table.column(columns.time).at(first)}: {bad[first]}{', …' if many else ''}"
        say(f"left out: {len(bad)} row{'s' if many else ''} that cannot be read ({where})")
    return table.only([place for place in range(len(table.rows)) if place not in bad])


def _requested(table: Table, columns: TraceColumns, trace: JobTrace) -> Numbers:
    if not columns.requested:
        return np.full(len(table.rows), np.nan)
    found = durations_of(table.column(columns.requested), trace.form, trace.duration_unit)
    return np.where(np.isfinite(found) & (found > 0), found, np.nan)


def _words(table: Table, name: str) -> NDArray[np.str_]:
    return np.array(table.column(name).cells if name else [""] * len(table.rows), dtype=np.str_)


def _within(jobs: RecordedJobs, trace: JobTrace, say: Say) -> RecordedJobs:
    """Return the jobs, none longer than allowed; tell how many were cut, and how many ran past what they asked for."""
    past = int((jobs.duration_s > jobs.requested_s).sum())
    if past:
        say(f"past the time asked for: {past} of {len(jobs.at_s)} jobs, let run for as long as they did")
    if trace.max_duration is None:
        return jobs
    cut = int((jobs.duration_s > trace.max_duration).sum())
    if cut:
        say(f"cut to {format_duration(trace.max_duration)} (max_duration): {cut} of {len(jobs.at_s)} jobs")
    return replace(jobs, duration_s=np.minimum(jobs.duration_s, trace.max_duration))


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
    if trace.units_per_gpu != 1:
        found = np.ceil(found / trace.units_per_gpu - _PART_OF_ONE)
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
