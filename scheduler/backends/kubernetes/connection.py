"""The way to a Kubernetes API server: the official client's plain requests, with deadlines and manners.

Typed models cost five times the processor time of plain JSON, and the client's own informer crashes on custom objects
and connects again without a pause; so only its configuration, its TLS and `call_api` are used.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, Self

import urllib3.exceptions
from kubernetes import client, config

from scheduler.model.errors import ActionFailed, ConfigError, Unreachable

CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
"""Wall seconds for a connection, and between two parts of an answer."""
AWAY_PAUSE_S: Final = 1.0
"""Wall seconds between two requests while the API server does not answer."""
TRIES: Final = 4
LONGEST_RETRY_S: Final = 20.0
"""How often, and after which wall seconds at most, a request is sent again that the server asks to send later."""
CONNECTIONS: Final = 64
MANAGER: Final = "headroom"
"""Under which name the server remembers which fields are ours."""
TOO_MANY: Final = 429
ERRORS: Final = 400
SERVER_ERRORS: Final = 500
UNAUTHORIZED: Final = 401
Object = dict[str, Any]
"""An object of the API as JSON."""


class Form(StrEnum):
    """How a patch is written."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


class Refused(ActionFailed):
    """The API server answered, and will not do it.

    Attributes:
        status: of HTTP.
        reason: the server's word for it, for instance "Forbidden".
        causes: single faults, in its words.
    """

    def __init__(self, request: str, status: int, body: Mapping[str, Any]) -> None:
        """Take the request, for people, and the server's answer."""
        said = str(body.get("message") or "no reason given")
        super().__init__(f"the Kubernetes API refuses {request}: {said[:1000]} ({status})")
        self.status, self.reason = status, str(body.get("reason") or "")
        details = body.get("details") or {}
        self.causes = tuple(str(cause.get("message", "")) for cause in details.get("causes") or ())


class Connection:
    """Requests to one API server; may be used by several threads.

    Args:
        settings: of the official client.
        prove: called before each request that changes something; raises where this process may not.
    """

    def __init__(self, settings: client.Configuration, prove: Callable[[], object] = lambda: None) -> None:
        settings.retries = False
        settings.connection_pool_maxsize = CONNECTIONS
        self.url = str(settings.host)
        self._client, self._prove = client.ApiClient(settings), prove
        self._lock = threading.Lock()
        self._away: str = ""
        self._asked_at_s = -AWAY_PAUSE_S

    @classmethod
    def open(cls, kubeconfig: str = "", context: str = "", prove: Callable[[], object] = lambda: None) -> Self:
        """Return a connection as a kubeconfig says, or as a pod has it.

        Args:
            kubeconfig: path of a file; "" for the service account of this pod, outside of one for what kubectl uses.
            context: of the file; "" for its current one.
            prove: as of the class.

        Raises:
            ConfigError: there is no such file or context, or it says nothing that could be used.
        """
        settings = client.Configuration()
        try:
            if kubeconfig or context or not _in_a_pod(settings):
                config.load_kube_config(kubeconfig or None, context or None, client_configuration=settings)
        except (config.ConfigException, OSError, ValueError) as error:
            where = kubeconfig or "what kubectl uses"
            raise ConfigError(
                f"no way to a Kubernetes cluster: {error}", help=f"set backend.kubeconfig and context; read: {where}"
            ) from error
        return cls(settings, prove)

    @classmethod
    def to(cls, url: str, prove: Callable[[], object] = lambda: None) -> Self:
        """Return a connection to a server that asks for no name."""
        settings = client.Configuration(host=url)
        settings.proxy = None
        return cls(settings, prove)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Object:
        """Read an object or a list.

        Raises:
            Refused: the server will not.
            Unreachable: it does not answer.
        """
        return self._asked("GET", path, query=query)

    def text(self, path: str) -> str:
        """Read what is no JSON, for instance what a container has printed; raises as `get` does."""
        response = self._response("GET", path, {}, None, None, ANSWER_S)
        content = self._body(response, path)
        if response.status >= ERRORS:
            raise _error(f"GET {path}", response.status, _json(content))
        return content.decode(errors="replace")

    def post(self, path: str, body: Object) -> Object:
        """Create an object; raises as `get` does."""
        return self._asked("POST", path, body=body)

    def delete(self, path: str, body: Object | None = None) -> Object:
        """Delete an object; raises as `get` does."""
        return self._asked("DELETE", path, body=body)

    def patch(self, path: str, body: Any, form: Form = Form.JSON, query: Mapping[str, str] | None = None) -> Object:
        """Change an object and return it; raises as `get` does."""
        return self._asked("PATCH", path, body=body, form=form, query=query)

    def watch(self, path: str, query: Mapping[str, str], read_timeout_s: float) -> Iterator[Object]:
        """Yield the events of a watch until the server ends it.

        Args:
            path: of a list.
            query: further parameters; `watch` is added.
            read_timeout_s: wall seconds of silence after which the connection is taken for dead.

        Raises:
            Refused: the server will not.
            Unreachable: it does not answer, or falls silent.
        """
        request = f"GET {path} (watch)"
        response = self._response("GET", path, {**query, "watch": "true"}, None, None, read_timeout_s)
        try:
            if response.status >= ERRORS:
                raise _error(request, response.status, _json(response.read()))
            yield from _lines(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"the watch of {path} on {self.url} broke off: {error}") from error
        finally:
            response.response.close()

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def _asked(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        form: Form | None = None,
    ) -> Object:
        request = f"{method} {path}"
        if method != "GET":
            self._prove()
        if method in {"POST", "PATCH"}:
            query = {"fieldManager": MANAGER, **(query or {})}
        for left in reversed(range(TRIES)):
            response = self._response(method, path, query or {}, body, form, ANSWER_S)
            content = _json(self._body(response, path))
            if response.status == TOO_MANY and left:
                time.sleep(_retry_after_s(response))
                continue
            if response.status >= ERRORS:
                raise _error(request, response.status, content)
            return content
        raise Unreachable(f"{request}: the API server asked to come later {TRIES} times", help="it has too much to do")

    def _response(  # noqa: PLR0913, PLR0917  # the parts of a request
        self, method: str, path: str, query: Mapping[str, str], body: Any, form: Form | None, read_s: float
    ) -> Any:
        self._wait_no_more_than_asked()
        headers = {"Accept": "application/json", "Content-Type": str(form or "application/json")}
        parts = self._client.param_serialize(
            method, path, None, list(query.items()), headers, body, auth_settings=["BearerToken"]
        )
        try:
            response = self._client.call_api(*parts, _request_timeout=(CONNECT_S, read_s))
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            self._away = str(error)
            raise self._unreachable(str(error)) from error
        self._away = ""
        return response

    def _body(self, response: Any, path: str) -> bytes:
        try:
            return bytes(response.read())
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(f"the answer of {self.url} to {path} broke off: {error}") from error

    def _wait_no_more_than_asked(self) -> None:
        """Refuse at once what would be the second request within a second to a server that does not answer."""
        with self._lock:
            now_s = time.monotonic()
            if self._away and now_s - self._asked_at_s < AWAY_PAUSE_S:
                raise self._unreachable(self._away)
            self._asked_at_s = now_s

    def _unreachable(self, why: str) -> Unreachable:
        said = f"the Kubernetes API at {self.url} does not answer: {why}"
        return Unreachable(said, help="kubectl version shows whether it answers; it is asked again every second")


def _in_a_pod(settings: client.Configuration) -> bool:
    try:
        config.load_incluster_config(settings)
    except config.ConfigException:
        return False
    return True


def _retry_after_s(response: Any) -> float:
    try:
        asked_s = float(response.getheader("Retry-After", "1"))
    except ValueError:
        asked_s = 1.0
    return min(max(asked_s, 0.0), LONGEST_RETRY_S)


def _json(content: bytes) -> Object:
    """Return an answer; one in plain text as a message."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return {"message": content.decode(errors="replace").strip()}
    return parsed if isinstance(parsed, dict) else {"message": str(parsed)}


def _error(request: str, status: int, body: Object) -> Refused | Unreachable:
    said = f"{request}: {body.get('message', '')} ({status})"
    if status == UNAUTHORIZED:
        return Unreachable(f"the Kubernetes API does not know us: {said}", help="renew the token or the kubeconfig")
    if status >= SERVER_ERRORS or status == TOO_MANY:
        return Unreachable(f"the Kubernetes API cannot answer: {said}")
    return Refused(request, status, body)


def _lines(response: Any) -> Iterator[Object]:
    rest = b""
    for part in response.response.stream(2**16):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line:
                yield json.loads(line)
