"""A model as somebody wants it deployed, and what is otherwise than in the revision before. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.control.settings import Served

ENVIRONMENT: Final = "application.runtime_env"
ARGUMENTS: Final = "application.args"
UNSAID: Final = "another one"
"""Stands for values that not everybody may read who reads what has changed."""


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model that may become a revision.

    Attributes:
        name: its name.
        body: JSON of its section, with all defaults.
        served: the same, read.
        source: where it comes from, for people.
    """

    name: str
    body: str
    served: Served
    source: str = ""


def replicas_are_alike(one: Served, other: Served) -> bool:
    """Whether a replica of one is just like a replica of the other: it takes as much, and runs the same."""
    return (one.application, one.model.shape) == (other.application, other.model.shape)


def changes(before: str, after: str) -> tuple[str, ...]:
    """Return what is otherwise in a body than in one before, a sentence a key, in the order of the file.

    Of arguments the names are said and no values; of an environment only that it is another one.
    """
    old, new = dict(_leaves(json.loads(before))), dict(_leaves(json.loads(after)))
    said = (_said(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key))
    return tuple(dict.fromkeys(filter(None, said)))


def artifact_in(body: str) -> object:
    """Return the path of the artifact that replicas are started with; None where there is none."""
    application = json.loads(body).get("application") or {}
    return application.get("args", {}).get("artifact")


def with_artifact(body: str, path: str) -> str:
    """Return a body, of a model that runs an application, with another artifact; just the same if it has that one."""
    if artifact_in(body) == path:
        return body
    section = json.loads(body)
    section["application"]["args"] = {**section["application"].get("args", {}), "artifact": path}
    return json.dumps(section, separators=(",", ":"), ensure_ascii=False)


def _said(key: str, old: object, new: object) -> str:
    """Return what to say of a key; "" where there was nothing and is nothing."""
    if key.startswith(ENVIRONMENT):
        return f"{ENVIRONMENT}: {UNSAID}"
    match (_is_nothing(old), _is_nothing(new)):
        case (True, True):
            return ""
        case (_, is_gone) if key.startswith(ARGUMENTS):
            return f"{key}: {'no longer there' if is_gone else UNSAID}"
        case (True, _):
            return f"{key}: {_shown(new)}"
        case (_, True):
            return f"{key}: no longer {_shown(old)}"
    return f"{key}: {_shown(old)} → {_shown(new)}"


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _is_nothing(value: object) -> bool:
    return value in (None, "", [], {})


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
