"""Changes of the page as server-sent events, and the same for those whose proxy cuts the stream."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio
from anyio import CapacityLimiter
from fastapi import APIRouter, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from scheduler.api.access import Viewer
from scheduler.api.panels import PanelsDep
from scheduler.api.site import PartsDep

router = APIRouter(tags=["control"])
LOOK_S: Final = 1.0
"""Wall seconds between looks at what does not wake us: a stream that was closed, a loop that is held up."""
RETRY_MS: Final = 2000
MOST_STREAMS: Final = 200
_waiting = CapacityLimiter(MOST_STREAMS)
"""Threads that wait for the board; apart from those that answer requests, so that neither starves the other."""


@router.get("/api/v1/stream", response_class=EventSourceResponse)
async def stream(
    parts: PartsDep,
    panels: PanelsDep,
    _: Viewer,
    after: Annotated[int, Query(description="cycle that the caller has")] = 0,
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    """Send an event per cycle, its id the cycle's number: what has changed since the one the caller has."""
    seen = int(last_event_id) if last_event_id.isdigit() else after
    degraded = parts.board.degraded
    while True:
        report = await anyio.to_thread.run_sync(
            parts.board.wait_beyond, seen, LOOK_S, limiter=_waiting, abandon_on_cancel=True
        )
        newer = report is not None and report.cycle.number != seen
        if newer or parts.board.degraded != degraded:
            degraded = parts.board.degraded
            update = await anyio.to_thread.run_sync(panels.update, seen, limiter=_waiting)
            seen = int(update["cycle"])
            yield ServerSentEvent(data=update, id=str(seen), retry=RETRY_MS)


@router.get("/page/update", include_in_schema=False)
def update(panels: PanelsDep, _: Viewer, after: int = 0) -> dict[str, Any]:
    """Return what the next event of the stream would be."""
    return panels.update(after)
