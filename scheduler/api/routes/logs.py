"""The output of a job, followed across preemptions."""

import time
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from scheduler.api.access import Viewer
from scheduler.api.answers import NOT_AS_TEXT
from scheduler.api.formatting import clock
from scheduler.api.presenting.times import moment
from scheduler.api.site import Logs, Parts, PartsDep
from scheduler.control.records import AttemptRecord, JobRecord
from scheduler.model.errors import NotFound, Unreachable
from scheduler.model.workloads import JobId
from scheduler.store.numbering import HIGHEST

router = APIRouter(prefix="/api/v1", tags=["jobs"])
POLL_S = 1.0
"""Wall seconds between looks for the next attempt."""


@router.get("/jobs/{job_id}/logs", response_class=StreamingResponse, responses=NOT_AS_TEXT)
def logs(  # noqa: PLR0913  # one argument a part of the query
    parts: PartsDep,
    caller: Viewer,
    job_id: str,
    *,
    attempt: Annotated[int | None, Query(ge=1, le=HIGHEST, description="the latest when left out")] = None,
    follow: bool = False,
    tail: Annotated[
        int | None, Query(ge=0, le=HIGHEST, description="only the last lines; all of them when left out")
    ] = None,
) -> StreamingResponse:
    """Return lines of text, for the job's owner, its queue and operators.

    Those of the attempt asked for, or of the latest; with `follow` of all that come after it.
    """
    job = parts.service.printed_by(JobId(job_id), by=caller.person)
    if parts.logs is None:
        raise Unreachable("no logs are kept here")
    chosen = _chosen(job, attempt)
    if chosen is None and not follow:
        raise NotFound(f"job {job_id} has not started yet", help="add --follow to wait for it")
    if attempt is not None or not follow:
        lines = parts.logs(job.job_id, chosen.number if chosen else 1, follow=follow, tail=tail)
    else:
        lines = _followed(parts, parts.logs, job, chosen.number if chosen else 1, tail)
    return StreamingResponse(_encoded(lines), media_type="text/plain; charset=utf-8")


def _chosen(job: JobRecord, number: int | None) -> AttemptRecord | None:
    """Return the attempt asked for, the latest one without a number, or None before the first.

    Raises:
        NotFound: there is no attempt of that number.
    """
    if number is None:
        return job.attempt
    found = next((attempt for attempt in job.attempts if attempt.number == number), None)
    if found is None:
        raise NotFound(f"job {job.job_id} has no attempt {number}", help=f"it has {len(job.attempts)}")
    return found


def _followed(parts: Parts, logs: Logs, job: JobRecord, number: int, tail: int | None) -> Iterator[str]:
    """Yield attempt after attempt, and between them a line that says what happened."""
    while True:
        job = _with_attempt(parts, job, number)
        if len(job.attempts) < number:
            return
        yield from logs(job.job_id, number, follow=True, tail=tail)
        job = _with_attempt_over(parts, job, number)
        yield _said_of(job.attempts[number - 1], moment_s=parts.site.clock.now_s())
        number, tail = number + 1, None


def _with_attempt(parts: Parts, job: JobRecord, number: int) -> JobRecord:
    """Wait until an attempt was begun, or never will be."""
    while len(job.attempts) < number and not job.state.is_final:
        time.sleep(POLL_S)
        job = parts.service.job(job.job_id)
    return job


def _with_attempt_over(parts: Parts, job: JobRecord, number: int) -> JobRecord:
    """Wait until the store knows how an attempt ended; its log ends a moment earlier."""
    job = parts.service.job(job.job_id)
    while job.attempts[number - 1].ended_at_s is None and not job.state.is_final:
        time.sleep(POLL_S)
        job = parts.service.job(job.job_id)
    return job


def _said_of(attempt: AttemptRecord, moment_s: float) -> str:
    outcome = (attempt.outcome.value or "ended").lower()
    at = clock(moment(attempt.ended_at_s or moment_s), moment(moment_s))
    saved = f", checkpoint {attempt.checkpoint_step}" if attempt.checkpoint_step is not None else ""
    cause = f" ({attempt.cause})" if attempt.cause else ""
    return f"── attempt {attempt.number} {outcome} {at}{saved}{cause} ──"


def _encoded(lines: Iterator[str]) -> Iterator[bytes]:
    for line in lines:
        yield f"{line}\n".encode()
