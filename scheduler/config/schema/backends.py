"""Where work runs: a Ray of one's own on this machine, one that runs already, or a Kubernetes cluster."""

from typing import Annotated, Literal

from pydantic import Field

from scheduler.config.schema.base import Section
from scheduler.config.units import DurationSeconds, SizeMib


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


class Kubernetes(Section):
    """Use a Kubernetes cluster as it stands."""

    kind: Literal["kubernetes"]
    """Uses a Kubernetes cluster: training by suspended objects with the label headroom/queue."""
    kubeconfig: Annotated[str, Field(examples=["~/.kube/config"])] = ""
    """Path of a kubeconfig; empty for the service account of the pod, and outside of one for what kubectl uses."""
    context: str = ""
    """Context of the kubeconfig; empty for its current one."""
    namespaces: Annotated[tuple[str, ...], Field(examples=[["ml-training"]])] = ()
    """Namespaces whose objects are looked at; all when there are none."""
    devices: Annotated[tuple[str, ...], Field(min_length=1)] = ("amd.com/gpu", "nvidia.com/gpu")
    """Resources that are devices, by the names that pods ask for them."""
    gather: DurationSeconds = 60.0
    """How long the pods of a gang may take to be there; after it the start has failed, and is tried later."""
    bind: DurationSeconds = 30.0
    """How long kube-scheduler may take to bind them then."""
    come_up: DurationSeconds = 900.0
    """How long they may take to run then: images are pulled in this time."""
