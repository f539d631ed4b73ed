"""LimitRange: defaults put into containers, and refusals of what is under its minimum or over its maximum."""

from collections.abc import Iterator
from decimal import Decimal

from simulations.kubernetes.failures import Json, forbidden
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.quantities import canonical, decimal_form, value
from simulations.kubernetes.store import Store

RANGES = ("", "limitranges")
NOTE = "kubernetes.io/limit-ranger"


def items_of(store: Store, namespace: str, kind: str) -> Iterator[Json]:
    """Yield the limits of a namespace for containers or pods."""
    for entry in store.entries(RANGES, namespace):
        for item in (entry.object().get("spec") or {}).get("limits") or []:
            if item.get("type") == kind:
                yield item


def fill_limits(store: Store, body: Json) -> None:
    """Put the defaults into a pod's containers and note which."""
    notes: list[str] = []
    for item in items_of(store, body["metadata"]["namespace"], "Container"):
        for container in body["spec"].get("containers") or []:
            notes += [_fill(container, item, "requests", "defaultRequest"), _fill(container, item, "limits", "default")]
    if said := [note for note in notes if note]:
        body["metadata"].setdefault("annotations", {})[NOTE] = f"LimitRanger plugin set: {'; '.join(said)}"


def _fill(container: Json, item: Json, word: str, source: str) -> str:
    have = container["resources"].setdefault(word, {})
    added = sorted(name for name in item.get(source) or {} if name not in have)
    for name in added:
        have[name] = canonical(item[source][name])
    if not have:
        del container["resources"][word]
    return f"{', '.join(added)} {word[:-1]} for container {container.get('name', '')}" if added else ""


def check_limits(store: Store, kind: Kind, body: Json) -> None:
    """Refuse a pod outside the limits of its namespace."""
    namespace, name = body["metadata"].get("namespace", ""), body["metadata"].get("name", "")
    containers = body["spec"].get("containers") or []
    for item in items_of(store, namespace, "Container"):
        for container in containers:
            for why in _faults(item, _amounts([container], "requests"), _amounts([container], "limits")):
                raise forbidden(kind, name, why)
    for item in items_of(store, namespace, "Pod"):
        for why in _faults(item, _amounts(containers, "requests"), _amounts(containers, "limits")):
            raise forbidden(kind, name, why)


def _amounts(containers: list[Json], word: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        for name, amount in ((container.get("resources") or {}).get(word) or {}).items():
            total[name] = total.get(name, Decimal(0)) + value(amount)
    return total


def _faults(item: Json, requests: dict[str, Decimal], limits: dict[str, Decimal]) -> Iterator[str]:
    of = f"per {item['type']}"
    for name, least in (item.get("min") or {}).items():
        if name not in requests:
            yield f"minimum {name} usage {of} is {canonical(least)}.  No request is specified"
        elif requests[name] < value(least):
            yield f"minimum {name} usage {of} is {canonical(least)}, but request is {decimal_form(requests[name])}"
    for name, most in (item.get("max") or {}).items():
        if name not in limits:
            yield f"maximum {name} usage {of} is {canonical(most)}.  No limit is specified"
        elif limits[name] > value(most):
            yield f"maximum {name} usage {of} is {canonical(most)}, but limit is {decimal_form(limits[name])}"
