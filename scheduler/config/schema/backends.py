"""Where work runs: a Ray of one's own on this machine, or one that runs already."""

from typing import Annotated, Literal

from pydantic import Field

from scheduler.config.schema.base import Section
from scheduler.config.units import SizeMib


class LocalHost(Section):
    """One host of the embedded local Ray cluster; its GPUs are bookkeeping, not hardware."""

    name: Annotated[str, Field(min_length=1, examples=["gpu-1"])]
    """Unique name."""
    cpus: Annotated[int, Field(ge=1)] = 4
    """Cores that work may use."""
    memory: SizeMib = 8192
    """Memory that work may use."""
    gpus: Annotated[int, Field(ge=0)] = 0
    """Devices."""
    gpu_model: str = ""
    """Model of its devices, for instance MI300X."""
    gpu_memory: SizeMib = 0
    """Memory of each device."""
    gpu_partitions: Annotated[int, Field(ge=1, examples=[8])] = 1
    """Into how many equal parts each device is cut; 1 leaves them whole. An MI300X has modes with 1, 2, 4 and 8."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels that jobs and models may ask for."""


class LocalRay(Section):
    """Start a Ray cluster of fake hosts on this machine."""

    kind: Literal["local"]
    """Starts a Ray cluster of several hosts on this machine."""
    hosts: Annotated[tuple[LocalHost, ...], Field(min_length=1)]
    """The hosts to start."""


class RemoteRay(Section):
    """Use a Ray cluster that runs already."""

    kind: Literal["ray"]
    """Uses a Ray cluster that runs already."""
    address: Annotated[str, Field(examples=["10.0.0.5:6379"])]
    """Host and port of the head's GCS, for instance 10.0.0.5:6379."""
    dashboard: Annotated[str, Field(examples=["http://10.0.0.5:8265"])]
    """URL of the head's dashboard, for instance http://10.0.0.5:8265."""
