"""The cluster of a control plane: a Ray of its own on this machine, a Ray that answers at an address, or Kubernetes."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.backends.ray.applications import ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.local import LocalHostSpec, LocalRay
from scheduler.backends.ray.remains import RunRemains
from scheduler.config import schema
from scheduler.config.schema import Config, Kubernetes, RemoteRay
from scheduler.config.wiring import secrets_of
from scheduler.control.ports import Backend, Clock
from scheduler.control.reports.board import Board
from scheduler.control.service.secrets import SecretShelf
from scheduler.control.settings import Served
from scheduler.control.upkeep.retention import Remains
from scheduler.store.leases import HeldLease
from scheduler.store.sql import SqlStore

CLAIM_PERIODS: Final = 3
CLAIM_MARGIN_S: Final = 60.0
"""A control plane of which its cluster has not heard for so many cycles and wall seconds is silent."""


def local_ray(section: schema.LocalRay, state_dir: Path) -> LocalRay:
    """Return the local Ray cluster of a configuration, not started."""
    hosts = [
        LocalHostSpec(
            name=host.name,
            cpus=host.cpus,
            memory_mib=host.memory,
            gpus=host.gpus,
            gpu_model=host.gpu_model,
            gpu_memory_mib=host.gpu_memory,
            gpu_partitions=host.gpu_partitions,
            labels=dict(host.labels),
        )
        for host in section.hosts
    ]
    return LocalRay(hosts, state_dir)


@dataclass(frozen=True, slots=True)
class Seat:
    """By what right, and from where, a control plane acts.

    Attributes:
        lease: the right to act, which all writes and orders carry.
        url: where its API answers.
        take_over: follow a control plane with another store that is silent.
    """

    lease: HeldLease
    url: str
    take_over: bool = False


def this_process() -> str:
    """Return this process and its host, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def cluster_of(  # noqa: PLR0913  # the parts of a cluster, by name
    config: Config,
    where: RemoteRay | Kubernetes,
    *,
    seat: Seat,
    clock: Clock,
    specs: SqlStore,
    served: tuple[Served, ...],
    board: Board,
) -> Backend:
    """Return the client of a cluster that runs; one that tells on itself what is decided listens to the board.

    Raises:
        ConfigError: there is no way to it.
    """
    if isinstance(where, Kubernetes):
        from scheduler.cli.composition.kubernetes import kubernetes_cluster  # noqa: PLC0415  # who has Ray loads none

        return kubernetes_cluster(config, where, seat=seat, clock=clock, specs=specs, served=served, board=board)
    return ray_cluster(config, where, seat=seat, clock=clock, specs=specs, served=served)


def ray_cluster(  # noqa: PLR0913  # the parts of a cluster, by name
    config: Config, ray: RemoteRay, *, seat: Seat, clock: Clock, specs: SqlStore, served: tuple[Served, ...]
) -> Backend:
    """Return the client of a Ray cluster that runs."""
    return RayCluster(
        ray.address,
        ray.dashboard,
        claimant=Claimant(
            seat.lease,
            this_process(),
            seat.url,
            CLAIM_PERIODS * config.control.period / clock.speed + CLAIM_MARGIN_S,
            seat.take_over,
        ),
        specs=specs,
        clock=clock,
        applications=_applications(config),
        served=[each.model for each in served],
        state_dir=config.state_dir,
        secrets=SecretShelf(secrets_of(config.secrets), config.state_dir.resolve() / "secrets"),
        router_host=config.router.host,
        router_port=config.router.port,
    )


def remains_of(config: Config, seat: Seat) -> Remains:
    """Return what runs leave behind."""
    return RunRemains(config.state_dir, seat.lease.fence.owner)


def _applications(config: Config) -> Mapping[str, ServeApplication]:
    return {
        model.name: ServeApplication(
            import_path=model.application.import_path,
            args=model.application.args,
            runtime_env=model.application.runtime_env,
            latency_objective_s=model.latency_objective,
        )
        for model in config.models
        if model.application is not None
    }
