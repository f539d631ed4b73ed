"""Structural schemas of custom resources: defaults filled in, types and limits checked, in the server's words."""

import json
from typing import Any

from simulations.kubernetes.failures import Cause, Json, invalid_value, required, unsupported
from simulations.kubernetes.quantities import is_quantity

PYTHON: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "object": dict,
    "array": list,
}
WORDS = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def fill_defaults(schema: Json, value: Any) -> None:
    """Fill in the schema's defaults, downwards; a default that was filled in is walked too."""
    if isinstance(value, list):
        for item in value:
            fill_defaults(schema.get("items") or {}, item)
        return
    if not isinstance(value, dict):
        return
    for name, below in (schema.get("properties") or {}).items():
        if name not in value and "default" in below:
            value[name] = json.loads(json.dumps(below["default"]))
        if name in value:
            fill_defaults(below, value[name])
    if isinstance(extra := schema.get("additionalProperties"), dict):
        for name, each in value.items():
            if name not in (schema.get("properties") or {}):
                fill_defaults(extra, each)


def schema_causes(schema: Json, body: Json) -> list[Cause]:
    """Return what of an object breaks its schema."""
    causes: list[Cause] = []
    for name, below in (schema.get("properties") or {}).items():
        if name in body and name not in {"metadata", "apiVersion", "kind"}:
            _check(below, body[name], name, causes)
    causes += [required(name) for name in schema.get("required") or [] if name not in body]
    return causes


def _check(schema: Json, value: Any, where: str, causes: list[Cause]) -> None:
    if value is None and schema.get("nullable"):
        return
    if not _type_fits(schema, value):
        causes.append(_wrong_type(schema, value, where))
        return
    _check_limits(schema, value, where, causes)
    if isinstance(value, dict):
        _check_object(schema, value, where, causes)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check(schema.get("items") or {}, item, f"{where}[{place}]", causes)


def _type_fits(schema: Json, value: Any) -> bool:
    if schema.get("x-kubernetes-int-or-string"):
        return isinstance(value, str | int) and not isinstance(value, bool)
    kind = schema.get("type")
    if kind is None:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    return bool(isinstance(value, PYTHON[kind]))


def _wrong_type(schema: Json, value: Any, where: str) -> Cause:
    word = WORDS.get(type(value), "null")
    wanted = schema.get("type") or "integer or string"
    shown = "null" if value is None else f'"{word}"'
    message = f"Invalid value: {shown}: {where} in body must be of type {wanted}: {shown}"
    return Cause(where, "FieldValueTypeInvalid", message)


def _check_object(schema: Json, value: Json, where: str, causes: list[Cause]) -> None:
    properties = schema.get("properties") or {}
    causes += [required(f"{where}.{name}") for name in schema.get("required") or [] if name not in value]
    extra = schema.get("additionalProperties")
    for name, each in value.items():
        below = properties.get(name, extra if isinstance(extra, dict) else None)
        if below is not None:
            _check(below, each, f"{where}.{name}", causes)


def _check_limits(schema: Json, value: Any, where: str, causes: list[Cause]) -> None:
    if isinstance(value, str) and "enum" in schema and value not in schema["enum"]:
        causes.append(unsupported(where, value, [str(each) for each in schema["enum"]]))
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(schema, value, where, causes)
    if isinstance(value, list):
        _check_count(schema, len(value), where, causes)
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        why = f"{where} in body should be at least {schema['minLength']} chars long"
        causes.append(invalid_value(where, f'"{value}"', why))
    if isinstance(value, str) and len(value) > schema.get("maxLength", len(value)):
        causes.append(Cause(where, "FieldValueTooLong", f"Too long: may not be more than {schema['maxLength']} bytes"))
    if _quantity(schema) and not is_quantity(value):
        causes.append(invalid_value(where, f'"{value}"', f"{where} in body should match '{schema['pattern']}'"))


def _quantity(schema: Json) -> bool:
    return bool(schema.get("x-kubernetes-int-or-string")) and "pattern" in schema


def _check_number(schema: Json, value: float, where: str, causes: list[Cause]) -> None:
    if value < schema.get("minimum", value):
        why = f"{where} in body should be greater than or equal to {schema['minimum']}"
        causes.append(invalid_value(where, str(value), why))
    if value > schema.get("maximum", value):
        why = f"{where} in body should be less than or equal to {schema['maximum']}"
        causes.append(invalid_value(where, str(value), why))


def _check_count(schema: Json, count: int, where: str, causes: list[Cause]) -> None:
    if count < schema.get("minItems", 0):
        why = f"{where} in body should have at least {schema['minItems']} items"
        causes.append(invalid_value(where, str(count), why))
    if count > schema.get("maxItems", count):
        message = f"Too many: {count}: must have at most {schema['maxItems']} items"
        causes.append(Cause(where, "FieldValueTooMany", message))
