"""The API as an ASGI application: requests in, JSON out, watches as streams."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from simulations.kubernetes.api import Api
from simulations.kubernetes.items import Items
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.store import TableKey
from simulations.kubernetes.watching import BOOKMARKS_S, FIRST_BOOKMARK_S, LAST_BOOKMARK_S, Watch

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def application(api: Api) -> Starlette:
    """Return the application that serves an API."""

    async def endpoint(request: HttpRequest) -> Response:
        asked = Request.of(request.method, str(request.url), dict(request.headers), await request.body())
        if api.faults.slow:
            await asyncio.sleep(api.faults.slow(asked))
        answered = api.handle(asked)
        if isinstance(answered, Watch):
            return StreamingResponse(stream(api, answered), media_type="application/json")
        return rendered(answered)

    return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])


def rendered(answer: Answer) -> Response:
    """Return an answer as a response; each warning is a header of its own."""
    body = encoded(answer)
    response = Response(body, answer.code, dict(answer.headers), answer.headers.get("Content-Type", "application/json"))
    for warning in answer.warnings:
        response.headers.append("Warning", warning_header(warning))
    return response


def warning_header(warning: str) -> str:
    """Return a warning as its header."""
    quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


def encoded(answer: Answer) -> bytes:
    """Return a body's bytes."""
    if isinstance(answer.body, bytes):
        return answer.body
    if isinstance(answer.body, Items):
        return answer.body.encoded()
    return json.dumps(answer.body, separators=(",", ":"), ensure_ascii=False).encode()


async def stream(api: Api, watch: Watch) -> AsyncIterator[bytes]:
    """Yield the lines of a watch until its time is over."""
    loop, happened = asyncio.get_running_loop(), asyncio.Event()

    def tell(table: TableKey) -> None:
        if table == watch.kind.table:
            with suppress(RuntimeError):  # the loop has gone; so has who listened
                loop.call_soon_threadsafe(happened.set)

    stop = api.store.listen(tell)
    try:
        for started in watch.start():
            yield started
        async for lines in _lines(api, watch, happened):
            yield lines
    finally:
        stop()


async def _lines(api: Api, watch: Watch, happened: asyncio.Event) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end, mark = loop.time() + watch.seconds, loop.time() + FIRST_BOOKMARK_S
    while not watch.ended and (now := loop.time()) < end:
        happened.clear()
        if not api.faults.silent_watches:
            for made in watch.take():
                await asyncio.sleep(api.faults.late_events_s)
                yield made
        due = min(mark, end - LAST_BOOKMARK_S if end - LAST_BOOKMARK_S > now else end)
        with suppress(TimeoutError):
            await asyncio.wait_for(happened.wait(), max(0.0, min(due, end) - loop.time()))
        if loop.time() >= due and watch.bookmarks and not api.faults.silent_watches:
            mark = loop.time() + BOOKMARKS_S
            yield watch.bookmark()
