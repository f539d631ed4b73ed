"""Submissions by the keys that their senders chose, so that one that is sent again is the same job."""

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from scheduler.control.records import Once
from scheduler.store.tables import jobs, submissions


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
