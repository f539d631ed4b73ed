"""Objects of the Kubernetes API in files, as `kubectl get -o yaml` or `-o json` writes them."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from scheduler.model.errors import ConfigError

STANDARD_INPUT: Final = Path("-")
HELP: Final = "write it by kubectl get inferenceservices,deployments,hpa -A -o yaml"


def objects_in(files: Iterable[Path]) -> list[Mapping[str, Any]]:
    """Return the objects of all documents in files; "-" is standard input.

    Raises:
        ConfigError: a file cannot be read, is no YAML, or has something else than objects.
    """
    return [found for file in files for found in _objects(file)]


def _objects(file: Path) -> list[Mapping[str, Any]]:
    try:
        documents = list(yaml.load_all(_text(file), Loader=yaml.CSafeLoader))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", help=HELP) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())[:200]}", help=HELP) from error
    found = [each for each in documents if each is not None]
    if not found or not all(isinstance(each, Mapping) and isinstance(each.get("kind"), str) for each in found):
        raise ConfigError(f"{file} has something else than objects of Kubernetes", help=HELP)
    return found


def _text(file: Path) -> str:
    return sys.stdin.read() if file == STANDARD_INPUT else file.read_text(encoding="utf-8")
