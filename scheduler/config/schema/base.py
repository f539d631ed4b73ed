"""What all sections share, and what a worker or replica asks for."""

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from scheduler.config.units import Cores, Devices, Names, SizeMib, workers

MODEL_NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""Names of models: lower-case letters, digits and hyphens."""

DNS_NAME: Final = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$"
"""Names of namespaces, services and other objects of Kubernetes; nothing in them means anything in PromQL."""


class Section(BaseModel):
    """Base of all sections: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Resources(Section):
    """What one worker or replica needs on a single host."""

    cpus: Cores = 1.0
    """Cores."""
    memory: SizeMib = 1024
    """Memory of the host."""
    gpus: Devices = 0.0
    """Whole devices, or a share of one below 1."""
    gpu_model: Names = ()
    """GPU models that will do; one name or a list; empty for any."""
    gpu_memory: SizeMib = 0
    """Least memory of a device. Only who says it is given a partition of a device."""
    host_labels: dict[str, str] = Field(default_factory=dict)
    """Labels the host must carry."""


class WorkerRange(Section):
    """The fewest and the most workers of a gang; equal for one that runs at a single size."""

    min: Annotated[int, Field(ge=1, examples=[2])]
    """The fewest workers it runs with."""
    max: Annotated[int, Field(ge=1, examples=[8])]
    """The most workers it runs with."""


Workers = Annotated[WorkerRange, BeforeValidator(workers, json_schema_input_type=int | str | dict[str, int])]
"""Written 4, "2-8" or {min: 2, max: 8}."""


ONE_WORKER: Final = WorkerRange(min=1, max=1)
