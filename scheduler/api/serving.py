"""The HTTP server: one that does not wait for ever for requests that come byte by byte, or never whole."""

import asyncio
import logging
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0
"""Wall seconds in which the whole head of a request must be there, from the connection or its first byte on."""
BODY_SILENCE_S: Final = 30.0
"""Longest pause within a body."""
GRACE_S: Final = 2
"""Wall seconds that open streams get when the server stops."""
CANCELS: Final = "Cancel %s running task(s)"
"""How uvicorn begins to say that it does."""
TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of one connection, which is closed when what must come does not."""

    _head: asyncio.TimerHandle | None = None
    _body: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the class above
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self._head = self.loop.call_later(HEAD_S, self._head_is_late)

    def data_received(self, data: bytes) -> None:
        """Take what came, and see what is still to come."""
        super().data_received(data)
        state = self.conn.their_state
        if state is not h11.IDLE:
            self._rest()
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_S, self._head_is_late)
        if state is h11.SEND_BODY:
            self._body = self.loop.call_later(BODY_SILENCE_S, self._body_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._rest()
        super().connection_lost(exc)

    def _rest(self) -> None:
        for timer in (self._head, self._body):
            if timer is not None:
                timer.cancel()
        self._head = self._body = None

    def _head_is_late(self) -> None:
        self.transport.write(TOO_LATE)
        self.transport.close()

    def _body_is_late(self) -> None:
        if self.flow.read_paused:  # it is we who do not read
            self._body = self.loop.call_later(BODY_SILENCE_S, self._body_is_late)
        else:
            self.transport.close()


class Unended(logging.Filter):
    """Passes over what uvicorn says of requests that it cancels when it stops: streams that would never end."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is worth a word."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, asyncio.CancelledError) and not str(record.msg).startswith(CANCELS)


def server_of(app: FastAPI, grace_s: int = GRACE_S) -> uvicorn.Server:
    """Return the server of an application, not running; open streams get `grace_s` when it stops."""
    config = uvicorn.Config(
        app, http=PatientProtocol, log_level="warning", timeout_graceful_shutdown=grace_s, lifespan="off"
    )
    logging.getLogger("uvicorn.error").addFilter(_unended)  # configured anew with each server
    return uvicorn.Server(config)


_unended: Final = Unended()
