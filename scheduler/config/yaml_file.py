"""Reads YAML into plain values, remembering on which line each of them stands.

Two departures from YAML 1.1, because they bite: only true and false are truth values (the Norwegian wiki is called
`no`), and time stamps stay text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import yaml

from scheduler.model.errors import ConfigError, Fault

Where: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root of a document to one of its values."""
_MAX_DEPTH: Final = 50


@dataclass(frozen=True, slots=True)
class Document:
    """The content of one YAML file.

    Attributes:
        file: its path as the user wrote it.
        data: mappings, sequences and scalars.
        lines: 1-based line of each key and each item.
        faults: keys that stand twice.
        files: of what comes from another file, which.
    """

    file: str
    data: object
    lines: Mapping[Where, int]
    faults: tuple[Fault, ...] = ()
    files: Mapping[Where, str] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """YAML's safe types, without YAML 1.1's surprises."""

    yaml_implicit_resolvers: Final = {  # type: ignore[misc]  # PyYAML keeps this table as an attribute of the class
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag not in {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool"} or first in "tTfF"
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path) -> Document:
    """Read a file.

    Raises:
        ConfigError: it cannot be read or is not YAML. A key that stands twice is kept for whoever judges the content.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            Fault("UnreadableFile", f"cannot be read: {error.strerror}", str(path), help="check the path")
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(Fault("UnreadableFile", "is not UTF-8 text", str(path), help="save it as UTF-8")) from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str) -> Document:
    """Read YAML from a text; `file` names it in faults.

    Raises:
        ConfigError: as `read_yaml`.
    """
    try:
        return _read(_Loader(text), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"is not YAML: {error.problem or error.context}"
        raise ConfigError(Fault("BadYaml", message, file, mark.line + 1 if mark else 0)) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"is not YAML: it has the control character U+{error.character:04X}"
        raise ConfigError(Fault("BadYaml", message, file, line, help="remove it")) from error
    except RecursionError as error:
        raise ConfigError(Fault("BadYaml", "is not YAML: it is nested too deeply", file)) from error


def _read(loader: _Loader, file: str) -> Document:
    try:
        node = loader.get_single_node()
        reading = _Reading(loader, file)
        data = reading.value(node, ()) if node is not None else {}
    finally:
        loader.dispose()
    return Document(file, data, reading.lines, tuple(reading.faults))


class _Reading:
    """One pass over a tree of nodes, collecting lines and duplicate keys.

    Attributes:
        lines: see `Document`.
        faults: keys that stand twice.
    """

    def __init__(self, loader: _Loader, file: str) -> None:
        self._loader = loader
        self._file = file
        self.lines: dict[Where, int] = {}
        self.faults: list[Fault] = []

    def value(self, node: yaml.Node, where: Where) -> object:
        """Return the plain value of a node."""
        if len(where) > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem="it contains itself, or is nested too deeply", problem_mark=node.start_mark
            )
        self.lines.setdefault(where, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> object:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError, AttributeError) as error:  # !!int of a word, thousands of digits
            raise yaml.MarkedYAMLError(problem="this value cannot be read", problem_mark=node.start_mark) from error

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, object]:
        self._find_duplicates(node.value, where)
        self._loader.flatten_mapping(node)
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            self.lines[*where, key] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, (*where, key))
        return found

    def _find_duplicates(self, pairs: Sequence[tuple[yaml.Node, yaml.Node]], where: Where) -> None:
        first_line: dict[str, int] = {}
        for key_node, _ in pairs:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in first_line and key != "<<":
                message = f'"{key}" stands twice, first on line {first_line[key]}'
                field = ".".join(str(part) for part in (*where, key))
                self.faults.append(Fault("DuplicateKey", message, self._file, line, field, "keep one of them"))
            first_line.setdefault(key, line)
