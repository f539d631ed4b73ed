"""Training jobs: submit, look at, change, and the packages they bring along."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from scheduler.api.access import Anybody, Caller, Submitter, may_change
from scheduler.api.answers import listing, single
from scheduler.api.bodies import received
from scheduler.api.paging import Place, in_chunks, page_of
from scheduler.api.presenting.etas import ahead_of, foretold
from scheduler.api.presenting.jobs import (
    NOTHING_AHEAD,
    Ahead,
    job_view,
    outlook_view,
    queue_of,
)
from scheduler.api.presenting.publications import with_published
from scheduler.api.site import Parts, PartsDep
from scheduler.config.job import parse_job
from scheduler.control.records import JobRecord
from scheduler.control.service import packages
from scheduler.model.errors import ConfigError, Fault, NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.workloads import JobId, JobState
from scheduler.wire.base import Listing, Single
from scheduler.wire.jobs import HoldOrder, Job, JobOrder, JobOutlook, PriorityOrder

router = APIRouter(prefix="/api/v1", tags=["jobs"])


@router.post("/jobs", status_code=201)
def submit(
    parts: PartsDep,
    caller: Submitter,
    order: Annotated[dict[str, object], Body()],
    idempotency_key: Annotated[str, Header(max_length=255, pattern=r"^[\x21-\x7e]*$")] = "",
) -> Single[Job]:
    """Accept a job: the content of job.yaml, or that under "job" with the digest of an uploaded package.

    It is stored when this answers. The same caller's same submission with the same key, within a day, is the same job.
    """
    digest = hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()
    spec = _spec(parts, caller, order)
    return _answer(parts, parts.service.submit(spec, by=caller.person, key=idempotency_key, digest=digest))


@router.post("/jobs/outlook")
def outlook(parts: PartsDep, caller: Submitter, order: Annotated[dict[str, object], Body()]) -> Single[JobOutlook]:
    """Check a job as submitting it would, and say what would become of it; nothing is accepted or changed."""
    spec = _spec(parts, caller, order)
    return single(parts, "JobOutlook", outlook_view(spec, parts.service.try_out(spec, by=caller.person)))


@router.get("/jobs")
def list_jobs(  # noqa: PLR0913  # one argument a part of the query
    parts: PartsDep,
    _: Anybody,
    *,
    state: str = "",
    queue: str = "",
    owner: str = "",
    all: bool = False,  # noqa: A002  # the word users see; FastAPI passes it by name
    limit: Annotated[int | None, Query(ge=1, le=1000, description="jobs in a page; all of them when left out")] = None,
    cursor: Annotated[str, Query(description="what the page before said under next")] = "",
) -> Listing[Job]:
    """Return jobs in the order of trying, then the others by submission; only open ones unless `all`.

    They are chosen by what the reader sees of them.
    """
    _check_filters(parts, state, queue)
    if limit is not None:
        wanted = {"state": state.lower(), "queue": queue, "owner": owner}
        found, following = page_of(*_sources(parts, wanted, everything=bool(all or state)), Place.of(cursor), limit)
        return listing(parts, "JobList", found, following)
    records = parts.service.jobs(open_only=not (all or state))
    now_s, waiting = parts.site.clock.now_s(), queue_of(parts.board.report)
    views = [parts.shown(foretold(parts, job_view(record, now_s, waiting))) for record in records]
    wanted = {"state": state.lower(), "queue": queue, "owner": owner}
    return listing(parts, "JobList", sorted((job for job in views if _matches(job, wanted)), key=_in_order))


@router.get("/jobs/{job_id}")
def describe(parts: PartsDep, _: Anybody, job_id: str) -> Single[Job]:
    """Return one job with its attempts, conditions and events, and when it may be expected to start."""
    return _answer(parts, parts.service.job(JobId(job_id)), ahead_of(parts, job_id))


@router.post("/jobs/{job_id}/stop")
def stop(parts: PartsDep, caller: Submitter, job_id: str) -> Single[Job]:
    """End a job for good; a running attempt gets its grace period."""
    may_change(caller, parts.service.job(JobId(job_id)).spec.owner)
    return _answer(parts, parts.service.stop(JobId(job_id), by=caller.person))


@router.post("/jobs/{job_id}/hold")
def hold(parts: PartsDep, caller: Submitter, job_id: str, order: HoldOrder | None = None) -> Single[Job]:
    """Let a job give up its room and wait until it is resumed."""
    may_change(caller, parts.service.job(JobId(job_id)).spec.owner)
    return _answer(parts, parts.service.hold(JobId(job_id), order.reason if order else "", by=caller.person))


@router.post("/jobs/{job_id}/resume")
def resume(parts: PartsDep, caller: Submitter, job_id: str) -> Single[Job]:
    """Let a held job run again."""
    may_change(caller, parts.service.job(JobId(job_id)).spec.owner)
    return _answer(parts, parts.service.resume(JobId(job_id), by=caller.person))


@router.put("/jobs/{job_id}/priority")
def set_priority(parts: PartsDep, caller: Submitter, job_id: str, order: PriorityOrder) -> Single[Job]:
    """Give a job another priority class."""
    may_change(caller, parts.service.job(JobId(job_id)).spec.owner)
    return _answer(parts, parts.service.set_priority(JobId(job_id), order.priority, by=caller.person))


@router.put("/packages/{digest}", status_code=204, max_body_size=packages.MOST_BYTES)
async def upload(parts: PartsDep, _: Submitter, digest: str, request: Request) -> Response:
    """Store a packed working directory under "sha256:" and its digest; storing it again changes nothing."""
    name = digest if digest.startswith("sha256:") else f"sha256:{digest}"
    async with received(request) as chunks:
        await run_in_threadpool(parts.service.packages.save, name, chunks)
    return Response(status_code=204)


def _sources(
    parts: Parts, wanted: Mapping[str, str], *, everything: bool
) -> tuple[list[Job], Callable[[int], Iterator[Job]]]:
    """Return the jobs that wait in order, and what yields the others that are wanted, from a number on."""
    now_s, queue = parts.site.clock.now_s(), queue_of(parts.board.report)
    opened = parts.service.jobs()
    views = [parts.shown(foretold(parts, job_view(record, now_s, queue))) for record in opened]
    ordered = [view for view in views if view.order is not None and _matches(view, wanted)]

    def others(after: int) -> Iterator[Job]:
        read = parts.service.jobs_after
        records = in_chunks(read, after) if everything else (job for job in opened if int(job.job_id) > after)
        for view in (parts.shown(foretold(parts, job_view(record, now_s, queue))) for record in records):
            if view.order is None and _matches(view, wanted):
                yield view

    return ordered, others


def _spec(parts: Parts, caller: Caller, body: Mapping[str, object]) -> JobSpec:
    asked = _order(body)
    return parse_job(
        asked.job,
        priorities=parts.site.priorities,
        queues=parts.site.queues,
        owner=caller.name,
        working_dir=asked.working_dir,
        max_grace_s=parts.site.longest_grace_s,
    )


def _order(body: Mapping[str, object]) -> JobOrder:
    """Read either form of a submission; "job" is no key of a job.yaml, so it tells them apart."""
    if "job" not in body:
        return JobOrder(job=dict(body))
    try:
        return JobOrder.model_validate(body)
    except ValueError as error:
        raise ConfigError("the submission is not an object with job and working_dir") from error


def _answer(parts: Parts, record: JobRecord, ahead: Ahead = NOTHING_AHEAD) -> Single[Job]:
    events, waiting = parts.service.events(subject=record.job_id), queue_of(parts.board.report)
    view = foretold(parts, job_view(record, parts.site.clock.now_s(), waiting, events, ahead))
    return single(parts, "Job", with_published(parts, record, view))


def _check_filters(parts: Parts, state: str, queue: str) -> None:
    """Refuse words that no job can have, for a list that is empty would be taken for an answer."""
    states = {each.value.lower(): each.value for each in JobState}
    if state and state.lower() not in states:
        raise ConfigError(
            Fault("UnknownState", f'unknown state "{state}"', field="state", help=_one_of(states.values()))
        )
    report = parts.board.report
    queues = {*parts.site.queues, *((each.name for each in report.cycle.snapshot.queues) if report else ())}
    if queue and queue not in queues:
        raise NotFound(f"no queue {queue}", help=_one_of(sorted(queues)))


def _one_of(names: Iterable[str]) -> str:
    return f"there are: {', '.join(names)}"


def _matches(job: Job, wanted: Mapping[str, str]) -> bool:
    found = {"state": job.state.lower(), "queue": job.queue, "owner": job.owner}
    return all(not value or found[name] == value for name, value in wanted.items())


def _in_order(job: Job) -> tuple[float, object, int]:
    return (math.inf if job.order is None else job.order, job.submitted_at, int(job.id))
