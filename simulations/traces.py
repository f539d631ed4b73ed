"""Training jobs of recorded clusters, from files in their own columns (Philly, openb, Helios, PAI and alike)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from records.fault import Say, about, nobody, reading
from scheduler.config.nouns import shape_of
from scheduler.config.scenario import JobTrace
from scheduler.config.units import format_duration
from scheduler.model.workloads import Gang
from scheduler.recorded import input_faults
from simulations.arrivals import Arrival, job_spec, work_of
from simulations.chance import chance
from simulations.estimates import Words
from simulations.recorded_jobs import RecordedJobs, read_jobs


def from_trace(  # noqa: PLR0913  # like `from_stream`, and who is told
    trace: JobTrace, priorities: Mapping[str, int], start_s: float, end_s: float, *, seed: int, say: Say = nobody
) -> Iterator[Arrival]:
    """Yield the trace's jobs, moved so that `trace.first` plays at `start_s`, up to `end_s`.

    Raises:
        ConfigError: the file cannot be read, lacks a column, or no job in it can be played.
    """
    rng = chance(seed, f"trace {trace.file.name}")
    jobs = _window(_read(trace, say), trace, end_s - start_s, about(trace.file, say))
    stem = trace.file.name.partition(".")[0]
    drawn = rng.random(len(jobs.at_s)) < trace.share
    words = Words(trace, seed, f"trace {trace.file.name}")
    for number, job in enumerate(jobs.rows(drawn), start=1):
        owner, work = trace.owner or job.user, work_of(trace, job.duration_s, rng)
        said_s = words.said_s(work, owner, job.requested_s)
        spec = job_spec(trace, f"{stem}-{number}", _gang(job.gpus, job.workers, trace), priorities, said_s)
        yield Arrival(start_s + job.at_s, replace(spec, owner=owner, queue=job.queue or trace.queue), work)


def first_day(trace: JobTrace, say: Say = nobody) -> str:
    """Return the day of a trace's first job, as "2017-09-04".

    Raises:
        ConfigError: as in `from_trace`.
    """
    return str(datetime.fromtimestamp(float(_read(trace, say).at_s.min()), UTC).date())


def _read(trace: JobTrace, say: Say) -> RecordedJobs:
    with input_faults("BadTrace"), reading(trace.file):
        return read_jobs(trace, about(trace.file, say))


def _window(jobs: RecordedJobs, trace: JobTrace, length_s: float, say: Say) -> RecordedJobs:
    """Return the jobs within a window by time, their times counted from its beginning."""
    first_s = datetime.fromisoformat(trace.first).timestamp() if trace.first else float(jobs.at_s.min())
    offset_s = jobs.at_s - first_s
    inside: NDArray[np.bool_] = (offset_s >= 0) & (offset_s < length_s)
    outside = int((~inside).sum())
    if outside:
        say(f"{outside} of its {len(inside)} jobs come before or after the {format_duration(length_s)} that are played")
    order = np.argsort(offset_s[inside], kind="stable")
    return jobs.moved(first_s).only(np.flatnonzero(inside)[order])


def _gang(gpus: float, workers: int, trace: JobTrace) -> Gang:
    """Return a gang of so many workers, or one with `gpus` devices in equal workers as large as allowed."""
    per_worker = gpus / max(workers, 1)
    if per_worker >= 1 and (not workers or per_worker > trace.gpus_per_worker):
        per_worker = _divided(round(gpus), trace.gpus_per_worker)
    workers = round(gpus / per_worker)
    each = trace.per_gpu
    needs = {"gpus": float(per_worker), "cpus": each.cpus * per_worker, "memory": round(each.memory * per_worker)}
    return Gang(workers, shape_of(each.model_copy(update=needs)))


def _divided(gpus: int, most: int) -> int:
    return max(size for size in range(1, min(gpus, most) + 1) if gpus % size == 0)
