"""Bodies of requests: how large they may be, what they may hold, and large ones received without filling the memory."""

import json
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Final, NoReturn
from urllib.parse import unquote

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from scheduler.config.texts import DEEPEST, unusable_texts
from scheduler.config.yaml_file import Document
from scheduler.model.errors import ConfigError, NotFound

MOST_BYTES: Final = 2**20
"""Of everything but packages; FastAPI counts what comes, whatever length the head of the request claims."""
CHUNK_BYTES: Final = 2**16
MOST_FAULTS: Final = 100


LARGEST_NUMBER: Final = 2**53
"""Beyond it JSON's numbers are not whole any more, and databases have none."""


async def well_formed(request: Request) -> None:
    """See that a request can be carried any further: its path, its query, and its body where that is JSON.

    Raises:
        NotFound: the path names what no name can be.
        ConfigError: the query or the body has text, numbers or depths that nothing behind this can hold.
    """
    if "\0" in request.url.path or "\0" in unquote(request.url.path):
        raise NotFound("there is nothing whose name has U+0000 in it")
    _check_texts(dict(request.query_params))
    if "json" in request.headers.get("content-type", "") and getattr(request.scope.get("route"), "body_field", None):
        _check_texts(_parsed(await request.body()))


def _check_texts(content: object) -> None:
    faults = unusable_texts(Document("", content, {}))
    if faults:
        raise ConfigError(*faults[:MOST_FAULTS])


def _parsed(body: bytes) -> object:
    """Return a body as JSON; None for what is none, which is for others to say."""
    try:
        return json.loads(body.decode(), parse_constant=_no_number, parse_float=_number, parse_int=_number)
    except UnicodeDecodeError as error:
        raise ConfigError("the body is not UTF-8 text") from error
    except json.JSONDecodeError:
        return None
    except RecursionError as error:
        raise ConfigError("the body is nested too deeply", help=f"use {DEEPEST} levels or fewer") from error


def _no_number(word: str) -> NoReturn:
    raise ConfigError(f"{word} is no number of JSON")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or (abs(number) > LARGEST_NUMBER and "e" not in digits.lower() and "." not in digits):
        raise ConfigError(f"{digits[:20]}… is too large a number", help=f"use {LARGEST_NUMBER} or less")
    return number


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Iterator[bytes]]:
    """Receive a body as a whole, a large one on disk, and give it back in chunks."""
    with SpooledTemporaryFile(max_size=MOST_BYTES) as file:
        async for chunk in request.stream():
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        yield iter(lambda: file.read(CHUNK_BYTES), b"")
