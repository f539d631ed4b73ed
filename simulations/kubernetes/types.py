"""Shapes of objects: which fields a type has, and how lists in it merge; built-in types and CRD schemas alike."""

import gzip
import json
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Form = Literal["object", "map", "list", "leaf", "any"]

# Type and field, the strategic merge key, the keys of server-side apply: the Go types' patchMergeKey and listMapKey.
LIST_KEYS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("V1PodSpec", "containers"): ("name", ("name",)),
    ("V1PodSpec", "initContainers"): ("name", ("name",)),
    ("V1PodSpec", "ephemeralContainers"): ("name", ("name",)),
    ("V1PodSpec", "volumes"): ("name", ("name",)),
    ("V1PodSpec", "imagePullSecrets"): ("name", ("name",)),
    ("V1PodSpec", "hostAliases"): ("ip", ("ip",)),
    ("V1PodSpec", "schedulingGates"): ("name", ("name",)),
    ("V1PodSpec", "resourceClaims"): ("name", ("name",)),
    ("V1PodSpec", "topologySpreadConstraints"): ("topologyKey", ("topologyKey", "whenUnsatisfiable")),
    ("V1Container", "env"): ("name", ("name",)),
    ("V1Container", "ports"): ("containerPort", ("containerPort", "protocol")),
    ("V1Container", "volumeMounts"): ("mountPath", ("mountPath",)),
    ("V1Container", "volumeDevices"): ("devicePath", ("devicePath",)),
    ("V1PodStatus", "conditions"): ("type", ("type",)),
    ("V1PodStatus", "podIPs"): ("ip", ("ip",)),
    ("V1NodeSpec", "podCIDRs"): ("$set", ()),
    ("V1NodeStatus", "conditions"): ("type", ("type",)),
    ("V1NodeStatus", "addresses"): ("type", ("type",)),
    ("V1JobStatus", "conditions"): ("type", ()),
    ("V1DeploymentStatus", "conditions"): ("type", ("type",)),
    ("V1ReplicaSetStatus", "conditions"): ("type", ("type",)),
    ("V1ServiceSpec", "ports"): ("port", ("port", "protocol")),
    ("V1ServiceAccount", "secrets"): ("name", ("name",)),
    ("V1ObjectMeta", "ownerReferences"): ("uid", ("uid",)),
    ("V1ObjectMeta", "finalizers"): ("$set", ("$set",)),
    ("V1PodDisruptionBudgetStatus", "conditions"): ("type", ("type",)),
}
# Structs that server-side apply takes as a whole.
ATOMIC = {"V1LabelSelector", "V1NodeSelector", "V1SecretReference", "V1LocalObjectReference", "V1ObjectReference"}
ATOMIC_FIELDS = {("V1PodSpec", "nodeSelector"), ("V1ServiceSpec", "selector")}


@dataclass(frozen=True)
class Shape:
    """One place in an object: its form, its fields, and how its lists merge."""

    form: Form = "any"
    type: str = ""
    merge_key: str = ""
    list_keys: tuple[str, ...] = ()
    atomic: bool = False
    schema: dict[str, Any] | None = field(default=None, compare=False)

    def fields(self) -> dict[str, Any] | None:
        """Return the known fields, or None where anything may stand."""
        if self.schema is not None:
            return None if self.schema.get("x-kubernetes-preserve-unknown-fields") else self.schema.get("properties")
        return builtin_types().get(self.type) if self.form == "object" else None

    def field(self, name: str) -> "Shape":
        """Return the shape of a field."""
        if self.schema is not None:
            return _of_schema(self._below(name))
        if self.form == "map":
            return of_type(self.type)
        known = (builtin_types().get(self.type) or {}).get(name) if self.form == "object" else None
        return _of_field(self.type, name, known) if known else ANY

    def _below(self, name: str) -> dict[str, Any] | None:
        schema = self.schema or {}
        found = (schema.get("properties") or {}).get(name)
        if found is None and isinstance(schema.get("additionalProperties"), dict):
            found = schema["additionalProperties"]
        return found if isinstance(found, dict) else None

    def item(self) -> "Shape":
        """Return the shape of a list's elements."""
        if self.schema is not None:
            return _of_schema(self.schema.get("items"))
        return of_type(self.type)


ANY = Shape()


@cache
def builtin_types() -> dict[str, dict[str, str]]:
    """Return the fields of the built-in types, as the official client knows them."""
    packed = files("simulations.kubernetes").joinpath("data/fields.json.gz").read_bytes()
    loaded: dict[str, dict[str, str]] = json.loads(gzip.decompress(packed))
    return loaded


@cache
def of_type(name: str) -> Shape:
    """Return the shape of a type by the client's name for it."""
    if matched := re.fullmatch(r"List\[(.+)\]", name):
        return Shape("list", matched[1])
    if matched := re.fullmatch(r"Dict\[str, (.+)\]", name):
        return Shape("map", matched[1])
    if name in builtin_types():
        return Shape("object", name, atomic=name in ATOMIC)
    return Shape("any" if name == "object" else "leaf", name)


@cache
def _of_field(owner: str, name: str, kind: str) -> Shape:
    shape = of_type(kind)
    merge_key, list_keys = LIST_KEYS.get((owner, name), ("", ()))
    atomic = shape.atomic or (owner, name) in ATOMIC_FIELDS or (shape.form == "list" and not list_keys)
    return Shape(shape.form, shape.type, merge_key, list_keys, atomic)


def _of_schema(schema: dict[str, Any] | None) -> Shape:
    if not isinstance(schema, dict):
        return ANY
    kind = schema.get("type")
    if kind == "array":
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        set_like = ("$set",) if schema.get("x-kubernetes-list-type") == "set" else ()
        return Shape("list", list_keys=keys or set_like, atomic=not (keys or set_like), schema=schema)
    if kind == "object":
        return Shape("object", atomic=schema.get("x-kubernetes-map-type") == "atomic", schema=schema)
    return Shape("any" if kind is None else "leaf", str(kind), schema=schema)


def of_custom(schema: dict[str, Any]) -> Shape:
    """Return the shape of a custom resource, its metadata that of every object."""
    properties = {**schema.get("properties", {}), "metadata": {"x-builtin": "V1ObjectMeta"}}
    return _Custom("object", schema={**schema, "properties": properties})


class _Custom(Shape):
    """The top of a custom resource: metadata is built-in, the rest is the schema's."""

    def field(self, name: str) -> Shape:
        return of_type("V1ObjectMeta") if name == "metadata" else super().field(name)
