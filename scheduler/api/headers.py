"""Headers that every answer carries unless its route says otherwise."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

USUAL: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
"""Answers are of the moment, types are not guessed, and nobody else is told where somebody comes from."""
ASKED_BY: Final = ("Authorization", "Cookie")
"""What an answer depends on beside its address: with a token more is shown than without."""


class PlainHeaders:
    """ASGI middleware that adds `USUAL`."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, with the head of the answer completed."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if not headers.get("cache-control", "").startswith("public"):
                    for name in ASKED_BY:
                        headers.add_vary_header(name)
                for name, value in USUAL.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, complete)
