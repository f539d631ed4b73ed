"""Jobs and their attempts as rows of the database."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, delete, insert, select, update

from scheduler.control.records import AttemptRecord, DesiredState, JobRecord
from scheduler.model.errors import NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.workloads import JobId, JobState
from scheduler.store.tables import attempts, jobs

_SPEC = TypeAdapter(JobSpec)
_ATTEMPT = TypeAdapter(AttemptRecord)


def job_values(job: JobRecord) -> dict[str, Any]:
    """Return a job as the values of its row."""
    return {
        "spec": _SPEC.dump_json(job.spec).decode(),
        "state": job.state.value,
        "desired": job.desired.value,
        "submitted_at_s": job.submitted_at_s,
        "finished_at_s": job.finished_at_s,
        "hold_reason": job.hold_reason,
        "not_before_s": job.not_before_s,
    }


def save_job(connection: Connection, job: JobRecord) -> None:
    """Replace a job with its attempts.

    Raises:
        NotFound: there is none.
    """
    key = int(job.job_id)
    if not connection.execute(update(jobs).where(jobs.c.id == key).values(**job_values(job))).rowcount:
        raise NotFound(f"no job {job.job_id}")
    connection.execute(delete(attempts).where(attempts.c.job_id == key))
    rows = [_attempt_values(key, attempt) for attempt in job.attempts]
    if rows:
        connection.execute(insert(attempts), rows)


def _attempt_values(key: int, attempt: AttemptRecord) -> dict[str, Any]:
    return {
        "job_id": key,
        "number": attempt.number,
        "outcome": attempt.outcome.value,
        "stop_cause": attempt.stop_cause or "",
        "saved": attempt.checkpoint_step is not None,
        "lost_gpu_s": attempt.lost_gpu_s,
        "body": _ATTEMPT.dump_json(attempt).decode(),
    }


def with_attempts(connection: Connection, rows: Sequence[Row[Any]]) -> list[JobRecord]:
    """Return the jobs of rows, with their attempts."""
    found: dict[int, list[AttemptRecord]] = {row.id: [] for row in rows}
    for keys in chunks(list(found)):
        query = select(attempts).where(attempts.c.job_id.in_(keys)).order_by(attempts.c.job_id, attempts.c.number)
        for row in connection.execute(query):
            found[row.job_id].append(_ATTEMPT.validate_json(row.body))
    return [_job(row, found[row.id]) for row in rows]


def chunks(keys: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Yield keys in groups that every database takes as parameters of one query."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def _job(row: Row[Any], tried: Iterable[AttemptRecord]) -> JobRecord:
    return JobRecord(
        JobId(str(row.id)),
        _SPEC.validate_json(row.spec),
        JobState(row.state),
        DesiredState(row.desired),
        row.submitted_at_s,
        row.finished_at_s,
        row.hold_reason,
        row.not_before_s,
        tuple(tried),
    )
