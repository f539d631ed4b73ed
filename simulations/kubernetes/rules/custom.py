"""Custom resources: defaults, types and CEL rules out of the schema of their definition."""

from dataclasses import replace
from functools import cache

from simulations.kubernetes.failures import Cause, Json, invalid_value
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rules.base import Rules
from simulations.kubernetes.rules.cel import rule_causes
from simulations.kubernetes.rules.cluster import keep_status
from simulations.kubernetes.rules.schema import fill_defaults, schema_causes

UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete "
    "validation"
)


@cache
def custom_rules(kind: Kind) -> Rules:
    """Return the rules of a custom kind."""
    schema = kind.schema or {}
    has_status = "status" in kind.subresources

    def fill(body: Json) -> None:
        fill_defaults(schema, body)

    def create(body: Json, around: Surroundings) -> None:
        del around
        if has_status:
            body.pop("status", None)

    def check(body: Json) -> list[Cause]:
        return _all_causes(kind, schema, body, None)

    def check_update(new: Json, old: Json) -> list[Cause]:
        return _all_causes(kind, schema, new, old)

    def check_status(new: Json, old: Json) -> list[Cause]:
        return [_below_status(cause) for cause in _all_causes(kind, schema, new, old)]

    update = keep_status if has_status else Rules().update
    return Rules(fill, create, update, check, check_update, check_status)


def _all_causes(kind: Kind, schema: Json, body: Json, old: Json | None) -> list[Cause]:
    if body.get("kind") != kind.kind:
        return [invalid_value("kind", f'"{body.get("kind")}"', f"must be {kind.kind}")]
    if causes := schema_causes(schema, body):
        return [*causes, unchecked()]
    return rule_causes(schema, body, old)


def _below_status(cause: Cause) -> Cause:
    """Return a cause as the status subresource words it: its messages name fields from the status on."""
    return replace(cause, message=cause.message.replace(": status.", ": "))


def unchecked() -> Cause:
    """Return what the server adds where CEL rules could not be asked any more."""
    return invalid_value("<nil>", "null", UNCHECKED)
