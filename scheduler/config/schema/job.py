"""The shape of `job.yaml`."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticKnownError

from scheduler.config.schema.base import MODEL_NAME, ONE_WORKER, Resources, Section, Workers
from scheduler.config.units import DurationSeconds

JOB_NAME: Final = r"^[0-9]*[A-Za-z][A-Za-z0-9._-]*$"
"""Names of jobs have a letter, so that none looks like a job's number."""
ARTIFACT_PATH: Final = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*/?$"
"""A folder below another one: no part of it leads out of it, and none is hidden."""


class SecretName(Section):
    """A value that is not written here, but kept by the control plane."""

    secret: Annotated[str, Field(min_length=1, examples=["hf-token"])]
    """Name of one of the site's secrets."""


def text_or_secret(value: object) -> object:
    """Let text, numbers and {secret: NAME} pass; whatever else is no text."""
    if isinstance(value, Mapping):
        return SecretName.model_validate(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float | SecretName):
        raise PydanticKnownError("string_type")
    return value


EnvValue = Annotated[
    Annotated[str, Field(coerce_numbers_to_str=True)] | SecretName,
    BeforeValidator(text_or_secret, json_schema_input_type=str | int | float | dict[str, str]),
]
"""Written as it is, or {secret: NAME}."""


class PublishesSection(Section):
    """What a job publishes when it succeeds."""

    model: Annotated[str, Field(pattern=MODEL_NAME, examples=["edit-check"])]
    """Name of the model that the artifact is for."""
    path: Annotated[str, Field(pattern=ARTIFACT_PATH, max_length=255)] = "model"
    """Folder that becomes the artifact, below HEADROOM_CHECKPOINT_DIR."""
    deploy: Literal["by-hand", "automatically"] = "by-hand"
    """automatically: it becomes the model's next revision, where its owner is an operator; else it is proposed."""
    data_version: Annotated[str, Field(max_length=255, examples=["2026-11"])] = ""
    """Which data it was trained on, for people."""


class JobFile(Section):
    """A whole `job.yaml`: a training job as its owner submits it."""

    name: Annotated[str, Field(pattern=JOB_NAME, max_length=63)] = ""
    """For people, with at least one letter; need not be unique; made from the entrypoint when left out."""
    entrypoint: Annotated[str, Field(pattern=r"\S", examples=["python train.py"])]
    """Shell command that runs the driver."""
    resources: Resources = Resources()
    """What each worker needs."""
    workers: Workers = ONE_WORKER
    """Workers that start together or not at all; of a range at least the fewest, and more when there is room."""
    max_workers_per_host: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Most workers on one host; 0 for no limit."""
    prefer_same: Annotated[str, Field(examples=["rack"])] = ""
    """Label of hosts, such as rack or switch: the workers go where it has as few values as possible."""
    require_same: Annotated[str, Field(examples=["switch"])] = ""
    """Label of hosts, such as rack or switch: all workers on hosts with the same value, or the job waits."""
    priority: str = "normal"
    """Priority class; a higher one goes first and may preempt a lower one."""
    queue: str = "default"
    """Queue, for fair share and limits."""
    preemptible: bool = True
    """Whether it may be stopped for others."""
    max_runtime: DurationSeconds | None = None
    """Longest an attempt takes, from its start; lets it start in gaps that are long enough. Then it is stopped."""
    checkpoint_interval: DurationSeconds | None = None
    """How often it saves a checkpoint."""
    grace: DurationSeconds = 30.0
    """Time it is given to save when it is preempted; where left out, less if the site allows less."""
    working_dir: str = ""
    """Directory that is uploaded and in which the entrypoint runs; relative to this file's directory."""
    env: dict[str, EnvValue] = Field(default_factory=dict)
    """Environment variables of the driver and its workers. {secret: NAME} has the site put in a value that is written
    down nowhere; the driver gets it, and hands it on to its workers itself."""
    publishes: PublishesSection | None = None
    """A folder that becomes an artifact when the job succeeds, from which a model can be deployed."""
