"""Objects cut down to the fields of their kind: what is unknown or said twice is told, wrong types are refused."""

from datetime import UTC, datetime
from typing import Any

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.quantities import is_quantity
from simulations.kubernetes.types import Shape, of_custom, of_type

GO_TYPES = {"str": "string", "int": "int32", "bool": "bool", "float": "float64", "datetime": "v1.Time"}
BUILTIN_NAMES = {("", "Event"): "CoreV1Event", ("events.k8s.io", "Event"): "EventsV1Event"}
TYPES: dict[str, Any] = {"str": str, "datetime": str, "bool": bool, "int": int, "float": (int, float)}
AMOUNTS = {
    "requests", "limits", "capacity", "allocatable", "hard", "used", "max", "min", "default", "defaultRequest",
    "maxLimitRequestRatio", "overhead",
}  # fmt: skip
QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"


def shape_of(kind: Kind) -> Shape:
    """Return the shape of a kind's objects."""
    if kind.schema is not None:
        return of_custom(kind.schema)
    return of_type(BUILTIN_NAMES.get((kind.group, kind.kind), f"V1{kind.kind}"))


class WrongType(Exception):
    """A value of another type than the field's."""


def prune(kind: Kind, body: Json) -> tuple[Json, list[str]]:
    """Return the body without what the kind does not know, and what was left out, in the server's words."""
    told: list[str] = []
    pruned = _prune(shape_of(kind), body, (), told, custom=kind.custom)
    return pruned, told


def _prune(shape: Shape, value: Any, path: tuple[str, ...], told: list[str], *, custom: bool) -> Any:
    if value is None:
        return {} if shape.form == "object" and path and path[-1].endswith("]") else None
    if isinstance(value, list):
        if shape.form not in {"list", "any"} and not custom:
            raise WrongType(_mismatch(shape, value, path))
        item = shape.item() if shape.form == "list" else Shape()
        return [_prune(item, each, _indexed(path, place), told, custom=custom) for place, each in enumerate(value)]
    if isinstance(value, dict):
        if shape.form in {"list", "leaf"} and not custom:
            raise WrongType(_mismatch(shape, value, path))
        return _prune_object(shape, value, path, told, custom=custom)
    if not custom:
        _check_leaf(shape, value, path)
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


def _check_leaf(shape: Shape, value: Any, path: tuple[str, ...]) -> None:
    """Refuse a value that the field cannot hold; amounts may be numbers, but must be quantities."""
    if len(path) > 1 and path[-2] in AMOUNTS and shape.type == "str":
        if not is_quantity(value):
            raise WrongType(f"quantities must match the regular expression '{QUANTITY}'")
    elif not _fits(shape, value):
        raise WrongType(_mismatch(shape, value, path))


def _fits(shape: Shape, value: Any) -> bool:
    if shape.form in {"object", "map", "list"}:
        return False
    allowed = TYPES.get(shape.type)
    if isinstance(value, bool):
        return allowed is None or allowed is bool
    return allowed is None or isinstance(value, allowed)


def _mismatch(shape: Shape, value: Any, path: tuple[str, ...]) -> str:
    word = {str: "string", bool: "bool", dict: "object", list: "array"}.get(type(value), "number")
    wanted = GO_TYPES.get(shape.type, f"v1.{shape.type.removeprefix('V1')}")
    wanted = {"map": "map[string]string", "list": f"[]{wanted}"}.get(shape.form, wanted)
    plain = ".".join(part.partition("[")[0] for part in path)
    return f"json: cannot unmarshal {word} into Go struct field {{kind}}.{plain} of type {wanted}"
