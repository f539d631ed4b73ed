"""Reads `cluster.yaml`: each value on its own first, then what must hold between them."""

from pathlib import Path

from scheduler.config.checks import LIVE_CHECKS, cross_faults
from scheduler.config.faults import read_section
from scheduler.config.files import beside
from scheduler.config.schema import Config
from scheduler.config.yaml_file import Document, read_yaml
from scheduler.model.errors import ConfigError


def load_config(path: Path) -> Config:
    """Return the validated configuration; as `load_with_lines`."""
    return load_with_lines(path)[0]


def load_with_lines(path: Path) -> tuple[Config, Document]:
    """Return the validated configuration, and the document with its lines; files are relative to its own directory.

    Raises:
        ConfigError: with every fault found, each with its line. Faults between values are looked for once each value
            is sound.
    """
    document = read_yaml(path)
    config = _with_files_found(read_section(document, Config, "cluster"), path.parent)
    faults = (*cross_faults(config, document), *cross_faults(config, document, LIVE_CHECKS))
    if faults:
        raise ConfigError(*faults)
    return config, document


def _with_files_found(config: Config, directory: Path) -> Config:
    moved = {name: beside(source, directory) for name, source in config.traffic.items()}
    secrets = {name: beside(source, directory) for name, source in config.secrets.items()}
    return config.model_copy(update={"traffic": moved, "secrets": secrets})
