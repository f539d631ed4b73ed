"""Looks into sections: which keys they have at a place, and what each key means, for errors and `headroom explain`."""

import builtins
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from scheduler.config import units


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a file.

    Attributes:
        path: "models[].resources.memory"; "*" stands for a name of the user's choice.
        values: what may be written there, for instance "size (8Gi, 16G)".
        default: what holds when it is left out; "(needed)" when it may not be.
        meaning: one sentence.
    """

    path: str
    values: str
    default: str
    meaning: str


def known_keys(section: type[BaseModel], where: Sequence[str | int]) -> dict[str, FieldInfo]:
    """Return the fields that may stand at a place; of all forms where the section there has several."""
    here = [section]
    for part in where:
        inside = [found for one in here if part in one.model_fields for found in _sections(_annotation(one, str(part)))]
        here = inside or here
    return {name: field for one in here for name, field in one.model_fields.items()}


def keys(section: type[BaseModel], prefix: str = "") -> Iterator[Key]:
    """Yield every key of a section and of the sections in it, in the order of the file."""
    for name, field in section.model_fields.items():
        annotation = _annotation(section, name)
        path = f"{prefix}{name}"
        yield Key(path, _values(annotation), _default(field, annotation), _one_line(field.description or ""))
        for inner in _sections(annotation):
            yield from keys(inner, f"{path}{_suffix(annotation)}{_form(inner)}.")


def _annotation(section: type[BaseModel], name: str) -> object:
    return typing.get_type_hints(section, include_extras=True)[name]


def _sections(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _sections(argument)]


def _suffix(annotation: object) -> str:
    return {"tuple": "[]", "dict": ".*"}.get(_container(annotation), "")


def _form(section: type[BaseModel]) -> str:
    kind = section.model_fields.get("kind")
    return f"({get_args(kind.annotation)[0]})" if kind else ""


def _container(annotation: object) -> str:
    """Return "tuple", "dict" or "" for anything else."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _container(get_args(annotation)[0])
    return origin.__name__ if origin in {tuple, dict} else ""


def _values(annotation: object) -> str:
    if annotation in _WRITTEN or _unit(annotation) in _WRITTEN:
        return _WRITTEN.get(_unit(annotation)) or _WRITTEN[annotation]
    if _sections(annotation) and not _is_mixed(annotation):
        return {"tuple": "list", "dict": "mapping"}.get(_container(annotation), "section")
    arguments = [one for one in get_args(annotation) if one is not type(None)]
    match get_origin(annotation):
        case typing.Annotated:
            written = _values(arguments[0])
        case typing.Literal:
            written = " | ".join(arguments)
        case typing.Union | types.UnionType:
            written = " | ".join(_values(one) for one in arguments)
        case builtins.tuple:
            written = f"list of {_values(arguments[0])}"
        case builtins.dict:
            written = f"mapping of names to {_values(arguments[1])}"
        case _:
            written = "anything"
    return written


def _is_mixed(annotation: object) -> bool:
    """Whether a value, or one of a mapping, is a section or something plain."""
    forms = _forms(get_args(annotation)[1] if _container(annotation) == "dict" else annotation)
    return len({bool(_sections(form)) for form in forms}) > 1


def _forms(annotation: object) -> list[object]:
    """Return the types that a value may have."""
    match get_origin(annotation):
        case typing.Annotated:
            return _forms(get_args(annotation)[0])
        case typing.Union | types.UnionType:
            return [form for one in get_args(annotation) if one is not type(None) for form in _forms(one)]
    return [annotation]


def _unit(annotation: object) -> object:
    """Return the function of `scheduler.config.units` that reads such values, or None."""
    metadata = getattr(annotation, "__metadata__", ())
    return next((one.func for one in metadata if isinstance(one, BeforeValidator)), None)


_WRITTEN: Final[Mapping[object, str]] = {
    units.duration_s: "duration",
    units.size_field: "size",
    units.names: "text | list of text",
    units.workers: "whole number | range (2-8)",
    units.cores: "number",
    units.devices: "number",
    Path: "path",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true | false",
}


def _default(field: FieldInfo, annotation: object) -> str:
    if field.is_required():
        return "(needed)"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", (), {}):
        return "-"
    return _FORMATS.get(_unit(annotation), _plain)(value)


def _plain(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case BaseModel():
            return "-"
        case tuple():
            return ", ".join(str(one) for one in value)
        case dict():
            return ", ".join(f"{name} {one}" for name, one in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


_FORMATS: Final[Mapping[object, Callable[[Any], str]]] = {
    units.duration_s: units.format_duration,
    units.size_field: units.format_size,
    units.workers: units.format_workers,
}


def _one_line(text: str) -> str:
    return " ".join(text.split())
