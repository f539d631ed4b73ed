"""Server-side apply: what a manager applied is its own, and what another owns is not taken without force."""

from typing import Any

from simulations.kubernetes.failures import Json, Refused, bad_request, invalid, required
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.managing import APPLY, UPDATE, Manager, managers_of
from simulations.kubernetes.ownership import ITEM, Leaves, Path, Paths, dotted, key_of, leaves_of
from simulations.kubernetes.pruning import shape_of
from simulations.kubernetes.requests import Request
from simulations.kubernetes.types import Shape


def check_apply(request: Request, body: Json) -> None:
    """Refuse an apply by nobody, or one that brings its own bookkeeping."""
    if not request.query.get("fieldManager"):
        cause = required("fieldManager", "is required for apply patch")
        raise invalid("meta.k8s.io", "PatchOptions", "", [cause])
    if (body.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")


def applied(kind: Kind, old: Json, body: Json, request: Request, part: str) -> tuple[Json, frozenset[Path]]:
    """Return the object after an apply, and the paths that now belong to who applied."""
    shape = shape_of(kind)
    wanted = leaves_of(shape, body, () if part == "status" else ("status",) if "status" in kind.subresources else ())
    managers, me = managers_of(old), (request.manager, APPLY, part)
    others = [each for each in managers if each.key != me]
    if not request.flag("force"):
        _refuse_conflicts(others, wanted, leaves_of(shape, old))
    before: Paths = next((each.paths for each in managers if each.key == me), set())
    dropped = before - wanted.keys() - {path for each in others for path in each.paths}
    merged = _merge(shape, old, {word: value for word, value in body.items() if word != "status" or part == "status"})
    return _without(shape, merged, dropped, ()), frozenset(wanted)


def _refuse_conflicts(others: list[Manager], wanted: Leaves, live: Leaves) -> None:
    found = [
        (each, path)
        for each in others
        for path in sorted(each.paths & wanted.keys())
        if path[-1] != ITEM and live.get(path) != wanted[path]
    ]
    if not found:
        return
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(each)}", "field": dotted(path)}
        for each, path in found
    ]
    plural = "s" if len(found) > 1 else ""
    message = f"Apply failed with {len(found)} conflict{plural}: {_listed(found)}"
    raise Refused(409, "Conflict", message, {"causes": causes})


def _named(manager: Manager) -> str:
    shown = f'"{manager.name}"'
    shown += f' with subresource "{manager.part}"' if manager.part else ""
    return f"{shown} using {manager.version}" if manager.operation == UPDATE else shown


def _listed(found: list[tuple[Manager, Path]]) -> str:
    by_manager: dict[str, list[str]] = {}
    for manager, path in found:
        by_manager.setdefault(_named(manager), []).append(dotted(path))
    if len(found) == 1:
        return "".join(f"conflict with {name}: {paths[0]}" for name, paths in by_manager.items())
    return "\n".join(
        f"conflicts with {name}:\n" + "\n".join(f"- {path}" for path in paths) for name, paths in by_manager.items()
    )


def _merge(shape: Shape, live: Any, given: Any) -> Any:
    if isinstance(given, dict) and isinstance(live, dict) and not shape.atomic:
        return live | {word: _merge(shape.field(word), live.get(word), value) for word, value in given.items()}
    if isinstance(given, list) and isinstance(live, list) and shape.list_keys and not shape.atomic:
        return _merge_list(shape, live, given)
    return given


def _merge_list(shape: Shape, live: list[Any], given: list[Any]) -> list[Any]:
    if shape.list_keys == ("$set",):
        return [*live, *(item for item in given if item not in live)]
    wanted = {key_of(shape, item): item for item in given}
    have = {key_of(shape, item): item for item in live}
    merged = [_merge(shape.item(), item, wanted[key]) if key in wanted else item for key, item in have.items()]
    return [*merged, *(item for key, item in wanted.items() if key not in have)]


def _without(shape: Shape, value: Any, dropped: Paths, path: Path) -> Any:
    """Return a value without the leaves that nobody owns any more; what is left empty by that goes too."""
    if not any(each[: len(path)] == path for each in dropped):
        return value
    if isinstance(value, dict):
        kept = {}
        for word, each in value.items():
            here = (*path, f"f:{word}")
            left = _without(shape.field(word), each, dropped, here)
            if here not in dropped and (left or not each):
                kept[word] = left
        return kept
    if isinstance(value, list) and shape.list_keys and shape.list_keys != ("$set",):
        items = [(each, (*path, key_of(shape, each))) for each in value]
        return [_without(shape.item(), each, dropped, here) for each, here in items if (*here, ITEM) not in dropped]
    return value
