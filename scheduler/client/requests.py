"""Requests to one control plane as resources of `scheduler.wire`: what all methods of the client stand on."""

from typing import Self
from urllib.parse import quote

import httpx

from scheduler.connection import Connection, ResourceT
from scheduler.wire.base import Resource


class Requests:
    """Requests to one control plane, and what any resource takes; use it as a context manager, or close it."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Choose the control plane; nothing is sent yet.

        Args:
            url: its address; else HEADROOM_URL, else this machine's default port.
            token: bearer token; else HEADROOM_TOKEN, else none.
            timeout_s: longest wait for an answer.
            transport: carries requests elsewhere than over the network, for tests.

        Raises:
            ConfigError: `url` is none.
        """
        self.connection = Connection(url, token, timeout_s=timeout_s, transport=transport)

    @property
    def url(self) -> str:
        """The address of the control plane."""
        return self.connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self.connection.close()

    def get(self, path: str, kind: type[ResourceT], **parameters: str | float | bool) -> ResourceT:
        """Return any resource of the API with its envelope.

        Args:
            path: below /api/v1, for instance "/jobs/417".
            kind: what is there, for instance `Single[Job]`.
            parameters: of the query.
        """
        return self.connection.read(self.connection.request("GET", path, params=parameters), kind)

    def send(self, method: str, path: str, kind: type[ResourceT], body: Resource | None = None) -> ResourceT:
        """Change any resource of the API and return the answer with its envelope; as `get`."""
        content = body.model_dump(mode="json") if body else {}
        return self.connection.read(self.connection.request(method, path, json=content), kind)


def part(name: str | int) -> str:
    """Return a name as one part of a path, whatever is in it; what is no text names nothing that there is."""
    return quote(str(name), safe="", errors="replace")
