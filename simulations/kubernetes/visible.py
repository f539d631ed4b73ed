"""Which fields of an object a field selector can ask for."""

from typing import Any

from simulations.kubernetes.failures import Json, bad_request
from simulations.kubernetes.kinds import Kind

ALWAYS = ("metadata.name", "metadata.namespace")
ALIASES = {
    "status.successful": "status.succeeded",
    "reportingComponent": "reportingComponent",
    "source": "source.component",
}


def selectable(kind: Kind, body: Json) -> dict[str, str]:
    """Return the values that field selectors see."""
    metadata = body["metadata"]
    found = {"metadata.name": metadata.get("name", ""), "metadata.namespace": metadata.get("namespace", "")}
    for path in kind.fields:
        found[path] = _text(_value(body, ALIASES.get(path, path)), path)
    return found


def _value(body: Json, path: str) -> Any:
    value: Any = body
    for part in path.split("."):
        if part == "involvedObject" and part not in value:
            part = "regarding"  # noqa: PLW2901  # the same field under the newer group's name
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _text(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return {"spec.unschedulable": "false", "status.successful": "0", "spec.hostNetwork": "false"}.get(path, "")
    return str(value)


def check_fields(kind: Kind, terms: list[tuple[str, str, str]]) -> None:
    """Refuse a selector on a field that cannot be asked for."""
    for path, _, _ in terms:
        if path in ALWAYS or path in kind.fields:
            continue
        if kind.custom or (kind.plural in {"pods", "nodes", "namespaces", "secrets", "events"} and not kind.group):
            raise bad_request(f"field label not supported: {path}")
        if kind.fields:
            raise bad_request(f'field label "{path}" not supported for {kind.kind}')
        raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
