"""Bodies of requests: how large they may be, and large ones received without filling the memory."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

MOST_BYTES: Final = 2**20
"""Of everything but packages; FastAPI counts what comes, whatever length the head of the request claims."""
CHUNK_BYTES: Final = 2**16


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Iterator[bytes]]:
    """Receive a body as a whole, a large one on disk, and give it back in chunks."""
    with SpooledTemporaryFile(max_size=MOST_BYTES) as file:
        async for chunk in request.stream():
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        yield iter(lambda: file.read(CHUNK_BYTES), b"")
