"""The patches that are no server-side apply: JSON Patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge."""

from copy import deepcopy
from typing import Any

from simulations.kubernetes.failures import Refused, bad_request, patch_failed
from simulations.kubernetes.types import Shape

MOST_OPERATIONS = 10_000


def json_patch(target: Any, operations: Any) -> Any:
    """Return the target with all operations done; raise 422 where one does not apply, without saying which."""
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MOST_OPERATIONS:
        words = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise Refused(413, "RequestEntityTooLarge", f"Request entity too large: {words}")
    document = [deepcopy(target)]
    for operation in operations:
        try:
            _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise patch_failed() from error
    return document[0]


def _operate(document: list[Any], operation: dict[str, Any]) -> None:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _read(document, path, missing_is_null=True) != operation.get("value"):
                raise ValueError(operation["path"])
        case "add":
            _add(document, path, deepcopy(operation["value"]))
        case "remove":
            _remove(document, path)
        case "replace":
            _read(document, path)
            _replace(document, path, deepcopy(operation["value"]))
        case "copy":
            _add(document, path, deepcopy(_read(document, _pointer(operation["from"]))))
        case "move":
            value = _read(document, _pointer(operation["from"]))
            _remove(document, _pointer(operation["from"]))
            _add(document, path, value)
        case other:
            raise ValueError(other)


def _pointer(text: str) -> list[str]:
    """Return the steps of a JSON pointer; the document hangs at 0 of a list, so that the root is no special case."""
    if text and not text.startswith("/"):
        raise ValueError(text)
    return ["0", *(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])]


def _step(value: Any, key: str) -> Any:
    return value[_index(value, key)] if isinstance(value, list) else value[key]


def _index(items: list[Any], key: str) -> int:
    index = int(key)
    if not 0 <= index < len(items):
        raise IndexError(key)
    return index


def _read(document: Any, path: list[str], *, missing_is_null: bool = False) -> Any:
    for place, key in enumerate(path):
        last = place == len(path) - 1
        if missing_is_null and last and isinstance(document, dict):
            return document.get(key)
        document = _step(document, key)
    return document


def _add(document: list[Any], path: list[str], value: Any) -> None:
    parent: Any = _read(document, path[:-1])
    if parent is document:
        document[0] = value
    elif not isinstance(parent, list):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    else:
        index = int(path[-1])
        if not 0 <= index <= len(parent):
            raise IndexError(path[-1])
        parent.insert(index, value)


def _remove(document: list[Any], path: list[str]) -> None:
    parent = _read(document, path[:-1])
    del parent[_index(parent, path[-1]) if isinstance(parent, list) else path[-1]]


def _replace(document: list[Any], path: list[str], value: Any) -> None:
    parent: Any = _read(document, path[:-1])
    where: Any = _index(parent, path[-1]) if isinstance(parent, list) else path[-1]
    parent[where] = value


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target with a merge patch: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def strategic_patch(target: Any, patch: Any, shape: Shape) -> Any:
    """Return the target with a strategic merge patch: lists merge by the key that the type names."""
    if not isinstance(patch, dict):
        return patch
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key.startswith("$"):
            _directive(merged, key, value)
        elif value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            merged.pop(key, None)
        else:
            merged[key] = _merge_field(merged.get(key), value, shape.field(key))
    return merged


def _directive(merged: dict[str, Any], key: str, value: Any) -> None:
    """Obey what stands beside a list: only deletion of primitives and, without effect here, the order."""
    word, _, field = key.partition("/")
    if word == "$deleteFromPrimitiveList":
        merged[field] = [item for item in merged.get(field, []) if item not in value]
    elif word == "$retainKeys":
        for name in [name for name in merged if name not in value]:
            del merged[name]


def _merge_field(have: Any, value: Any, shape: Shape) -> Any:
    if not isinstance(value, list):
        return strategic_patch(have, value, shape)
    if not shape.merge_key:
        return value
    if shape.merge_key == "$set":
        return [*(have or []), *(item for item in value if item not in (have or []))]
    return _merge_list(have or [], value, shape)


def _merge_list(have: list[Any], patch: list[Any], shape: Shape) -> list[Any]:
    key = shape.merge_key
    if not all(_is_keyed(item, key) for item in patch):
        raise bad_request(f"map does not contain declared merge key: {key}")
    patch = [item for item in patch if "$setElementOrder" not in item]
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if item.get("$patch") != "replace"]
    gone = {item.get(key) for item in patch if item.get("$patch") == "delete"}
    before = {item.get(key): item for item in have}
    given = [item for item in patch if item.get("$patch") != "delete"]
    changed = [strategic_patch(before.get(item.get(key), {}), item, shape.item()) for item in given]
    named = {item.get(key) for item in patch}
    kept = [item for item in have if item.get(key) not in named | gone]
    return _interleaved(changed, kept, list(before), key)


def _is_keyed(item: Any, key: str) -> bool:
    """Say whether an element can be told from others: by its key, or by being a directive."""
    if not isinstance(item, dict):
        return False
    return "$patch" in item or "$setElementOrder" in item or isinstance(item.get(key), str | int)


def _interleaved(changed: list[Any], kept: list[Any], order: list[Any], key: str) -> list[Any]:
    """Return both lists in one: the old order among what was there, what is new as early as its own list has it."""
    merged: list[Any] = []
    while changed and kept:
        new = changed[0].get(key)
        first = new not in order or order.index(new) < order.index(kept[0].get(key))
        merged.append(changed.pop(0) if first else kept.pop(0))
    return merged + changed + kept
