"""Training jobs of recorded clusters, from files with columns timestamp, duration and num_gpus (as Philly's)."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scheduler.config.nouns import shape_of
from scheduler.config.scenario import JobTrace
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.workloads import Gang
from simulations.arrivals import Arrival, job_spec, work_of
from simulations.chance import chance

COLUMNS = ("timestamp", "duration", "num_gpus")


def from_trace(
    trace: JobTrace, priorities: Mapping[str, int], start_s: float, end_s: float, seed: int
) -> Iterator[Arrival]:
    """Yield the trace's jobs, moved so that `trace.first` plays at `start_s`, up to `end_s`.

    Raises:
        ConfigError: the file cannot be read or lacks a column.
    """
    rng = chance(seed, f"trace {trace.file.name}")
    jobs = _window(_read(trace.file), trace, end_s - start_s)
    stem = trace.file.name.partition(".")[0]
    for number, (offset_s, duration_s, gpus) in enumerate(jobs[rng.random(len(jobs)) < trace.share], start=1):
        work = work_of(trace, float(duration_s), rng)
        spec = job_spec(trace, f"{stem}-{number}", _gang(int(gpus), trace), priorities, work)
        yield Arrival(start_s + float(offset_s), spec, work)


def first_day(file: Path) -> str:
    """Return the day of a trace's first job, as "2017-09-04".

    Raises:
        ConfigError: as in `from_trace`.
    """
    return str(_read(file)["at"].min().date())


def _read(file: Path) -> pd.DataFrame:
    try:
        jobs = pd.read_csv(file)
        jobs["at"] = pd.to_datetime(jobs["timestamp"], utc=True)
        jobs = jobs[(jobs["duration"] > 0) & (jobs["num_gpus"] > 0)]
    except KeyError as column:
        help_ = f"needed: {', '.join(COLUMNS)}"
        raise ConfigError(Fault("BadTrace", f"has no column {column}", str(file), help=help_)) from column
    except (OSError, ValueError) as error:
        raise ConfigError(Fault("BadTrace", f"cannot be read: {error}", str(file))) from error
    return jobs


def _window(jobs: pd.DataFrame, trace: JobTrace, length_s: float) -> NDArray[np.float64]:
    """Return float64 (n, 3): seconds from the first moment, duration in seconds and devices, by time."""
    jobs = jobs[jobs["num_gpus"] <= trace.max_gpus]
    first = pd.Timestamp(trace.first) if trace.first else jobs["at"].min()
    offset_s = (jobs["at"] - first).dt.total_seconds()
    inside = jobs.assign(offset_s=offset_s)[(offset_s >= 0) & (offset_s < length_s)]
    in_order = inside.sort_values(["offset_s"], kind="stable")
    return in_order[["offset_s", "duration", "num_gpus"]].to_numpy(dtype=np.float64)


def _gang(gpus: int, trace: JobTrace) -> Gang:
    """Return a gang with `gpus` devices in equal workers as large as allowed."""
    per_worker = max(size for size in range(1, min(gpus, trace.gpus_per_worker) + 1) if gpus % size == 0)
    each = trace.per_gpu
    resources = each.model_copy(
        update={"gpus": float(per_worker), "cpus": each.cpus * per_worker, "memory": each.memory * per_worker}
    )
    return Gang(gpus // per_worker, shape_of(resources))
