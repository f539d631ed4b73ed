"""Refusals of the API: what is raised inside, and the Status body that a client reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simulations.kubernetes.kinds import Kind

Json = dict[str, Any]

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
OUR_ERROR = "the server rejected our request due to an error in our request"
NO_SUCH_RESOURCE = "the server could not find the requested resource"


@dataclass(frozen=True)
class Cause:
    """One broken rule: which field, which reason word, which message."""

    field: str
    reason: str
    message: str

    @property
    def text(self) -> str:
        """Return the cause as it stands in the message."""
        return f"{self.field}: {self.message}"


@dataclass
class Refused(Exception):
    """A request that ends with an error status."""

    code: int
    reason: str | None
    message: str
    details: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)

    def body(self) -> Json:
        """Return the Status object."""
        status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        status["message"] = self.message
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


@dataclass
class PlainRefusal(Exception):
    """A request that ends with plain text, as priority and fairness and unknown paths do."""

    code: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


def _details(name: str, group: str, kind: str) -> Json:
    named = {"name": name} if name else {}
    return named | ({"group": group} if group else {}) | ({"kind": kind} if kind else {})


def not_found(kind: Kind, name: str) -> Refused:
    """Return the 404 of an object."""
    return Refused(404, "NotFound", f'{kind.resource} "{name}" not found', _details(name, kind.group, kind.plural))


def no_resource() -> Refused:
    """Return the 404 of a path whose kind or subresource nobody serves."""
    return Refused(404, "NotFound", NO_SUCH_RESOURCE, {})


def already_exists(kind: Kind, name: str, *, deleting: bool) -> Refused:
    """Return the 409 of a name that is taken."""
    message = f'{"object is being deleted: " if deleting else ""}{kind.resource} "{name}" already exists'
    return Refused(409, "AlreadyExists", message, _details(name, kind.group, kind.plural))


def conflict(kind: Kind, name: str, why: str = MODIFIED, *, by_kind: bool = False, sub: str = "") -> Refused:
    """Return the 409 of a write against another version."""
    shown = kind.qualified_kind if by_kind else f"{kind.plural}/{sub}" if sub else kind.resource
    word = kind.kind if by_kind else f"{kind.plural}/{sub}" if sub else kind.plural
    message = f'Operation cannot be fulfilled on {shown} "{name}": {why}'
    return Refused(409, "Conflict", message, _details(name, kind.group, word))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Refused:
    """Return the 422 of broken rules, all of them in one message."""
    texts = [cause.text for cause in causes]
    said = texts[0] if len(set(texts)) == 1 else f"[{', '.join(dict.fromkeys(texts))}]"
    shown = f"{kind}.{group}" if group else kind
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    details = _details(name, group, kind) | {"causes": listed}
    return Refused(422, "Invalid", f'{shown} "{name}" is invalid: {said}', details)


def bad_request(message: str) -> Refused:
    """Return a 400."""
    return Refused(400, "BadRequest", message)


def forbidden(kind: Kind, name: str, why: str) -> Refused:
    """Return the 403 of an admission plugin."""
    shown = f'{kind.resource} "{name}" is forbidden: {why}'
    return Refused(403, "Forbidden", shown, _details(name, kind.group, kind.plural))


def patch_failed() -> Refused:
    """Return the 422 of a JSON Patch that does not apply: nothing says which operation failed."""
    return Refused(422, "Invalid", OUR_ERROR, {})


def not_implemented(what: str) -> Refused:
    """Return the 501 of this double: a real server knows what it does not."""
    return Refused(501, "NotImplemented", f"the double of the Kubernetes API does not know {what}")


def invalid_value(where: str, value: str, why: str) -> Cause:
    """Return a cause of type Invalid value; the value is given as it is to be shown."""
    return Cause(where, "FieldValueInvalid", f"Invalid value: {value}: {why}")


def forbidden_change(where: str, why: str) -> Cause:
    """Return a cause of type Forbidden."""
    return Cause(where, "FieldValueForbidden", f"Forbidden: {why}")


def required(where: str, why: str = "") -> Cause:
    """Return a cause of type Required value."""
    return Cause(where, "FieldValueRequired", f"Required value: {why}" if why else "Required value")


def unsupported(where: str, value: str, supported: Sequence[str]) -> Cause:
    """Return a cause of type Unsupported value."""
    listed = ", ".join(f'"{word}"' for word in supported)
    return Cause(where, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {listed}')
