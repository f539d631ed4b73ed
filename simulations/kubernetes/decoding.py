"""Bodies read as the server reads them: duplicate and unknown fields told, wrong types refused, the rest kept."""

import json
from typing import Any

import yaml

from simulations.kubernetes.failures import Json, Refused, bad_request
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.pruning import WrongType, prune
from simulations.kubernetes.requests import Request
from simulations.kubernetes.types import builtin_types

READABLE = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
MOST_BYTES = 3 * 1024 * 1024


class _Repeated(dict[str, Any]):
    """An object of a body that names some keys twice."""

    repeated: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = _Repeated(pairs)
    if len(made) == len(pairs):
        return dict(pairs)
    seen: set[str] = set()
    made.repeated = tuple(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return made


def check_size(request: Request) -> None:
    """Refuse a body that is too large for any server."""
    if len(request.body) > MOST_BYTES:
        words = f"Request entity too large: limit is {MOST_BYTES}"
        raise Refused(413, "RequestEntityTooLarge", words, {})


def read_body(request: Request, kind: Kind) -> Json:
    """Return the object in a body; raise what the server answers to one that it cannot read."""
    check_size(request)
    if request.content_type not in {"", "application/json", "application/yaml"}:
        words = f"the body of the request was in an unknown format - accepted media types include: {READABLE}"
        raise Refused(415, "UnsupportedMediaType", words)
    found = parse(
        request, f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; "
    )
    if not isinstance(found, dict):
        raise bad_request("the object provided is unrecognized")
    return found


def parse(request: Request, prefix: str = "") -> Any:
    """Return the JSON or YAML of a body."""
    text = request.body.decode()
    try:
        if request.content_type.endswith("yaml"):
            return yaml.safe_load(text)
        return json.loads(text, object_pairs_hook=_pairs)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise bad_request(f"{prefix}json parse error: unexpected end of JSON input ({text})") from error


def check_kind(kind: Kind, body: Json) -> None:
    """Refuse a body that says it is of another kind or version; fill both in where it says nothing."""
    said_version, said_kind = body.setdefault("apiVersion", kind.api_version), body.setdefault("kind", kind.kind)
    if not isinstance(said_version, str) or not isinstance(said_kind, str):
        raise bad_request("couldn't get version/kind; json parse error: json: cannot unmarshal into Go struct field")
    if not isinstance(body.get("metadata"), dict):
        body["metadata"] = {}
    if kind.custom:
        if said_version != kind.api_version:
            words = f"the API version in the data ({said_version}) does not match the expected API version"
            raise bad_request(f"{words} ({kind.api_version})")
        return
    if (said_version, said_kind) == (kind.api_version, kind.kind):
        return
    start = f'{said_kind} in version "{said_version.rpartition("/")[2]}" cannot be handled as a {kind.kind}: '
    if f"V1{said_kind}" in builtin_types():
        raise bad_request(f"{start}converting (v1.{said_kind}) to (core.{kind.kind}): unknown conversion")
    place = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"
    raise bad_request(f'{start}no kind "{said_kind}" is registered for version "{said_version}" in scheme "{place}"')


def decode(kind: Kind, body: Json, validation: str) -> tuple[Json, tuple[str, ...]]:
    """Return a created or put object as read, with the warnings to send; Strict makes them a 400."""
    start = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
    try:
        pruned, told = prune(kind, body)
    except WrongType as error:
        raise bad_request(start + str(error).format(kind=kind.kind)) from error
    if told and validation == "Strict":
        raise bad_request(f"{start}strict decoding error: {', '.join(told)}")
    return pruned, tuple(told) if validation != "Ignore" else ()
