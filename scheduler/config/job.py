"""`job.yaml`, or the same mapping from flags or a request, to a job specification; one parser for client and server."""

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Final

from scheduler.config.environment import start_faults
from scheduler.config.faults import did_you_mean, fault_at, in_order, read_section
from scheduler.config.nouns import gang_of, shape_of
from scheduler.config.schema import JOB_NAME, JobFile, PublishesSection, SecretName
from scheduler.config.texts import shown
from scheduler.config.units import format_duration
from scheduler.config.yaml_file import Document, Where
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.jobspec import JobSpec, Publishes

_INTERPRETERS: Final = frozenset({"python", "python3", "bash", "sh", "torchrun", "exec", "env"})


def read_job(mapping: Mapping[str, object], *, file: str = "", lines: Mapping[Where, int] | None = None) -> JobFile:
    """Validate what can be judged without knowing the cluster.

    Args:
        mapping: keys and values of a job.yaml.
        file: where it stands, "" for flags or a request.
        lines: line of each key and item.

    Raises:
        ConfigError: with all faults.
    """
    document = Document(file, mapping, lines or {})
    faults = start_faults(document)
    try:
        job = read_section(document, JobFile, "job")
    except ConfigError as error:
        raise ConfigError(*in_order((*error.faults, *faults))) from error
    if faults:
        raise ConfigError(*in_order(faults))
    return job if job.name else job.model_copy(update={"name": _name_of(job.entrypoint)})


def parse_job(  # noqa: PLR0913  # what the cluster allows comes by name, each on its own
    mapping: Mapping[str, object],
    *,
    file: str = "",
    lines: Mapping[Where, int] | None = None,
    priorities: Mapping[str, int],
    queues: Collection[str],
    owner: str,
    working_dir: str = "",
    max_grace_s: float | None = None,
) -> JobSpec:
    """Return the specification of a job that this cluster takes.

    Args:
        mapping: keys and values of a job.yaml.
        file: where it stands, "" for flags or a request.
        lines: line of each key and item.
        priorities: integer of each priority class.
        queues: names of the queues there are.
        owner: who submits it.
        working_dir: digest of the uploaded package, "" for none; the job's own `working_dir` is a path of the client.
        max_grace_s: longest grace period allowed; None for any.

    Raises:
        ConfigError: with all faults.
    """
    document = Document(file, mapping, lines or {})
    faults = [
        *_unknown(document, "priority", mapping.get("priority", "normal"), priorities, _classes(priorities)),
        *_unknown(document, "queue", mapping.get("queue", "default"), queues, f"queues: {', '.join(queues)}"),
    ]
    try:
        job = read_job(mapping, file=file, lines=lines)
    except ConfigError as error:
        raise ConfigError(*in_order((*error.faults, *faults))) from error
    if "grace" not in mapping and max_grace_s is not None:
        job = job.model_copy(update={"grace": min(job.grace, max_grace_s)})
    faults += _too_graceful(document, job, max_grace_s)
    if faults:
        raise ConfigError(*faults)
    return JobSpec(
        name=job.name,
        entrypoint=job.entrypoint,
        gang=gang_of(
            job.workers,
            shape_of(job.resources),
            job.max_workers_per_host,
            prefer_same=job.prefer_same,
            require_same=job.require_same,
        ),
        owner=owner,
        queue=job.queue,
        priority_class=job.priority,
        priority=priorities[job.priority],
        preemptible=job.preemptible,
        grace_period_s=job.grace,
        checkpoint_interval_s=job.checkpoint_interval,
        max_runtime_s=job.max_runtime,
        env=tuple(sorted((name, value) for name, value in job.env.items() if isinstance(value, str))),
        secrets=tuple(sorted((name, v.secret) for name, v in job.env.items() if isinstance(v, SecretName))),
        working_dir=working_dir,
        publishes=None if job.publishes is None else _publishes(job.publishes),
    )


def _publishes(section: PublishesSection) -> Publishes:
    path, by_itself = section.path.rstrip("/"), section.deploy == "automatically"
    return Publishes(section.model, path, by_itself, section.data_version)


def _unknown(document: Document, field: str, name: object, known: Collection[str], listed: str) -> list[Fault]:
    if not isinstance(name, str) or name in known:
        return []
    help_ = f"{did_you_mean(shown(name), known)} {listed}".strip()
    return [fault_at(document, (field,), "BadValue", f'unknown {field} "{shown(name)}"', help_)]


def _classes(priorities: Mapping[str, int]) -> str:
    highest_first = sorted(priorities.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number}" for name, number in highest_first)


def _too_graceful(document: Document, job: JobFile, max_grace_s: float | None) -> list[Fault]:
    if max_grace_s is None or job.grace <= max_grace_s:
        return []
    message = f"grace: {format_duration(job.grace)} is longer than this cluster waits when it preempts"
    return [fault_at(document, ("grace",), "BadValue", message, f"use {format_duration(max_grace_s)} or less")]


def _name_of(entrypoint: str) -> str:
    """Return the script's name without its ending: "train" for "python -m train.py --fast"."""
    try:
        words = shlex.split(entrypoint)
    except ValueError:
        words = entrypoint.split()
    candidates = [word for word in words if not word.startswith("-") and "=" not in word]
    script = next((word for word in candidates if PurePath(word).name not in _INTERPRETERS), "job")
    stem = "".join(c if c.isalnum() or c in "._-" else "-" for c in PurePath(script).stem if c.isascii())[:63]
    return stem if re.fullmatch(JOB_NAME, stem) else "job"
