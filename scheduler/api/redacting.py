"""An answer without what its reader may not see: only fields that somebody has listed are shown. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, cast

from scheduler.wire.base import Resource

ResourceT = TypeVar("ResourceT", bound=Resource)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is shown of one type of resource.

    Attributes:
        shown: fields that are shown as they are; resources in them by their own rules.
        hidden: fields of which it was decided that they are not. Fields in neither are hidden as well.
        instead: fields in whose place something else stands, made of the whole resource.
    """

    shown: frozenset[str]
    hidden: frozenset[str] = frozenset()
    instead: Mapping[str, Callable[[Any], object]] = field(default_factory=dict)

    @property
    def decided(self) -> frozenset[str]:
        """All fields that somebody thought of."""
        return self.shown | self.hidden | frozenset(self.instead)


Rules: TypeAlias = Mapping[type[Resource], Rule]


def redacted(resource: ResourceT, rules: Rules) -> ResourceT:
    """Return a resource with what its type's rule shows; in place of the rest stands what would if nothing were known.

    Raises:
        KeyError: its type has no rule: nothing of it is shown.
    """
    kind = type(resource)
    rule, values = rules[kind], dict[str, Any](_asked_for(resource))
    values |= {name: _value(resource, name, rule, rules) for name in kind.model_fields}
    return cast("ResourceT", kind.model_construct(None, **values))


def _value(resource: Resource, name: str, rule: Rule, rules: Rules) -> object:
    if name in rule.instead:
        return rule.instead[name](resource)
    if name in rule.shown:
        return _shown(getattr(resource, name), rules)
    declared = type(resource).model_fields[name]
    return "" if declared.is_required() else declared.get_default(call_default_factory=True)


def _shown(value: object, rules: Rules) -> object:
    if isinstance(value, Resource):
        return redacted(value, rules)
    return tuple(_shown(each, rules) for each in value) if isinstance(value, tuple) else value


def _asked_for(resource: Resource) -> dict[str, float]:
    """Return the numbers beside the declared fields: quantiles that the reader has named."""
    extra = resource.model_extra or {}
    return {name: value for name, value in extra.items() if isinstance(value, float)}
