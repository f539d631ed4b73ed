"""Changes of the page as server-sent events, and the same for those whose proxy cuts the stream."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import anyio
from anyio import CapacityLimiter
from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from scheduler.api.access import Anybody
from scheduler.api.answers import NOT_AS_TEXT
from scheduler.api.panels import PanelsDep
from scheduler.api.site import PartsDep
from scheduler.store.numbering import row_number

router = APIRouter(tags=["control"])
LOOK_S: Final = 1.0
"""Wall seconds between looks at what does not wake us: a stream that was closed, a loop that is held up."""
RETRY_MS: Final = 2000
MOST_STREAMS: Final = 200
MOST_PUBLIC_STREAMS: Final = 100
_waiting = CapacityLimiter(MOST_STREAMS)
"""Threads that wait for the board; apart from those that answer requests, so that neither starves the other."""
_strangers_waiting = CapacityLimiter(MOST_PUBLIC_STREAMS)
"""Likewise for streams without a token, however many there are: they keep nobody with one from theirs."""


@router.get("/api/v1/stream", response_class=EventSourceResponse, responses=NOT_AS_TEXT)
async def stream(
    parts: PartsDep,
    panels: PanelsDep,
    _: Anybody,
    after: Annotated[str, Query(description="stamp of what the caller shows: a cycle's number")] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Send an event per cycle, its id the cycle's number: what has changed since the one the caller shows."""
    seen, limiter = last_event_id or after, _strangers_waiting if parts.is_public else _waiting
    while True:
        update = await _threaded(limiter, panels.update, seen)
        if update is not None:
            seen = update["stamp"]
            yield ServerSentEvent(data=update, id=seen, retry=RETRY_MS)
        await _threaded(limiter, parts.board.wait_beyond, cycle_of(seen), LOOK_S)


@router.get("/page/update", include_in_schema=False)
def update(panels: PanelsDep, _: Anybody, after: str = "") -> dict[str, Any] | None:
    """Return what the next event of the stream would be; null when there is nothing new."""
    return panels.update(after)


def cycle_of(stamp: str) -> int:
    """Return the cycle's number of a stamp; 0 of anything else."""
    return row_number(stamp.partition(".")[0]) or 0


async def _threaded(limiter: CapacityLimiter, call: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(call, *arguments, limiter=limiter, abandon_on_cancel=True)
