"""What a control plane that does not lead does not do: it says who does, in words and in a header."""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from scheduler.api.access import SAFE_METHODS
from scheduler.api.answers import error_answer
from scheduler.control.leadership import Leader
from scheduler.model.errors import Superseded
from scheduler.wire.base import LEADER_HEADER

SAID: Final = "this control plane waits"


class PointsToLeader:
    """ASGI middleware that answers 503 to whatever only the leader can do: changes, and the output of jobs.

    Args:
        app: answers the rest.
        leader: says from memory who leads; None when nobody knows.
    """

    def __init__(self, app: ASGIApp, leader: Callable[[], Leader | None]) -> None:
        self._app, self._leader = app, leader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or not _is_the_leaders(Request(scope)):
            await self._app(scope, receive, send)
            return
        refusal = pointing_to(self._leader())
        await error_answer(refusal.faults, 503, {LEADER_HEADER: refusal.leader})(scope, receive, send)


def pointing_to(leader: Leader | None) -> Superseded:
    """Return the error that points to whoever leads."""
    if leader is None:
        return Superseded(f"{SAID}, and nobody leads", help="try again in a moment")
    if not leader.is_alive:
        return Superseded(f"{SAID}; {leader.holder} has led until just now", help="try again in a few seconds")
    return Superseded(
        f"{SAID}; {leader.holder} leads, at {leader.address}", help=f"ask {leader.address}", leader=leader.address
    )


def _is_the_leaders(request: Request) -> bool:
    path = request.url.path
    return path.startswith("/api/") and (request.method not in SAFE_METHODS or path.endswith("/logs"))
