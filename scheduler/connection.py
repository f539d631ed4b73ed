"""Requests to one control plane over HTTP, and what can go wrong with them as errors that say what to do."""

import os
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final, TypeVar

import httpx
from pydantic import ValidationError

from scheduler.model.errors import ConfigError, Conflict, Fault, HeadroomError, NotFound, NotPermitted, Unreachable
from scheduler.wire.base import LEADER_HEADER, ErrorAnswer, Resource

DEFAULT_URL: Final = "http://127.0.0.1:8321"
API: Final = "/api/v1"
PAUSES_S: Final = (0.5, 2.0)
"""Wall seconds before each repetition of what may be sent again."""
_ERRORS: Final[Mapping[int, type[HeadroomError]]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    413: ConfigError,
    422: ConfigError,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}
ResourceT = TypeVar("ResourceT", bound=Resource)


class Connection:
    """Sends requests below /api/v1 and reads the answers; every failure is an error of `scheduler.model.errors`."""

    def __init__(
        self, url: str | None, token: str | None, *, timeout_s: float, transport: httpx.BaseTransport | None
    ) -> None:
        """Choose the control plane, as `Client`; nothing is sent yet.

        Raises:
            ConfigError: `url` is none.
        """
        self.url = (url or os.environ.get("HEADROOM_URL") or DEFAULT_URL).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f'"{self.url}" is not a URL', help="begin it with http:// or https://")
        self._home = self.url
        token = token or os.environ.get("HEADROOM_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(headers=headers, timeout=timeout_s, transport=transport)

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def request(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Send a request and return a successful answer; one that does not lead is followed to the one that does.

        Only one step, so that two that point at each other end it.

        Args:
            method: of HTTP.
            path: below /api/v1.
            parts: those of `httpx.Client.request`; `content` may be a function that returns it: it may be sent twice.
        """
        answer = self._sent(method, path, parts)
        if not answer.is_success and self._follow(answer):
            answer = self._sent(method, path, parts)
        if not answer.is_success:
            raise _error(answer)
        return answer

    def repeat(self, path: str, content: Mapping[str, object], key: str) -> httpx.Response:
        """Post what a key makes one and the same, again when nobody knows whether it came; return the answer.

        Raises:
            Unreachable: it was sent `PAUSES_S` and once more in vain, or nobody is there.
        """
        for pause_s in (*PAUSES_S, None):
            try:
                return self.request("POST", path, json=content, headers={"Idempotency-Key": key})
            except Unreachable as error:
                if isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                    raise
                if pause_s is None:
                    help_ = f"it may have been accepted; to repeat it as the same: --idempotency-key {key}"
                    raise Unreachable(str(error), help=help_) from error
                time.sleep(pause_s)
        raise AssertionError

    def lines(self, path: str, **parts: Any) -> Iterator[str]:
        """Yield the lines of an answer as they come, of the leader where it is pointed to."""
        if (pointing := (yield from self._lines(path, parts))) is None:
            return
        if self._follow(pointing):
            pointing = yield from self._lines(path, parts)
        if pointing is not None:
            raise _error(pointing)

    def _lines(self, path: str, parts: Mapping[str, Any]) -> Generator[str, None, httpx.Response | None]:
        """Yield the lines of a successful answer; return any other."""
        as_it_comes = {"Accept-Encoding": "identity"}  # a compressor would hold lines back until it has enough of them
        try:
            with self._http.stream("GET", self.url + API + path, headers=as_it_comes, **parts) as answer:
                if answer.is_success:
                    yield from answer.iter_lines()
                    return None
                answer.read()
                return answer
        except httpx.HTTPError as error:
            self._return()
            raise self._unreachable(error) from error

    def _sent(self, method: str, path: str, parts: Mapping[str, Any]) -> httpx.Response:
        fresh = {name: value() if callable(value) else value for name, value in parts.items()}
        try:
            return self._http.request(method, self.url + API + path, **fresh)
        except UnicodeEncodeError as error:
            raise ConfigError(f"{error.object[:60]!a} is not text", help="use characters of UTF-8") from error
        except httpx.HTTPError as error:
            refused, said = isinstance(error, httpx.ConnectError), self._unreachable(error)
            if not (self._return() and refused):
                raise said from error
        return self._sent(method, path, parts)

    def _return(self) -> bool:
        """Go back to where the caller sent us when a leader that we followed is silent; whether we had followed one."""
        away = self.url != self._home
        self.url = self._home
        return away

    def _follow(self, answer: httpx.Response) -> bool:
        """Go to where an answer says that the leader is; whether there is another place to ask.

        Never from an encrypted address to an open one.
        """
        leader = answer.headers.get(LEADER_HEADER, "").rstrip("/")
        safe = leader.startswith("https://" if self.url.startswith("https://") else ("http://", "https://"))
        if not safe or leader == self.url:
            return False
        self.url = leader
        return True

    def chunks(self, path: str, kind: str) -> Iterator[bytes]:
        """Yield an answer's bytes as they come, however long it takes until they do.

        Raises:
            Unreachable: it is not of this media type, so whoever answered is no control plane of ours.
        """
        timeout = httpx.Timeout(10.0, read=600.0)
        try:
            with self._http.stream("GET", self.url + API + path, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                if answer.headers.get("content-type", "").partition(";")[0] != kind:
                    raise self._stranger()
                yield from answer.iter_bytes()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def read(self, answer: httpx.Response, kind: type[ResourceT]) -> ResourceT:
        """Return an answer's resource.

        Raises:
            Unreachable: it is no such resource, so whoever answered is no control plane of ours.
        """
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._stranger() from error

    def _stranger(self) -> Unreachable:
        help_ = "is that another program, or another version of Headroom?"
        return Unreachable(f"{self.url} does not answer as a control plane does", help=help_)

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        help_ = 'is "headroom run" up there? HEADROOM_URL or --url points elsewhere'
        return Unreachable(f"cannot reach {self.url} ({_cause(error)})", help=help_)


def _cause(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    return str(error).partition("] ")[2].lower() or str(error) or type(error).__name__


def _error(answer: httpx.Response) -> HeadroomError:
    kind = _ERRORS.get(answer.status_code, HeadroomError)
    try:
        said = ErrorAnswer.model_validate_json(answer.content)
    except ValidationError:
        return kind(f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}")
    return kind(*(Fault(**body.model_dump()) for body in said.errors or (said.error,)))
