"""The control plane itself: status, events, metrics, health, its store as a file, and its configuration read again."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask

from scheduler.api.access import Anybody, Operator, Viewer
from scheduler.api.answers import NOT_AS_TEXT, listing, single
from scheduler.api.freshness import standing_of
from scheduler.api.paging import newest
from scheduler.api.presenting.jobs import event_view
from scheduler.api.presenting.times import moment
from scheduler.api.site import PartsDep
from scheduler.model.errors import Conflict, NotFound
from scheduler.store.numbering import HIGHEST
from scheduler.wire.base import BACKUP_TYPE, Listing, Single
from scheduler.wire.control import Status
from scheduler.wire.jobs import Event
from scheduler.wire.reload import Change, Reloaded, ReloadOrder

router = APIRouter(tags=["control"])
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/api/v1/status")
async def status(parts: PartsDep, caller: Anybody) -> Single[Status]:
    """Return whether the loop does its work, how fast the clock goes, and the caller's role."""
    report, standing, site = parts.board.report, standing_of(parts), parts.site
    view = Status(
        version=site.release,
        cluster=site.cluster,
        backend=site.backend,
        state=standing.state,
        message=standing.message,
        waiting=str(parts.board.unheard),
        period_s=site.period_s,
        speed=site.speed,
        last_plan_at=moment(report.cycle.at_s) if report else None,
        last_plan_age_s=parts.board.plan_age_s,
        plan_duration_s=report.cycle.plan_duration_s if report else 0.0,
        role=caller.role.name.lower(),
        caller=caller.name,
        strays=len(report.observation.strays) if report else 0,
        leader=leader.address if parts.leader and (leader := parts.leader()) else "",
    )
    return single(parts, "Status", view)


@router.get("/api/v1/events")
def events(  # one argument a part of the query
    parts: PartsDep,
    _: Viewer,
    *,
    after: Annotated[int, Query(ge=0, le=HIGHEST, description="an event's id")] = 0,
    subject: str = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="events in a page")] = 100,
    cursor: Annotated[int, Query(ge=0, le=HIGHEST, description="what the page before said under next")] = 0,
) -> Listing[Event]:
    """Return the newest events with an id above `after`, oldest first; with a cursor those before a page."""
    found = parts.service.events(after_id=after, before_id=cursor, subject=subject, limit=limit + 1)
    kept, following = newest(found, limit)
    return listing(parts, "EventList", map(event_view, kept), following)


@router.get("/api/v1/backup", response_class=FileResponse, responses=NOT_AS_TEXT)
def backup(parts: PartsDep, _: Operator) -> FileResponse:
    """Return one consistent state of the store as a file that `headroom restore` reads."""
    if parts.backup is None:
        raise NotFound("there is no store to back up here")
    folder = TemporaryDirectory(prefix="headroom-backup-")
    file = Path(folder.name) / "headroom.backup"
    try:
        parts.backup(file)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(file, media_type=BACKUP_TYPE, background=BackgroundTask(folder.cleanup))


@router.post("/api/v1/reload")
def reload(parts: PartsDep, caller: Operator, order: ReloadOrder | None = None) -> Single[Reloaded]:
    """Read the file of the control plane again; all of it counts from the next turn on, or nothing is changed."""
    if parts.reload is None:
        raise Conflict("this control plane was not started from a file", help="start it anew to change it")
    dry_run = order is not None and order.dry_run
    found = parts.reload(caller.person, dry_run=dry_run)
    changes = tuple(Change(kind=one.kind, what=one.what, details=one.details) for one in found)
    return single(parts, "Reload", Reloaded(applied=bool(found) and not dry_run, changes=changes))


@router.get("/metrics", response_class=Response, responses=NOT_AS_TEXT)
def metrics(parts: PartsDep, _: Anybody) -> Response:
    """Return the metrics in Prometheus' text format."""
    if parts.metrics is None:
        raise NotFound("no metrics are kept here")
    return Response(parts.metrics(), media_type=METRICS_TYPE)


@router.get("/healthz", response_class=PlainTextResponse, responses=NOT_AS_TEXT)
async def healthz() -> str:
    """Answer as long as the process does, whatever it waits for; whether plans are made is in /readyz."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, responses=NOT_AS_TEXT)
async def readyz(parts: PartsDep) -> PlainTextResponse:
    """Answer 200 while plans are made, else 503 and why not; asks nobody but the memory of this process."""
    standing = standing_of(parts)
    if standing.is_live:
        return PlainTextResponse("ready\n")
    return PlainTextResponse(f"{standing.state}: {parts.told(standing.message) or 'no plan yet'}\n", 503)
