"""OpenAPI v3 documents: the fields of the kinds, and that field validation is understood; kubectl asks for both."""

import re
from typing import Any

from simulations.kubernetes.failures import Json, PlainRefusal
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.pruning import BUILTIN_NAMES
from simulations.kubernetes.types import builtin_types

PLAIN = {"str": "string", "datetime": "string", "int": "integer", "bool": "boolean", "float": "number"}
PARAMETERS = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("dryRun", "fieldValidation")]
GVK = "x-kubernetes-group-version-kind"


def openapi(kinds: Kinds, path: str) -> Json:
    """Return the index of documents, or one of them."""
    where = path.removeprefix("/openapi/v3").strip("/")
    if not where:
        places = sorted({_place(kind) for kind in kinds.all()})
        return {"paths": {place: {"serverRelativeURL": f"/openapi/v3/{place}?hash=double"} for place in places}}
    served = [kind for kind in kinds.all() if _place(kind) == where]
    if not served:
        raise PlainRefusal(404, "404 page not found\n")
    schemas: Json = {}
    for kind in served:
        _add(kind, schemas)
    paths = {_path(kind): _operations(kind) for kind in served if not kind.virtual}
    info = {"title": "Kubernetes", "version": "v1.36.2"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _place(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def _path(kind: Kind) -> str:
    inside = "namespaces/{namespace}/" if kind.namespaced else ""
    return f"/{_place(kind)}/{inside}{kind.plural}/{{name}}"


def _operations(kind: Kind) -> Json:
    named = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(kind)}"}}}
    answered = {"responses": {"200": {"description": "OK", "content": content}}, GVK: named}
    verbs = {"get": answered, "put": answered | {"parameters": PARAMETERS}}
    return verbs | {"patch": answered | {"parameters": PARAMETERS}}


def _name(kind: Kind) -> str:
    return (
        ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind]) if kind.group else f"core.v1.{kind.kind}"
    )


def _add(kind: Kind, schemas: Json) -> None:
    named = [{"group": kind.group, "version": kind.version, "kind": kind.kind}]
    if kind.schema is not None:
        properties = {**(kind.schema.get("properties") or {})}
        schemas[_name(kind)] = {**kind.schema, "properties": properties, GVK: named}
        return
    top = BUILTIN_NAMES.get((kind.group, kind.kind), f"V1{kind.kind}")
    _add_type(top, schemas)
    schemas[_name(kind)] = {**schemas.get(top, {"type": "object"}), GVK: named}


def _add_type(name: str, schemas: Json) -> None:
    fields = builtin_types().get(name)
    if fields is None or name in schemas:
        return
    schemas[name] = {"type": "object"}
    schemas[name]["properties"] = {word: _schema(kind, schemas) for word, kind in fields.items()}


def _schema(kind: str, schemas: Json) -> dict[str, Any]:
    if matched := re.fullmatch(r"List\[(.+)\]", kind):
        return {"type": "array", "items": _schema(matched[1], schemas)}
    if matched := re.fullmatch(r"Dict\[str, (.+)\]", kind):
        return {"type": "object", "additionalProperties": _schema(matched[1], schemas)}
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if kind in builtin_types():
        _add_type(kind, schemas)
        return {"allOf": [{"$ref": f"#/components/schemas/{kind}"}]}
    return {}
