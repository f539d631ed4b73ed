"""An HTTP transport straight into the API, without sockets: for actors and tests that want to be quick and certain."""

import httpx

from simulations.kubernetes.api import Api
from simulations.kubernetes.app import encoded, warning_header
from simulations.kubernetes.requests import Request
from simulations.kubernetes.watching import Watch


class Direct(httpx.BaseTransport):
    """Answers a client's requests out of an API; a watch gives what is there and ends."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        asked = Request.of(request.method, str(request.url), dict(request.headers), request.read())
        answered = self._api.handle(asked)
        if isinstance(answered, Watch):
            return httpx.Response(200, content=b"".join([*answered.start(), *answered.take()]))
        headers = [("Content-Type", "application/json"), *answered.headers.items()]
        headers += [("Warning", warning_header(each)) for each in answered.warnings]
        return httpx.Response(answered.code, headers=headers, content=encoded(answered))


def client(api: Api, token: str = "", agent: str = "headroom-double") -> httpx.Client:
    """Return a client that speaks to an API directly."""
    headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {token}"} if token else {})
    return httpx.Client(transport=Direct(api), base_url="http://double", headers=headers)
