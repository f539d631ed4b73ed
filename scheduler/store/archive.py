"""What is over and old in a store: found a few rows at a time, and dropped in short transactions of its own."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from scheduler.control.upkeep.retention import Ended
from scheduler.model.workloads import JobId, JobState
from scheduler.store.engine import reading, writing
from scheduler.store.numbering import row_number
from scheduler.store.tables import attempts, events, jobs, publications, submissions

FINAL: Final = [state.value for state in JobState if state.is_final]
OPEN: Final = [state.value for state in JobState if not state.is_final]
_ENDED_AT: Final[ColumnElement[float]] = func.coalesce(jobs.c.finished_at_s, jobs.c.submitted_at_s)


class SqlArchive:
    """`scheduler.control.upkeep.retention.Archive` on SQLite or PostgreSQL.

    Args:
        engine: the store's; its fence holds for what is dropped.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def ended(self, before_s: float, after: int, limit: int) -> tuple[Ended, ...]:
        """Return at most `limit` jobs that ended before an epoch second, with numbers above `after`, by number."""
        query = select(jobs.c.id, _ENDED_AT.label("at_s")).where(jobs.c.id > after, *_over(before_s))
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(jobs.c.id).limit(limit)).all()
            tried = _numbers(connection, [row.id for row in rows])
        return tuple(Ended(JobId(str(row.id)), row.at_s, tuple(tried[row.id])) for row in rows)

    def drop_jobs(self, job_ids: Sequence[JobId], before_s: float, now_s: float) -> int:
        """Drop those of these jobs that ended before an epoch second, with their attempts; return how many.

        The job with the highest number stays: by it a store is seen to have all it had, and numbers go on from there.
        """
        if not job_ids:
            return 0
        known = select(submissions.c.job_id).where(submissions.c.until_s >= now_s)
        newest = select(func.max(jobs.c.id)).scalar_subquery()
        asked = jobs.c.id.in_([int(job_id) for job_id in job_ids])
        query = select(jobs.c.id).where(asked, *_over(before_s), jobs.c.id != newest, jobs.c.id.not_in(known))
        with writing(self._engine) as connection:
            gone = connection.scalars(query).all()
            connection.execute(delete(attempts).where(attempts.c.job_id.in_(gone)))
            left = publications.c.job_id.in_(gone) & publications.c.is_open
            connection.execute(delete(publications).where(left))
            connection.execute(delete(jobs).where(jobs.c.id.in_(gone)))
        return len(gone)

    def drop_events(self, before_s: float, after: int, limit: int) -> tuple[int, int]:
        """Look at most at `limit` events with ids above `after`; drop those from before an epoch second.

        Those of open jobs stay.

        Returns:
            How many were dropped, and the id to go on after; 0 when nothing older is left.
        """
        seen = select(events.c.id, events.c.at_s, events.c.subject).where(events.c.id > after)
        with reading(self._engine) as connection:
            rows = connection.execute(seen.order_by(events.c.id).limit(limit)).all()
            old = [row for row in rows if row.at_s < before_s]
            kept = _open_among(connection, {row.subject for row in old})
        gone = [row.id for row in old if row.subject not in kept]
        if gone:
            with writing(self._engine) as connection:
                connection.execute(delete(events).where(events.c.id.in_(gone)))
        goes_on = len(rows) == limit and rows[-1].at_s < before_s
        return len(gone), rows[-1].id if goes_on else 0

    def is_named(self, text: str, since_s: float | None = None) -> bool:
        """Whether a job that is open (or ended at an epoch second or later) has a text anywhere in what it asks for."""
        needed: ColumnElement[bool] = jobs.c.state.in_(OPEN)
        if since_s is not None:
            needed = needed | (since_s <= _ENDED_AT)
        query = select(jobs.c.id).where(needed, jobs.c.spec.contains(text, autoescape=True)).limit(1)
        with reading(self._engine) as connection:
            return connection.scalar(query) is not None


def _over(before_s: float) -> tuple[ColumnElement[bool], ...]:
    return jobs.c.state.in_(FINAL), before_s > _ENDED_AT


def _numbers(connection: Connection, keys: Sequence[int]) -> dict[int, list[int]]:
    """Return the numbers of the attempts of some jobs."""
    found: dict[int, list[int]] = {key: [] for key in keys}
    query = select(attempts.c.job_id, attempts.c.number).where(attempts.c.job_id.in_(keys))
    for job_id, number in connection.execute(query.order_by(attempts.c.job_id, attempts.c.number)):
        found[job_id].append(number)
    return found


def _open_among(connection: Connection, subjects: set[Any]) -> set[str]:
    """Return which subjects of events are open jobs."""
    keys = [number for subject in subjects if (number := row_number(subject)) is not None]
    query = select(jobs.c.id).where(jobs.c.id.in_(keys), jobs.c.state.in_(OPEN))
    return {str(key) for key in connection.scalars(query)}
