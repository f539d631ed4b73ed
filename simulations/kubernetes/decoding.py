"""Bodies read as the server reads them: duplicate and unknown fields told, wrong types refused, the rest kept."""

import json
from datetime import UTC, datetime
from typing import Any

import yaml

from simulations.kubernetes.failures import Json, Refused, bad_request
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.requests import Request
from simulations.kubernetes.types import Shape, builtin_types, of_custom, of_type

READABLE = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
MOST_BYTES = 3 * 1024 * 1024
GO_TYPES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64", "datetime": "v1.Time"}
BUILTIN_NAMES = {("", "Event"): "CoreV1Event", ("events.k8s.io", "Event"): "EventsV1Event"}


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


def shape_of(kind: Kind) -> Shape:
    """Return the shape of a kind's objects."""
    if kind.schema is not None:
        return of_custom(kind.schema)
    return of_type(BUILTIN_NAMES.get((kind.group, kind.kind), f"V1{kind.kind}"))


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


class WrongType(Exception):
    """A value of another type than the field's."""


def prune(kind: Kind, body: Json) -> tuple[Json, list[str]]:
    """Return the body without what the kind does not know, and what was left out, in the server's words."""
    told: list[str] = []
    pruned = _prune(shape_of(kind), body, (), told, custom=kind.custom)
    return pruned, told


def _prune(shape: Shape, value: Any, path: tuple[str, ...], told: list[str], *, custom: bool) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        if shape.form not in {"list", "any"} and not custom:
            raise WrongType(_mismatch(shape, value, path))
        item = shape.item() if shape.form == "list" else Shape()
        return [_prune(item, each, _indexed(path, place), told, custom=custom) for place, each in enumerate(value)]
    if isinstance(value, dict):
        if shape.form in {"list", "leaf"} and not custom:
            raise WrongType(_mismatch(shape, value, path))
        return _prune_object(shape, value, path, told, custom=custom)
    if not custom and not _fits(shape, value):
        raise WrongType(_mismatch(shape, value, path))
    return in_utc(value) if shape.type == "datetime" else value


def in_utc(text: str) -> str:
    """Return a time as the server writes it; what is no time is left to the rules of its kind."""
    if text.endswith("Z"):
        return text
    try:
        when = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return text
    return when.strftime(f"%Y-%m-%dT%H:%M:%S{'.%f' if '.' in text else ''}Z")


def _indexed(path: tuple[str, ...], place: int) -> tuple[str, ...]:
    return (*path[:-1], f"{path[-1]}[{place}]") if path else path


def _prune_object(shape: Shape, value: Json, path: tuple[str, ...], told: list[str], *, custom: bool) -> Json:
    known = shape.fields()
    told += [f'duplicate field "{".".join((*path, key))}"' for key in getattr(value, "repeated", ())]
    kept: Json = {}
    for key, each in value.items():
        if known is not None and key not in known and not (custom and shape.schema and _open(shape.schema)):
            told.append(f'unknown field "{".".join((*path, key))}"')
            continue
        below = shape.field(key)
        kept[key] = _prune(below, each, (*path, key), told, custom=custom and below.type != "V1ObjectMeta")
    return {key: each for key, each in kept.items() if each is not None or custom}


def _open(schema: Json) -> bool:
    return "additionalProperties" in schema


def _fits(shape: Shape, value: Any) -> bool:
    if shape.form in {"object", "map", "list"}:
        return False
    expected = {"str": (str, int, float), "datetime": (str,), "bool": (bool,), "int": (int,), "float": (int, float)}
    allowed = expected.get(shape.type)
    if shape.type == "str" and isinstance(value, bool):
        return False
    return allowed is None or (isinstance(value, allowed) and not (shape.type == "int" and isinstance(value, bool)))


def _mismatch(shape: Shape, value: Any, path: tuple[str, ...]) -> str:
    word = {str: "string", bool: "bool", dict: "object", list: "array"}.get(type(value), "number")
    wanted = GO_TYPES.get(shape.type, f"v1.{shape.type.removeprefix('V1')}")
    wanted = {"map": "map[string]string", "list": f"[]{wanted}"}.get(shape.form, wanted)
    plain = ".".join(part.partition("[")[0] for part in path)
    return f"json: cannot unmarshal {word} into Go struct field {{kind}}.{plain} of type {wanted}"


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
