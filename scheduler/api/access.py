"""Who may do what: roles, bearer tokens, and what keeps foreign web pages away from an open loopback API."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request

from scheduler.config.checks import is_loopback
from scheduler.config.schema import Api, Token
from scheduler.control.service.people import Person
from scheduler.model.errors import Fault, NotPermitted

COOKIE: Final = "headroom_token"
"""Carries the token of a browser; good for reading only, so that no foreign page can act with it."""
UNKNOWN_CALLER: Final = "Unauthenticated"
ASK_FOR_ONE: Final = "set HEADROOM_TOKEN, or ask an operator for a token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(IntEnum):
    """What a caller may do; each includes the ones before."""

    PUBLIC = 0
    """Read what is shown to everybody, without a token."""
    VIEWER = 1
    """Read."""
    SUBMITTER = 2
    """Submit jobs and change their own."""
    OPERATOR = 3
    """Change everything."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; `name` owns the jobs that are submitted."""

    name: str
    role: Role

    @property
    def person(self) -> Person:
        """The same to those who know of no requests."""
        return Person(self.name, self.role.name.lower())


class Guard:
    """Decides who a request comes from.

    On loopback without tokens everybody on this machine is an operator. In all other cases a token is needed, but for
    what is shown to everybody where that is on.
    """

    def __init__(
        self, bind_host: str, tokens: Sequence[Token] = (), *, public: bool = False, open_as: str = "operator"
    ) -> None:
        """Take the address that is bound and the tokens' digests.

        Args:
            bind_host: address or name that the server listens on.
            tokens: known by their SHA-256.
            public: whether those without a token read what is shown to everybody.
            open_as: owner of the jobs that are submitted where no token is needed.
        """
        self._tokens = tuple(tokens)
        self._open_as = open_as
        self.is_open = not tokens and is_loopback(bind_host)
        self.is_public = public and not self.is_open

    @classmethod
    def of(cls, api: Api) -> "Guard":
        """Read a configuration."""
        return cls(api.host, api.tokens, public=api.public)

    def caller(self, request: Request) -> Caller:
        """Return who asks.

        Raises:
            NotPermitted: no or an unknown token, or a foreign web page that tries to use an open API.
        """
        if self.is_open:
            refuse_foreign_pages(request)
            return Caller(self._open_as, Role.OPERATOR)
        if self.is_stranger(request):
            return Caller("", Role.PUBLIC)
        return self._holder(bearer_token(request))

    def is_stranger(self, request: Request) -> bool:
        """Whether somebody who shows no token at all reads what is shown to everybody.

        A token that is not known is none of a stranger's: it is refused.
        """
        names_nobody = "authorization" not in request.headers and COOKIE not in request.cookies
        return self.is_public and request.method in SAFE_METHODS and names_nobody

    def knows(self, token: str) -> bool:
        """Whether a token is one of ours."""
        return self._match(token) is not None

    def _holder(self, token: str) -> Caller:
        found = self._match(token)
        if found is None:
            said = "this token is not known" if token else "a bearer token is needed"
            raise NotPermitted(Fault(UNKNOWN_CALLER, said, help=ASK_FOR_ONE))
        return Caller(found.name, Role[found.role.upper()])

    def _match(self, token: str) -> Token | None:
        """Compare with every token, in a time that tells nothing about which one was close."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        matches = [known for known in self._tokens if hmac.compare_digest(known.sha256, digest)]
        return matches[0] if matches else None


def refuse_foreign_pages(request: Request) -> None:
    """Refuse what a web page from elsewhere may have sent through the browser of somebody on this machine.

    A page whose name was made to point here (DNS rebinding) still sends that name as Host; one that posts across
    sites sends its own Origin.

    Raises:
        NotPermitted: the request names another host, or comes from another origin and changes something.
    """
    host = request.headers.get("host", "")
    if not is_loopback(urlsplit(f"//{host}").hostname or ""):
        raise NotPermitted(f'this address is not served under the name "{host}"', help="use http://127.0.0.1")
    origin = request.headers.get("origin")
    if request.method not in SAFE_METHODS and origin is not None and urlsplit(origin).netloc != host:
        raise NotPermitted(f"requests from {origin} may not change anything here")


def guard_of(request: Request) -> Guard:
    """Return who guards a request: one and the same to its end, though the file be read again meanwhile."""
    if not hasattr(request.state, "guard"):
        request.state.guard = request.app.state.parts.guard
    guard: Guard = request.state.guard
    return guard


def require(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    """Return a dependency that lets callers pass who have at least a role; it takes no thread."""

    async def caller_of(request: Request) -> Caller:
        caller = guard_of(request).caller(request)
        if caller.role < role and caller.role is Role.PUBLIC:
            raise NotPermitted(Fault(UNKNOWN_CALLER, "this is not shown without a token", help=ASK_FOR_ONE))
        if caller.role < role:
            said = f"role {caller.role.name.lower()} may not do this ({role.name.lower()} needed)"
            raise NotPermitted(said, help=f"ask for a token with role {role.name.lower()}")
        return caller

    return caller_of


def may_change(caller: Caller, owner: str) -> None:
    """Let operators change every job and submitters their own.

    Raises:
        NotPermitted: it is somebody else's.
    """
    if caller.role < Role.OPERATOR and caller.name != owner:
        raise NotPermitted(f"the job belongs to {owner or 'nobody'}", help="ask its owner, or an operator")


def bearer_token(request: Request) -> str:
    """Return the token that a request shows; that of a cookie only where nothing is changed, "" for none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.cookies.get(COOKIE, "") if request.method in SAFE_METHODS else ""


Anybody = Annotated[Caller, Depends(require(Role.PUBLIC))]
Viewer = Annotated[Caller, Depends(require(Role.VIEWER))]
Submitter = Annotated[Caller, Depends(require(Role.SUBMITTER))]
Operator = Annotated[Caller, Depends(require(Role.OPERATOR))]
