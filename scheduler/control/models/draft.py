"""A model as somebody wants it deployed, and what is otherwise than in the revision before. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.control.settings import Served

ENVIRONMENT: Final = "application.runtime_env"
SILENT: Final = f"{ENVIRONMENT}: another one"


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

    Of an environment, which may hold what not everybody shall read, it is said only that it is another one.
    """
    old, new = dict(_leaves(json.loads(before))), dict(_leaves(json.loads(after)))
    otherwise = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    said = (SILENT if key.startswith(ENVIRONMENT) else _said(key, old.get(key), new.get(key)) for key in otherwise)
    return tuple(dict.fromkeys(said))


def _said(key: str, old: object, new: object) -> str:
    match (_is_nothing(old), _is_nothing(new)):
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
