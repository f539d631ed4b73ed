"""What of `cluster.yaml` cannot change while the control plane runs: where it keeps state and listens, and replicas."""

from collections.abc import Collection, Iterator
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
IN_PLACE: Final = ("application", "resources")
"""Of a model, what its replicas are: those that run would have to stop for others to start."""
CODE: Final = "NeedsRestart"


def fixed_faults(before: Config, after: Config, document: Document, stored: Collection[str] = ()) -> Iterator[Fault]:
    """Yield a fault, with its line in `document`, for all that is otherwise and needs a restart.

    Args:
        before: what counts now.
        after: what is to count.
        document: that `after` was read from.
        stored: models that the store owns: whatever the file says of them counts no more.
    """
    for where in FIXED:
        if _at(before, where) != _at(after, where):
            message = f"{dotted(where)} cannot change while the control plane runs"
            yield fault_at(document, where, CODE, message, "restart the control plane for it, or put it back as it was")
    yield from _replicas_faults(before, after, document, stored)


def _replicas_faults(before: Config, after: Config, document: Document, stored: Collection[str]) -> Iterator[Fault]:
    was = {model.name: model for model in before.models if model.name not in stored}
    for index, model in enumerate(after.models):
        old = was.get(model.name, model)
        is_ours = model.application is not None or old.application is not None
        for key in IN_PLACE:
            if is_ours and getattr(old, key) != getattr(model, key):
                message = f"{model.name}: {key} cannot change in place, its replicas would have to stop first"
                help_ = "deploy it with headroom models deploy --take-over, give it another name, or restart"
                yield fault_at(document, ("models", index, key), CODE, message, help_)


def _at(config: Config, where: tuple[str, ...]) -> object:
    value: object = config
    for key in where:
        value = getattr(value, key)
    return value
