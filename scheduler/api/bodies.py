"""Bodies of requests, kept within bounds."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler.api.answers import error_answer
from scheduler.model.errors import Fault

MOST_JSON_BYTES: Final = 2**20
CHUNK_BYTES: Final = 2**16
PACKAGES: Final = "/api/v1/packages/"


class BodyLimit:
    """ASGI middleware that answers 413 where a body is longer than what is sent to its path may be."""

    def __init__(self, app: ASGIApp, most_package_bytes: int) -> None:
        """Wrap an application."""
        self._app = app
        self._most_package_bytes = most_package_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received, whatever length the head of the request claims."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_package_bytes if scope["path"].startswith(PACKAGES) else MOST_JSON_BYTES
        claimed = dict(scope["headers"]).get(b"content-length", b"0")
        if not claimed.isdigit() or int(claimed) > most:
            await error_answer([Fault("TooLarge", _said(most))], 413)(scope, receive, send)
            return
        await self._app(scope, _counted(receive, most), send)


def _counted(receive: Receive, most: int) -> Receive:
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _said(most))
        return message

    return counting


def _said(most: int) -> str:
    return f"the body is larger than {most} bytes"


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Iterator[bytes]]:
    """Receive a body as a whole, large ones on disk, and give it back in chunks."""
    with SpooledTemporaryFile(max_size=MOST_JSON_BYTES) as file:
        async for chunk in request.stream():
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        yield iter(lambda: file.read(CHUNK_BYTES), b"")
