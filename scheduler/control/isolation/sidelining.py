"""Jobs that break a step of the turn are left aside by name; they keep their room, and all others go on."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.records import JobRecord
from scheduler.model.errors import Superseded, Unreachable
from scheduler.model.observation import Observation, Run, RunState

T = TypeVar("T")


def without_culprits(
    jobs: Sequence[JobRecord],
    step: Callable[[Sequence[JobRecord]], T],
    try_out: Callable[[JobRecord], object],
    walls: Bulkheads,
) -> tuple[T, tuple[JobRecord, ...]]:
    """Take a step with all jobs that do not break it; return what came of it, and the jobs left aside.

    Args:
        jobs: all of them.
        step: with any number of jobs.
        try_out: the same step with one job, without effect.
        walls: remember who was left aside, and until when.

    Raises:
        Exception: what the step raised when none of the jobs breaks it by itself, or something does not answer.
    """
    troubled = {trouble.part for trouble in walls.troubles}
    cut_off = {part for part in troubled if walls.is_cut_off(part)}
    others = tuple(job for job in jobs if part_of(job) not in cut_off) if cut_off else tuple(jobs)
    try:
        done = step(others)
    except (Unreachable, Superseded):
        raise
    except Exception:
        others = tuple(job for job in others if not _breaks(job, try_out, walls))
        if len(others) + len(cut_off) >= len(jobs):
            raise
        done = step(others)
    for part in {part_of(job) for job in others} & troubled if troubled else ():
        walls.works(part)
    kept = frozenset(job.job_id for job in others)
    return done, tuple(job for job in jobs if job.job_id not in kept)


def part_of(job: JobRecord) -> Part:
    """Return a job as something that may fail."""
    return Part(f"job {job.job_id}", job.job_id, "left as it is while all others go on")


def runs_of(jobs: Iterable[JobRecord], seen: Observation) -> tuple[Run, ...]:
    """Return what jobs that are left aside run, as far as it holds room: as seen, else as it was decided."""
    shown = {(run.job_id, run.attempt): run for run in seen.runs}
    found = []
    for job in jobs:
        attempt = job.attempt
        if attempt is not None and attempt.is_open:
            begun_s = attempt.decided_at_s if attempt.started_at_s is None else attempt.started_at_s
            decided = Run(job.job_id, attempt.number, attempt.slots, RunState.RUNNING, begun_s)
            found.append(shown.get((job.job_id, attempt.number), decided))
    return tuple(run for run in found if run.state.holds_room)


def _breaks(job: JobRecord, try_out: Callable[[JobRecord], object], walls: Bulkheads) -> bool:
    try:
        try_out(job)
    except (Unreachable, Superseded):
        raise
    except Exception as error:  # noqa: BLE001  # it is the culprit, whatever it breaks
        walls.failed(part_of(job), error)
        return True
    return False
