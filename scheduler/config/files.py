"""Files that a traffic source of a configuration names, found beside the YAML file that names them."""

from pathlib import Path
from typing import Final, TypeVar

from scheduler.config.schema import Section

Source = TypeVar("Source", bound=Section)

_KEYS: Final = ("file", "holidays")


def beside(source: Source, directory: Path) -> Source:
    """Return a traffic source whose relative paths start at `directory`."""
    return source.model_copy(update={name: directory / path for name, path in files_of(source).items()})


def files_of(source: Section) -> dict[str, Path]:
    """Return the files that a traffic source reads, by key."""
    named = {name: getattr(source, name, None) for name in _KEYS}
    return {name: path for name, path in named.items() if path is not None}
