"""The Kubernetes cluster of a control plane."""

import socket
from pathlib import Path

from scheduler.backends.kubernetes.cluster import KubernetesCluster
from scheduler.backends.kubernetes.connection import Connection
from scheduler.backends.kubernetes.handout import Handout
from scheduler.backends.kubernetes.serving import Serving
from scheduler.backends.kubernetes.ushering import Patience
from scheduler.cli.composition.cluster import Seat
from scheduler.config.schema import Config, Kubernetes
from scheduler.control.ports import Backend, Clock
from scheduler.control.reports.board import Board
from scheduler.control.service.progress import KEY, AttemptTokens
from scheduler.control.settings import Served
from scheduler.store.sql import SqlStore


def kubernetes_cluster(  # noqa: PLR0913  # the parts of a cluster, by name
    config: Config,
    where: Kubernetes,
    *,
    seat: Seat,
    clock: Clock,
    specs: SqlStore,
    served: tuple[Served, ...],
    board: Board,
) -> Backend:
    """Return the client of a Kubernetes cluster; each change is preceded by a proof that this process leads.

    What the loop decides is told on the objects.

    Raises:
        ConfigError: there is no way to it.
    """
    kubeconfig = str(Path(where.kubeconfig).expanduser()) if where.kubeconfig else ""
    connection = Connection.open(kubeconfig, where.context, seat.lease.prove)
    cluster = KubernetesCluster(
        connection,
        specs=specs,
        clock=clock,
        owner=seat.lease.fence.owner,
        devices=where.devices,
        asked={key for one in served for key, _ in one.model.shape.host_labels},
        namespaces=where.namespaces,
        serving=Serving(connection, [one.declared() for one in served], clock),
        patience=Patience(gather_s=where.gather, bind_s=where.bind, start_s=where.come_up),
        records=specs,
        handout=Handout(config.api.url, AttemptTokens(specs.key(KEY)).of),
        instance=socket.gethostname(),
    )
    board.listeners.append(cluster.hear)
    return cluster
