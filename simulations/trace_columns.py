"""Which columns of a trace say when a job came, how long it ran and on what; by the names that sites use."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from records.fault import RecordError, Say
from records.swf import PROCESSORS
from records.table import Table
from scheduler.config.scenario import JobTrace

OWN: Final = ("timestamp", "duration", "num_gpus")
TIMES: Final = ("timestamp", "submit_time", "submitted_at", "creation_time", "created_at", "arrival_time", "start_time")
_UNITS: Final = ("", "_s", "_sec", "_seconds", "_ms", "_us", "_ns", "_min", "_minutes", "_h", "_hours")
DURATIONS: Final = tuple(name + unit for name in ("duration", "run_time", "runtime", "elapsed") for unit in _UNITS)
BEGINS: Final = ("scheduled_time", "start_time", "started_at")
ENDS: Final = ("deletion_time", "end_time", "finish_time", "finished_at", "ended_at")
GPUS: Final = ("num_gpus", "num_gpu", "gpu_num", "gpus", "plan_gpu")
USERS: Final = ("user", "user_id", "username", "owner", "uid")
QUEUES: Final = ("queue", "queue_name", "cluster", "vc", "virtual_cluster", "partition")
REQUESTED: Final = ("requested_time", "time_limit", "timelimit", "walltime", "wallclock_limit")
NONE: Final = "none"
"""Said in place of a column that is not to be used."""
_MILLI: Final = "gpu_milli"
_INSTANCES: Final = "inst_num"
_HELP: Final = "needed: timestamp, duration, num_gpus; others by timestamp:, duration: and gpus: (docs/files.md)"
_HEADLESS: Final = (
    "write the names of the columns into the first line; of PAI 2020's tasks:"
    " job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type"
)


@dataclass(frozen=True, slots=True)
class TraceColumns:
    """Names of columns, "" where there is none.

    Attributes:
        time: when a job was submitted.
        gpus: its devices, of each worker where `workers` says how many there are.
        duration: how long it ran; else `begin` and `end`.
        begin, end: when it ran.
        milli: thousandths of each device that it holds.
        workers: how many.
        user, queue: whose it was, and where it waited.
        requested: how long it was let run at most.
    """

    time: str
    gpus: str
    duration: str = ""
    begin: str = ""
    end: str = ""
    milli: str = ""
    workers: str = ""
    user: str = ""
    queue: str = ""
    requested: str = ""


def layouts(trace: JobTrace) -> Sequence[Sequence[str]]:
    """Return the sets of columns that will do, so that a header can be told from what stands above it."""
    times, gpus = _choices(trace.timestamp, TIMES), _choices(trace.gpus, _gpus_of(trace))
    return list(itertools.product(times, gpus, _choices(trace.duration, (*DURATIONS, *ENDS))))


def columns_of(table: Table, trace: JobTrace, say: Say) -> TraceColumns:
    """Return the columns of a table; tell which were taken where they are not the usual ones.

    Raises:
        RecordError: one is missing.
    """
    found = TraceColumns(
        time=_one_of(table, _choices(trace.timestamp, TIMES)),
        gpus=_gpu_column(table, trace),
        duration=next(_there(table, _choices(trace.duration, DURATIONS)), ""),
        end=next(_there(table, ENDS), ""),
        milli=next(_there(table, (_MILLI,)), ""),
        workers=next(_there(table, (_INSTANCES,)), ""),
        user=_wanted(table, trace.user, () if trace.owner else USERS),
        queue=_wanted(table, trace.queue_column, () if "queue" in trace.model_fields_set else QUEUES),
        requested=_wanted(table, trace.requested_time, () if trace.says_runtime else REQUESTED),
    )
    if not found.duration and (trace.duration or not found.end):
        raise _missing(table, _choices(trace.duration, DURATIONS))
    begin = next((name for name in _there(table, BEGINS)), found.time)
    found = replace(found, begin=begin)
    if (found.time, found.duration, found.gpus) != OWN or found.user or found.queue or found.requested:
        say(f"columns: {_told(found)}")
    return found


def _told(found: TraceColumns) -> str:
    lasts = f"duration {found.duration}" if found.duration else f"duration {found.end} less {found.begin}"
    times = "".join(f" × {name}" for name in (found.milli and "gpu_milli / 1000", found.workers) if name)
    named = {"owner": found.user, "queue": found.queue, "requested time": found.requested}
    others = "".join(f", {what} {column}" for what, column in named.items() if column)
    return f"time {found.time}, {lasts}, GPUs {found.gpus}{times}{others}"


def _gpus_of(trace: JobTrace) -> Sequence[str]:
    """Return where devices stand; in processors only where it is said how many of them make a device."""
    return GPUS if trace.units_per_gpu == 1 else (*GPUS, PROCESSORS)


def _gpu_column(table: Table, trace: JobTrace) -> str:
    names = _choices(trace.gpus, _gpus_of(trace))
    found = next(_there(table, names), "")
    if not found and table.has(PROCESSORS):
        said = "there are processors and no GPUs in Standard Workload Format"
        raise RecordError(said, help="units_per_gpu: how many processors count as a GPU; or gpus: processors")
    return found or _one_of(table, names)


def _wanted(table: Table, said: str, usual: Sequence[str]) -> str:
    """Return a column that need not be there, unless it is said by name."""
    if said == NONE:
        return ""
    return _one_of(table, (said,)) if said else next(_there(table, usual), "")


def _choices(said: str, usual: Sequence[str]) -> Sequence[str]:
    return (said,) if said else usual


def _there(table: Table, names: Sequence[str]) -> Iterator[str]:
    return (name for name in names if table.has(name))


def _one_of(table: Table, names: Sequence[str]) -> str:
    found = next(_there(table, names), "")
    if not found:
        raise _missing(table, names)
    return found


def _missing(table: Table, names: Sequence[str]) -> RecordError:
    if table.headless:
        said = f'there is no header: the first line is "{table.title[:80]}"'
        return RecordError(said, help=_HEADLESS)
    listed = ", ".join(table.names)[:300]
    return RecordError("there is no such column", column=names[0], help=f"columns are: {listed}; {_HELP}")
