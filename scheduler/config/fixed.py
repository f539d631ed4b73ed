"""What of `cluster.yaml` cannot change while the control plane runs: where it keeps its state, works and listens."""

from collections.abc import Iterator
from typing import Final

from scheduler.config.faults import fault_at
from scheduler.config.schema import Config
from scheduler.config.texts import dotted
from scheduler.config.yaml_file import Document
from scheduler.model.errors import Fault

FIXED: Final = (
    ("cluster",),
    ("state_dir",),
    ("store",),
    ("backend",),
    ("control", "period"),
    ("secrets",),
    ("api", "host"),
    ("api", "port"),
    ("api", "url"),
    ("router",),
    ("replay",),
)
CODE: Final = "NeedsRestart"


def fixed_faults(before: Config, after: Config, document: Document) -> Iterator[Fault]:
    """Yield a fault, with its line in `document`, for all that is otherwise and needs a restart."""
    for where in FIXED:
        if _at(before, where) != _at(after, where):
            message = f"{dotted(where)} cannot change while the control plane runs"
            yield fault_at(document, where, CODE, message, "restart the control plane for it, or put it back as it was")


def _at(config: Config, where: tuple[str, ...]) -> object:
    value: object = config
    for key in where:
        value = getattr(value, key)
    return value
