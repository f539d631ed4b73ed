"""CEL rules of custom resource definitions (`x-kubernetes-validations`), asked of old and new values."""

from collections.abc import Iterator
from typing import Any

from simulations.kubernetes.expressions import Expression, compiled
from simulations.kubernetes.failures import Cause, Json, invalid_value

RULES = "x-kubernetes-validations"


def rule_causes(schema: Json, body: Json, old: Json | None) -> list[Cause]:
    """Return which rules an object breaks; rules about the old value are asked only where there is one."""
    return list(_walk(schema, body, old, ""))


def _walk(schema: Json, value: Any, old: Any, where: str) -> Iterator[Cause]:
    if value is None:
        return
    for rule in schema.get(RULES) or ():
        if not _holds(rule, value, old):
            yield _broken(where or "<nil>", value, _message(rule))
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        for name, below in properties.items():
            if name in value and has_rules(below):
                yield from _walk(below, value[name], (old or {}).get(name), f"{where}.{name}" if where else name)
    elif isinstance(value, list) and has_rules(schema.get("items") or {}):
        yield from _walk_list(schema, value, old, where)


def _walk_list(schema: Json, value: list[Any], old: Any, where: str) -> Iterator[Cause]:
    """Elements of keyed lists are compared with those of the same key; others have no old value."""
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    before = {tuple(item.get(key) for key in keys): item for item in old or [] if keys and isinstance(item, dict)}
    for place, item in enumerate(value):
        earlier = before.get(tuple(item.get(key) for key in keys)) if keys else None
        yield from _walk(schema["items"], item, earlier, f"{where}[{place}]")


def _holds(rule: Json, value: Any, old: Any) -> bool:
    expression: Expression = compiled(rule["rule"])
    if expression.mentions("oldSelf"):
        return old is None or expression.holds({"self": value, "oldSelf": old})
    return expression.holds({"self": value})


def _message(rule: Json) -> str:
    return str(rule.get("message") or f"failed rule: {rule['rule']}")


def _broken(where: str, value: Any, why: str) -> Cause:
    """Return the cause; an object or a list is not shown."""
    if isinstance(value, dict | list):
        return Cause(where, "FieldValueInvalid", f"Invalid value: {why}")
    return invalid_value(where, f'"{value}"' if isinstance(value, str) else str(value), why)


_KNOWN: dict[int, tuple[Json, bool]] = {}


def has_rules(schema: Json) -> bool:
    """Say whether a schema or anything below it has rules; remembered, because schemas are large."""
    found = _KNOWN.get(id(schema))
    if found is None:
        below = [*(schema.get("properties") or {}).values(), schema.get("items") or {}]
        found = schema, RULES in schema or any(has_rules(each) for each in below if each)
        _KNOWN[id(schema)] = found
    return found[1]
