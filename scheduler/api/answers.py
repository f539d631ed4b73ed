"""Envelopes and errors: how every answer of the API begins and what it says when something is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from scheduler.api.access import UNKNOWN_CALLER
from scheduler.api.presenting.times import moment
from scheduler.api.site import Parts
from scheduler.control.reports.board import STARTING, Report
from scheduler.model.errors import (
    ConfigError,
    Conflict,
    Fault,
    HeadroomError,
    NotFound,
    NotPermitted,
    Superseded,
    Unreachable,
)
from scheduler.wire.base import LEADER_HEADER, ErrorAnswer, ErrorBody, ItemT, Listing, Single

STATUS: Final = (
    (ConfigError, 422),
    (NotFound, 404),
    (Superseded, 503),
    (Conflict, 409),
    (NotPermitted, 403),
    (Unreachable, 503),
)
WHAT_IS_WRONG: Final = "What is wrong, and what to do"
NOT_AS_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": WHAT_IS_WRONG,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}},
    }
}
"""What routes say of errors whose other answers are no JSON."""
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CODES: Final = {400: "BadRequest", 404: "NotFound", 405: "MethodNotAllowed", 413: "TooLarge"}


def single(parts: Parts, kind: str, item: ItemT) -> Single[ItemT]:
    """Wrap one thing, as its reader sees it."""
    observed_s, cycle = _seen(parts)
    return Single(kind=kind, observed_at=moment(observed_s), cycle=cycle, item=parts.shown(item))


def listing(parts: Parts, kind: str, items: Iterable[ItemT], following: str = "") -> Listing[ItemT]:
    """Wrap a list as its reader sees it, or a page of one with the cursor of the page that follows."""
    observed_s, cycle = _seen(parts)
    shown = tuple(map(parts.shown, items))
    return Listing(kind=kind, observed_at=moment(observed_s), cycle=cycle, items=shown, next=following)


def report_of(parts: Parts) -> Report:
    """Return the last report.

    Raises:
        Unreachable: there is none yet, or the loop says why it cannot make one.
    """
    report = parts.board.report
    if report is None:
        raise Unreachable(f"no plan yet: {parts.told(parts.board.degraded) or STARTING}", help="try again in a moment")
    return report


def check_model(report: Report, model: str) -> None:
    """Refuse a model that is not served; nothing said is fine.

    Raises:
        NotFound: there is none of that name.
    """
    names = [one.name for one in report.cycle.snapshot.served]
    if model and model not in names:
        raise NotFound(f"no model {model}", help=f"there are: {', '.join(names) or 'none'}")


def error_answer(faults: Sequence[Fault], status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer that names everything that is wrong."""
    errors = tuple(
        ErrorBody(code=f.code, message=f.message, file=f.file, line=f.line, field=f.field, help=f.help) for f in faults
    )
    named = {"WWW-Authenticate": "Bearer"} if status == 401 else headers  # noqa: PLR2004  # RFC 9110
    body = ErrorAnswer(error=errors[0], errors=errors)
    return JSONResponse(body.model_dump(mode="json"), status, named)


def status_of(error: HeadroomError) -> int:
    """Return the HTTP status of an error."""
    if error.faults[0].code == UNKNOWN_CALLER:
        return 401
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def install_handlers(app: FastAPI) -> None:
    """Let every kind of failure answer in the same form."""
    app.add_exception_handler(HeadroomError, _on_headroom_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def _seen(parts: Parts) -> tuple[float, int]:
    report = parts.board.report
    return (report.cycle.at_s, report.cycle.number) if report else (parts.site.clock.now_s(), 0)


async def _on_headroom_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HeadroomError)  # noqa: S101  # registered for this type only
    status = status_of(error)
    if status == 401 and "text/html" in request.headers.get("accept", ""):  # noqa: PLR2004  # a person, not a program
        return RedirectResponse("/login", status_code=303)
    leader = {LEADER_HEADER: error.leader} if isinstance(error, Superseded) and error.leader else None
    return error_answer(error.faults, status, leader)


async def _on_bad_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this type only
    faults = [
        Fault("BadValue", str(one["msg"]), field=".".join(str(part) for part in one["loc"][1:]))
        for one in error.errors()
    ]
    return error_answer(faults, 422)


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this type only
    said = f"there is nothing at {request.url.path}" if error.status_code == 404 else str(error.detail)  # noqa: PLR2004
    answer = error_answer([Fault(CODES.get(error.status_code, "Error"), said)], error.status_code)
    if error.status_code == 405:  # noqa: PLR2004  # RFC 9110 wants all methods there are, whatever route has them
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """Return the methods that something at the address of a request takes."""
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
