"""Turns what pydantic says of a document into faults that people can act on: where, what is wrong, what to write."""

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from records.fault import RecordError
from scheduler.config.fields import known_keys
from scheduler.config.texts import BAD_TEXT, dotted, place_of, shown, unusable_texts
from scheduler.config.units import AS_WRITTEN, UnitError
from scheduler.config.yaml_file import Document, Where
from scheduler.model.errors import ConfigError, Fault

SectionT = TypeVar("SectionT", bound=BaseModel)
MOST_FAULTS: Final = 100
"""Nobody reads more, and a hostile document has millions."""


def read_section(document: Document, section: type[SectionT], topic: str) -> SectionT:
    """Validate a whole document as `section`.

    Args:
        document: the values and their lines.
        section: what it must look like.
        topic: what `headroom explain` calls it.

    Raises:
        ConfigError: with a fault for everything that is wrong.
    """
    if not isinstance(document.data, Mapping):
        raise ConfigError(Fault("BadValue", "is not a mapping of keys to values", document.file, help=_all_keys(topic)))
    faults = [*document.faults, *unusable_texts(document)]
    try:
        read = section.model_validate(document.data, context=AS_WRITTEN)
    except ValidationError as error:
        details = _causes(error.errors(include_url=False))
        faults += (_fault(detail, document, section, topic) for detail in details[:MOST_FAULTS])
        raise ConfigError(*in_order(faults, len(details) - MOST_FAULTS)) from error
    if faults:
        raise ConfigError(*in_order(faults))
    return read


def in_order(faults: Iterable[Fault], left_out: int = 0) -> list[Fault]:
    """Return faults by line, each once; of very many only the first, and how many more there are.

    What cannot even be written down is said of a field, and nothing else is.
    """
    found = sorted(dict.fromkeys(faults), key=lambda fault: fault.line)
    unusable = {fault.field for fault in found if fault.code == BAD_TEXT}
    kept = [fault for fault in found if fault.code == BAD_TEXT or fault.field not in unusable]
    more = max(0, left_out) + max(0, len(kept) - MOST_FAULTS)
    return [*kept[:MOST_FAULTS], *([Fault("BadValue", f"and {more} more faults like these")] if more else [])]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return 'did you mean "x"?' for the nearest known word, or ""."""
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def fault_at(document: Document, where: Where, code: str, message: str, help: str = "") -> Fault:  # noqa: A002  # users' word
    """Return a fault of the value at `where`, with the line of the nearest thing that is really there."""
    return Fault(code, message, *place_of(document, where), dotted(where), help)


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short where it is so only because its entries are wrong."""
    places = [detail["loc"] for detail in details]

    def only_follows(detail: ErrorDetails) -> bool:
        loc = detail["loc"]
        return detail["type"] == "too_short" and any(len(at) > len(loc) and at[: len(loc)] == loc for at in places)

    return [detail for detail in details if not only_follows(detail)]


def _fault(detail: ErrorDetails, document: Document, section: type[BaseModel], topic: str) -> Fault:
    where = _in_document(detail["loc"], document.data)
    if detail["type"] == "union_tag_invalid":
        where = (*where, "kind")
    if detail["type"] == "extra_forbidden":
        keys = known_keys(section, where[:-1])
        name = shown(str(where[-1]))
        help_ = f"{did_you_mean(name, keys)} {_all_keys(topic)}".strip()
        return fault_at(document, where, "UnknownField", f'unknown key "{name}"', help_)
    if detail["type"] == "missing":
        return fault_at(document, where, "MissingField", f"{dotted(where)} is missing", _example(where, section, topic))
    message, help_ = _bad_value(detail, where)
    return fault_at(document, where, "BadValue", message, help_ or _meaning(where, section))


def _in_document(loc: Where, data: object) -> Where:
    """Drop from pydantic's path the names of union members, which stand in no file."""
    where: Where = ()
    for position, part in enumerate(loc):
        found, inner = _inside(data, part)
        if found or (position == len(loc) - 1 and isinstance(data, Mapping)):
            where, data = (*where, part), inner
    return where


def _inside(data: object, part: str | int) -> tuple[bool, object]:
    if isinstance(data, Mapping):
        return part in data, data.get(part)
    if isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
        return True, data[part]
    return False, data


def _bad_value(detail: ErrorDetails, where: Where) -> tuple[str, str]:
    context = detail.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, UnitError | RecordError):
        text = str(cause)
        return (f"{where[-1]} {text}" if text.startswith('"') else f"{dotted(where)}: {text}"), cause.help
    if detail["type"] in _WORDS:
        return _WORDS[detail["type"]](dotted(where), _shown(detail["input"]), context)
    return f"{dotted(where)}: {_shown(detail['input'])}: {detail['msg']}", ""


def _shown(value: object) -> str:
    try:
        return shown(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):  # a number of thousands of digits; what contains itself
        return f"what is there, {type(value).__name__},"


def _not_one_of(field: str, shown: str, context: Mapping[str, object]) -> tuple[str, str]:
    expected = str(context.get("expected") or context.get("expected_tags")).replace("'", "").replace(" or ", ", ")
    known = [word.strip() for word in expected.split(",")]
    return f"{field}: {shown} is not one of {', '.join(known)}", did_you_mean(shown.strip('"'), known)


def _not_a_tag(field: str, _: str, context: Mapping[str, object]) -> tuple[str, str]:
    expected = str(context["expected_tags"]).replace("'", "")
    return _not_one_of(field, f'"{context["tag"]}"', {"expected": expected})


_WORDS: Final[dict[str, Callable[[str, str, Mapping[str, object]], tuple[str, str]]]] = {
    "greater_than_equal": lambda field, shown, ctx: (f"{field}: {shown} is too small", f"use {ctx['ge']:g} or more"),
    "greater_than": lambda field, shown, ctx: (f"{field}: {shown} is too small", f"use more than {ctx['gt']:g}"),
    "less_than_equal": lambda field, shown, ctx: (f"{field}: {shown} is too large", f"use {ctx['le']:g} or less"),
    "less_than": lambda field, shown, ctx: (f"{field}: {shown} is too large", f"use less than {ctx['lt']:g}"),
    "literal_error": _not_one_of,
    "union_tag_invalid": _not_a_tag,
    "union_tag_not_found": lambda field, _, __: (f"{field}.kind is missing", "kind says which of its forms is meant"),
    "string_type": lambda field, shown, _: (f"{field}: {shown} is not text", f'put it in quotes: "{shown}"'),
    "int_type": lambda field, shown, _: (f"{field}: {shown} is not a whole number", ""),
    "int_parsing": lambda field, shown, _: (f"{field}: {shown} is not a whole number", ""),
    "int_from_float": lambda field, shown, _: (f"{field}: {shown} is not a whole number", ""),
    "float_type": lambda field, shown, _: (f"{field}: {shown} is not a number", ""),
    "float_parsing": lambda field, shown, _: (f"{field}: {shown} is not a number", ""),
    "bool_type": lambda field, shown, _: (f"{field}: {shown} is neither true nor false", ""),
    "bool_parsing": lambda field, shown, _: (f"{field}: {shown} is neither true nor false", ""),
    "tuple_type": lambda field, shown, _: (f"{field}: {shown} is not a list", ""),
    "dict_type": lambda field, shown, _: (f"{field}: {shown} is not a mapping of keys to values", ""),
    "model_attributes_type": lambda field, shown, _: (f"{field}: {shown} is not a mapping of keys to values", ""),
    "model_type": lambda field, shown, _: (f"{field}: {shown} is not a mapping of keys to values", ""),
    "too_short": lambda field, _, __: (f"{field}: is empty", "give at least one"),
    "string_too_long": lambda field, _, ctx: (f"{field}: is too long", f"use {ctx['max_length']} characters or fewer"),
    "string_too_short": lambda field, _, __: (f"{field}: is empty", ""),
    "string_pattern_mismatch": lambda field, shown, _: (f"{field}: {shown} is not allowed", ""),
}


def _example(where: Where, section: type[BaseModel], topic: str) -> str:
    field = known_keys(section, where[:-1])[str(where[-1])]
    if not field.examples:
        return _all_keys(topic)
    example, name = field.examples[0], where[-1]
    as_flag = f'     (or --{name} "{example}")' if topic == "job" and len(where) == 1 else ""
    return f"{name}: {example}{as_flag}"


def _meaning(where: Where, section: type[BaseModel]) -> str:
    field = known_keys(section, where[:-1]).get(str(where[-1])) if where else None
    return (field.description or "").rstrip(".") if field else ""


def _all_keys(topic: str) -> str:
    return f"all keys: headroom explain {topic}"
