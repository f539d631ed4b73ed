"""Field sets of managedFields: the leaves of an object by path, as FieldsV1 writes them, read and written."""

import json
from collections.abc import Iterator
from typing import Any

from simulations.kubernetes.failures import Json
from simulations.kubernetes.types import Shape

Path = tuple[str, ...]
Leaves = dict[Path, Any]
Paths = set[Path]
ITEM = "."  # that an element of a keyed list is there at all
SYSTEM = {
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "selfLink", "managedFields", "generateName",
}  # fmt: skip


def leaves_of(shape: Shape, body: Json, left_out: tuple[str, ...] = ()) -> Leaves:
    """Return the leaves of an object that somebody can own, by path."""
    found: Leaves = {}
    for word, value in body.items():
        if word not in {"apiVersion", "kind", *left_out}:
            found.update(_leaves(shape.field(word), value, (f"f:{word}",)))
    return {path: value for path, value in found.items() if not _is_system(path)}


def _is_system(path: Path) -> bool:
    return path[0] == "f:metadata" and (len(path) == 1 or path[1].removeprefix("f:") in SYSTEM)


def _leaves(shape: Shape, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if shape.atomic or not value or not isinstance(value, dict | list):
        yield path, value
    elif isinstance(value, dict):
        for word, each in value.items():
            yield from _leaves(shape.field(word), each, (*path, f"f:{word}"))
    elif shape.list_keys == ("$set",):
        for each in value:
            yield (*path, f"v:{json.dumps(each)}"), each
    elif shape.list_keys:
        for each in value:
            yield from _item(shape, each, path)
    else:
        yield path, value


def _item(shape: Shape, value: Json, path: Path) -> Iterator[tuple[Path, Any]]:
    here = (*path, key_of(shape, value))
    yield (*here, ITEM), None
    for word, each in value.items():
        yield from _leaves(shape.item().field(word), each, (*here, f"f:{word}"))


def key_of(shape: Shape, item: Json) -> str:
    """Return how an element of a keyed list is named in a path."""
    keys = {key: item[key] for key in sorted(shape.list_keys) if key in item}
    return f"k:{json.dumps(keys, separators=(',', ':'))}"


def tree_of(paths: Paths) -> Json:
    """Return paths in the form of FieldsV1."""
    tree: Json = {}
    for path in sorted(paths):
        here = tree
        for step in path:
            here = here.setdefault(step, {})
    return tree


def paths_of(tree: Json, path: Path = ()) -> Paths:
    """Return the paths that a FieldsV1 holds."""
    found: Paths = set()
    for step, below in tree.items():
        if below:
            found |= paths_of(below, (*path, step))
        else:
            found.add((*path, step))
    return found


def dotted(path: Path) -> str:
    """Return a path as messages show it."""
    shown = ""
    for step in path:
        if step.startswith("f:"):
            shown += f".{step[2:]}"
        elif step.startswith("k:"):
            keys = json.loads(step[2:])
            shown += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]"
        elif step.startswith("v:"):
            shown += f"[={step[2:]}]"
    return shown
