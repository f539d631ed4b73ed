"""The dashboard, its chart, and the pages it links to."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from scheduler.api import chart as drawing
from scheduler.api.access import COOKIE, Anybody, Viewer
from scheduler.api.freshness import age_s, patience_s
from scheduler.api.palette import ThemeName
from scheduler.api.panels import PanelsDep, fresh
from scheduler.api.picture import RANGES, Picture, RangeName, picture_of
from scheduler.api.presenting.etas import ahead_of, foretold
from scheduler.api.presenting.jobs import event_view, job_view, queue_of
from scheduler.api.presenting.publications import with_published
from scheduler.api.presenting.times import moment
from scheduler.api.rendering import render
from scheduler.api.site import Parts, PartsDep
from scheduler.control.records import EventRecord
from scheduler.model.errors import Unreachable
from scheduler.model.workloads import JobId

router = APIRouter(include_in_schema=False)
BOKEH: Final = f"/static/bokeh-{drawing.LIBRARY_VERSION}/bokeh.min.js"
RangeQuery = Annotated[RangeName, "hours ahead"]


@router.get("/")
def dashboard(parts: PartsDep, panels: PanelsDep, _: Anybody, range: RangeQuery = "48h", model: str = "") -> Response:  # noqa: A002  # as in the URL
    """Return the whole page; it needs no script to be read."""
    stamp, latest = panels.latest()
    known = model if any(one.name == model for one in latest.view.models) else ""
    picture = picture_of(parts, range, known)
    return _page(
        "page.html",
        view=latest.view,
        panels={**latest.html, "fresh": fresh(parts, latest.view)},
        title=latest.title,
        stamp=stamp,
        age_s=age_s(parts),
        patience_s=patience_s(parts.site),
        range=range,
        ranges_offered=tuple(RANGES),
        model=known,
        bokeh=BOKEH,
        unit=picture.capacity.unit if picture else "GPUs",
        chart_text=picture.text if picture else "No demand is known yet.",
        chart_table=Markup(_table(picture)),  # noqa: S704  # escaped by its template
    )


@router.get("/page/chart")
def whole_chart(
    parts: PartsDep,
    _: Anybody,
    *,
    range: RangeQuery = "48h",  # noqa: A002  # as in the URL
    model: str = "",
    theme: ThemeName = "light",
    narrow: bool = False,
) -> dict[str, Any]:
    """Return the chart to draw; empty before the first cycle."""
    picture = picture_of(parts, range, model)
    if picture is None:
        return {}
    item = drawing.chart_document(picture.chart, theme, narrow=narrow)
    return {"item": item, "version": picture.version, "text": picture.text, "unit": picture.capacity.unit}


@router.get("/page/chart/data")
def chart_data(parts: PartsDep, _: Anybody, range: RangeQuery = "48h", model: str = "") -> dict[str, Any]:  # noqa: A002
    """Return the chart's numbers, to replace those that are drawn."""
    picture = picture_of(parts, range, model)
    if picture is None:
        return {}
    chart = picture.chart
    return {
        "tables": chart.tables,
        "axes": chart.axes,
        "end": chart.end,
        "version": picture.version,
        "text": picture.text,
    }


@router.get("/page/chart/table")
def chart_table(parts: PartsDep, _: Anybody, range: RangeQuery = "48h", model: str = "") -> HTMLResponse:  # noqa: A002
    """Return the chart as a table."""
    return HTMLResponse(_table(picture_of(parts, range, model)))


@router.get("/jobs/{job_id}")
def job_page(parts: PartsDep, _: Anybody, job_id: str) -> Response:
    """Return everything about one job."""
    record, now_s = parts.service.job(JobId(job_id)), parts.site.clock.now_s()
    report = parts.board.report
    view = job_view(record, now_s, queue_of(report), ahead=ahead_of(parts, job_id))
    job = parts.shown(with_published(parts, record, foretold(parts, view)))
    events, now = () if parts.is_public else _events_of(parts, job_id), moment(now_s)
    told = _told(events, now, is_unread=events is None) | {"is_public": parts.is_public}
    return _page("job.html", job=job, site=parts.site, now=now, view=told)


@router.get("/events")
def events_page(parts: PartsDep, _: Viewer) -> Response:
    """Return the newest events."""
    events, now = parts.recent.all_events(), moment(parts.site.clock.now_s())
    told = _told(events, now, is_unread=not parts.recent.all_events.was_answered)
    return _page("events_page.html", site=parts.site, view=told)


@router.get("/login")
def login_form(parts: PartsDep, request: Request) -> Response:
    """Ask for a token, in place of one that is known no longer."""
    answer = _login_page(parts)
    if not parts.guard.knows(request.cookies.get(COOKIE, "")) and COOKIE in request.cookies:
        answer.delete_cookie(COOKIE)
    return answer


@router.post("/login")
async def login(parts: PartsDep, request: Request) -> Response:
    """Keep a known token in a cookie that only this page's own requests carry, and that is good for reading only."""
    token = parse_qs((await request.body()).decode(errors="replace")).get("token", [""])[0]
    if not parts.guard.knows(token):
        return _login_page(parts, wrong=True)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


def _login_page(parts: Parts, *, wrong: bool = False) -> Response:
    status = 401 if wrong else 200
    return _page("login.html", status=status, site=parts.site, wrong=wrong, is_public=parts.guard.is_public)


def _events_of(parts: Parts, job_id: str) -> tuple[EventRecord, ...] | None:
    """Return a job's events; None while the store is silent, for the rest is known without it."""
    try:
        return parts.service.events(subject=job_id)
    except Unreachable:
        return None


def _told(events: Sequence[EventRecord] | None, now: datetime, *, is_unread: bool) -> dict[str, Any]:
    """Return what a list of events shows, the newest first."""
    views = [event_view(event) for event in reversed(events or ())]
    return {"events": views, "now": now, "is_unread": is_unread, "is_public": False}


def _table(picture: Picture | None) -> str:
    unit, rows = (picture.capacity.unit, picture.rows) if picture else ("GPUs", ())
    return render("chart_table.html", unit=unit, rows=rows, now=picture.now if picture else None)


def _page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    nonce = secrets.token_urlsafe(16)
    headers = {"Content-Security-Policy": policy_header(nonce)}
    return HTMLResponse(render(template, nonce=nonce, **values), status, headers)


def policy_header(nonce: str) -> str:
    """Return the content security policy of a page: everything comes from this host.

    The nonce is for the style elements that Bokeh makes while it draws (see static/early.js); there are no inline
    scripts or styles of ours.
    """
    return (
        f"default-src 'self'; style-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
