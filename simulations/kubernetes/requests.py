"""What is asked and what is answered, apart from any server: the path taken to pieces, query, headers, body."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from simulations.kubernetes.kinds import Kind

GET_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "GET": "get"}
NAMED_BELOW_NAMESPACES = {"status", "finalize"}


@dataclass(frozen=True)
class Target:
    """What a path names: of which group and version, which resource, object and part of it."""

    group: str
    version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def full_resource(self) -> str:
        """Return resource and subresource as access rules name them."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Request:
    """One request; who asks is known after authentication."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def of(cls, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> "Request":
        """Make a request out of a URL; header names are compared in lower case."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        lowered = {name.lower(): value for name, value in (headers or {}).items()}
        return cls(method, unquote(parts.path), query, lowered, body)

    @property
    def content_type(self) -> str:
        """Return the media type of the body without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def watches(self) -> bool:
        """Say whether a stream of changes is asked for."""
        return self.query.get("watch", "") in {"1", "true"} and self.method == "GET"

    def flag(self, name: str) -> bool:
        """Return a yes-or-no parameter."""
        return self.query.get(name, "") in {"1", "true", "True"}

    @property
    def manager(self) -> str:
        """Return who is written into managedFields."""
        agent = self.headers.get("user-agent", "unknown").partition("/")[0]
        return self.query.get("fieldManager") or agent


@dataclass(frozen=True)
class Answer:
    """A status, a body (an object, or bytes as they are) and headers; warnings become headers of their own."""

    code: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Write:
    """How an object is written: of which kind, by which request, which part, by a patch, and what was applied."""

    kind: Kind
    request: Request
    part: str = ""
    by_patch: bool = False
    applied: frozenset[tuple[str, ...]] | None = None


def target_of(path: str) -> Target | None:
    """Return what a path under /api or /apis names; None where it names no resource."""
    parts = [part for part in path.split("/") if part]
    match parts:
        case ["api", version, *rest] if rest:
            return _resource("", version, rest)
        case ["apis", group, version, *rest] if rest:
            return _resource(group, version, rest)
    return None


def _resource(group: str, version: str, rest: list[str]) -> Target:
    namespace = ""
    match rest:
        case ["namespaces", inside, below, *_] if below not in NAMED_BELOW_NAMESPACES:
            namespace, rest = inside, rest[2:]
    resource, name, sub = (*rest, "", "")[:3]
    if rest[0] == "namespaces" and name:
        namespace = name
    return Target(group, version, resource, namespace, name, sub)


def verb_of(request: Request, target: Target) -> str:
    """Return the verb that access rules know this request by."""
    if request.method == "GET" and not target.name:
        return "watch" if request.watches else "list"
    if request.method == "DELETE" and not target.name:
        return "deletecollection"
    return GET_VERBS.get(request.method, request.method.lower())
