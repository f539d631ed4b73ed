"""Jobs by keys that their senders chose, or by what the cluster calls them: sent or seen again, they are the same."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from scheduler.control.records import Once
from scheduler.model.errors import Conflict
from scheduler.model.jobspec import JobSpec
from scheduler.store.tables import jobs, origins, submissions


def earlier_job(connection: Connection, once: Once) -> Row[Any] | None:
    """Return the row of the job that a submission was accepted as; None when it was not, or was forgotten.

    Raises:
        Conflict: its key was used for something else.
    """
    which = (submissions.c.owner == once.owner) & (submissions.c.key == once.key)
    found = connection.execute(select(submissions).where(which)).one_or_none()
    if found is None:
        return None
    if found.digest != once.digest:
        raise once.used_for(found.job_id)
    return connection.execute(select(jobs).where(jobs.c.id == found.job_id)).one_or_none()


def remember(connection: Connection, once: Once | None, number: int, now_s: float) -> None:
    """Write down which job a submission became, if it has a key, and forget those that are old."""
    connection.execute(delete(submissions).where(submissions.c.until_s < now_s))
    if once is None:
        return
    connection.execute(delete(submissions).where((submissions.c.owner == once.owner) & (submissions.c.key == once.key)))
    row = {"owner": once.owner, "key": once.key, "digest": once.digest, "job_id": number, "until_s": once.until_s}
    connection.execute(insert(submissions).values(**row))


def of_origin(connection: Connection, spec: JobSpec) -> Row[Any] | None:
    """Return the row of the job that was accepted for what the cluster calls it; None when none was.

    Raises:
        Conflict: it was, and is no longer kept.
    """
    if not spec.origin:
        return None
    number = connection.scalar(select(origins.c.job_id).where(origins.c.origin == spec.origin))
    if number is None:
        return None
    found = connection.execute(select(jobs).where(jobs.c.id == number)).one_or_none()
    if found is None:
        raise Conflict(f"{spec.origin} was job {number}, which is no longer kept", help="give it to the cluster anew")
    return found


def remember_origin(connection: Connection, spec: JobSpec, number: int) -> None:
    """Write down which job was accepted for what the cluster calls it."""
    if spec.origin:
        connection.execute(insert(origins).values(origin=spec.origin, job_id=number))
