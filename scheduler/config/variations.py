"""Scenarios that try several values of some keys: every combination, each value checked where it is put."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any, Final

from scheduler.config.faults import did_you_mean, fault_at
from scheduler.config.yaml_file import Document, Where
from scheduler.model.errors import ConfigError, Fault

MOST: Final = 1000
"""Combinations of one file."""
BY_NAME: Final = frozenset({"traffic"})
"""Mappings whose keys are names of the user's choice: a name may be left out, all are meant then."""


def combinations(document: Document, asked: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield what each combination sets, by place; one that sets nothing where nothing is asked for.

    Raises:
        ConfigError: a key has no value, or there are too many combinations.
    """
    empty = [key for key, values in asked.items() if not values]
    if empty:
        raise ConfigError(*(fault_at(document, ("vary", key), "BadValue", f"vary.{key}: is empty") for key in empty))
    number = prod(len(values) for values in asked.values())
    if number > MOST:
        message = f"vary: {number} combinations are too many"
        raise ConfigError(fault_at(document, ("vary",), "BadValue", message, f"{MOST} or fewer; split them over files"))
    for values in product(*asked.values()):
        yield dict(zip(asked, values, strict=True))


def varied(document: Document, values: Mapping[str, Any]) -> Document:
    """Return a document with some values set; what is wrong with one is told with the line of `vary`.

    `hosts.gpu.count` is the key of the entry of that name, `hosts.count` that of every entry.

    Raises:
        ConfigError: there is no such place.
    """
    data, lines, files = deepcopy(document.data), dict(document.lines), dict(document.files)
    for key, value in values.items():
        of_vary = ("vary", key)
        for where in _places(document, data, key):
            _put(data, where, value)
            lines[where] = lines.get(of_vary, 0)
            files[where] = document.files.get(of_vary, document.file)
    return replace(document, data=data, lines=lines, files=files)


def _places(document: Document, data: Any, key: str) -> list[Where]:
    found: list[tuple[Where, Any]] = [((), data)]
    parts = key.split(".")
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        found = [inner for where, here in found for inner in _inside(where, here, part, is_last=is_last)]
        if not found:
            raise ConfigError(_unknown(document, data, key, parts[: number + 1]))
    return [where for where, _ in found]


def _inside(where: Where, here: Any, part: str, *, is_last: bool) -> Iterator[tuple[Where, Any]]:
    """Yield the places that a part of a key means; a name that may be left out is left out by the last part only."""
    if isinstance(here, list):
        named = [index for index, one in enumerate(here) if isinstance(one, Mapping) and one.get("name") == part]
        if named:
            yield from (((*where, index), here[index]) for index in named)
        elif is_last:
            yield from ((inner, None) for index in range(len(here)) for inner in [(*where, index, part)])
    elif isinstance(here, Mapping) and is_last and part not in here and where and where[-1] in BY_NAME:
        yield from (((*where, name, part), None) for name in here)
    elif isinstance(here, Mapping) and (part in here or is_last):
        yield (*where, part), here.get(part)
    elif isinstance(here, Mapping) and not where:
        yield (part,), {}


def _put(data: Any, where: Where, value: Any) -> None:
    for part in where[:-1]:
        if isinstance(data, dict):
            data.setdefault(part, {})
        data = data[part]
    data[where[-1]] = value


def _unknown(document: Document, data: Any, key: str, parts: Sequence[str]) -> Fault:
    here = data
    for part in parts[:-1]:
        here = here.get(part) if isinstance(here, Mapping) else here
    named = here if isinstance(here, list) else [{"name": name} for name in here or ()]
    names = [str(one["name"]) for one in named if isinstance(one, Mapping) and "name" in one]
    help_ = did_you_mean(parts[-1], names) or f"there are: {', '.join(names) or 'none'}"
    return fault_at(document, ("vary", key), "BadValue", f'vary.{key}: there is no "{parts[-1]}" in {parts[0]}', help_)
