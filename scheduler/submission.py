"""What a client sends of a job: a file or mapping with the fields given beside it, and where its faults stand."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from scheduler.config.faults import fault_at
from scheduler.config.job import read_job
from scheduler.config.yaml_file import Document, read_yaml
from scheduler.model.errors import Fault

RESOURCE_KEYS: Final = frozenset({"cpus", "memory", "gpus", "gpu_model", "gpu_memory", "host_labels"})
"""Keys of `resources` in a job, which are also taken directly."""


def document_of(
    job: object, working_dir: str | os.PathLike[str] | None, fields: Mapping[str, object]
) -> tuple[Document, str]:
    """Return a job as it is to be sent, and the directory to upload with it, "" for none.

    Args:
        job: a mapping, the path of a file, or None.
        working_dir: overrides the job's own, which is relative to the file.
        fields: further keys, which win over the job's.

    Raises:
        ConfigError: with all faults, each with its file and line where it has one.
    """
    given = read_yaml(Path(job)) if isinstance(job, str | os.PathLike) else Document("", job or {}, {})
    content: Any = given.data  # whatever the file holds: read_job says what is wrong with it
    if isinstance(content, Mapping):
        content = _completed(content, given.file, working_dir, fields)
    document = replace(given, data=content)
    return document, read_job(content, file=given.file, lines=given.lines).working_dir


def model_document(model: object) -> Document:
    """Return a model as it is to be sent: a mapping, or what a file of that path has.

    Raises:
        ConfigError: with all faults, each with its file and line where it has one.
    """
    from scheduler.config.model import read_model  # noqa: PLC0415  # it loads numpy, which jobs need not have

    given = read_yaml(Path(model)) if isinstance(model, str | os.PathLike) else Document("", model, {})
    read_model(given.data, file=given.file, lines=given.lines)
    return given


def placed(fault: Fault, document: Document) -> Fault:
    """Give a fault that the server found the line it has in the file."""
    if not document.file or not fault.field:
        return fault
    where = tuple(int(part) if part.isdigit() else part for part in fault.field.split("."))
    return fault_at(document, where, fault.code, fault.message, fault.help)


def _completed(
    job: Mapping[str, object], file: str, working_dir: str | os.PathLike[str] | None, fields: Mapping[str, object]
) -> dict[str, object]:
    content = _merged(job, fields)
    if working_dir:
        content["working_dir"] = str(working_dir)
    elif isinstance(content.get("working_dir"), str) and content["working_dir"]:
        content["working_dir"] = str(Path(file).parent / str(content["working_dir"]))
    return content


def _merged(job: Mapping[str, object], fields: Mapping[str, object]) -> dict[str, object]:
    resources = {name: value for name, value in fields.items() if name in RESOURCE_KEYS}
    content = {**job, **{name: value for name, value in fields.items() if name not in RESOURCE_KEYS}}
    if resources:
        before = content.get("resources")
        content["resources"] = {**before, **resources} if isinstance(before, Mapping) else resources
    return content
