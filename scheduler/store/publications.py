"""What jobs publish, in the database."""

from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Select, insert, select, update

from scheduler.control.model_records import Publication
from scheduler.model.jobspec import JobSpec
from scheduler.model.workloads import JobId, JobState
from scheduler.store.numbering import row_number
from scheduler.store.tables import jobs, publications

_PUBLICATION: Final = TypeAdapter(Publication)


def await_publication(connection: Connection, number: int, spec: JobSpec) -> None:
    """Note that a job publishes something when it succeeds, if it does."""
    if spec.publishes is not None:
        connection.execute(insert(publications).values(job_id=number, is_open=True, body=""))


def unpublished_jobs() -> Select[Any]:
    """Return the query of the jobs that succeeded and of which it is open what they publish."""
    joined = select(jobs).join(publications, publications.c.job_id == jobs.c.id)
    return joined.where(publications.c.is_open, jobs.c.state == JobState.SUCCEEDED.value).order_by(jobs.c.id)


def read_publication(connection: Connection, job_id: JobId) -> Publication | None:
    """Return what a job has published; None where there is nothing to be read."""
    if (number := row_number(job_id)) is None:
        return None
    body = connection.scalar(select(publications.c.body).where(publications.c.job_id == number))
    return _PUBLICATION.validate_json(body) if body else None


def write_publication(connection: Connection, publication: Publication) -> None:
    """Replace what is known of a publication."""
    here = publications.c.job_id == int(publication.job_id)
    body = _PUBLICATION.dump_json(publication).decode()
    connection.execute(update(publications).where(here).values(is_open=publication.is_open, body=body))
