"""Text that no file, database or environment can carry: found in a document before anything else is said of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from scheduler.config.yaml_file import Document, Where
from scheduler.model.errors import Fault

BAD_TEXT: Final = "BadText"
"""Code of what is found here."""
DEEPEST: Final = 50
"""Mappings and lists within each other."""
UNUSABLE: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL ends a text early wherever C is spoken; half of a surrogate pair is no character in any encoding."""
HELP: Final = "remove it"
LONGEST_SHOWN: Final = 60


def unusable_texts(document: Document) -> tuple[Fault, ...]:
    """Return a fault for each key and value with a character that nothing can carry, and for too deep nesting."""
    return tuple(_faults(document, document.data, ()))


def shown(text: str) -> str:
    """Return a text that any encoding and any line of a terminal can show: cut, and with marks for what is unusable."""
    short = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in short)


def dotted(where: Where) -> str:
    """Return "models.0.name"."""
    return ".".join(shown(str(part)) for part in where)


def place_of(document: Document, where: Where) -> tuple[str, int]:
    """Return file and line of the nearest thing to `where` that is really there; line 0 when nothing is."""
    near = next((where[:n] for n in range(len(where), 0, -1) if where[:n] in document.lines), ())
    return document.files.get(near, document.file), document.lines.get(near, 0) if near else 0


def _faults(document: Document, value: object, where: Where) -> Iterator[Fault]:
    if len(where) > DEEPEST:
        yield _fault(document, where[:2], "is nested too deeply", f"use {DEEPEST} levels or fewer")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of_text(document, str(key), (*where, key), "the key ")
            yield from _faults(document, inner, (*where, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _faults(document, inner, (*where, index))
    elif isinstance(value, str):
        yield from _of_text(document, value, where, "")


def _of_text(document: Document, text: str, where: Where, what: str) -> Iterator[Fault]:
    found = UNUSABLE.search(text)
    if found:
        yield _fault(document, where, f"{what}has U+{ord(found[0]):04X}, which no text may have", HELP)


def _fault(document: Document, where: Where, message: str, help_: str) -> Fault:
    said = f"{dotted(where)}: {message}" if where else message
    return Fault(BAD_TEXT, said, *place_of(document, where), dotted(where), help_)
