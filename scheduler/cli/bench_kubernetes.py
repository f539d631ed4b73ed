"""`headroom bench kubernetes`: what a large cluster costs, and how soon an event is answered with a patch."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render

if TYPE_CHECKING:
    from benchmarks.kubernetes.measure import Measured, Specs
    from scheduler.backends.kubernetes.cluster import KubernetesCluster

NodesOption = Annotated[int, typer.Option("--nodes", min=1, help="Nodes of 8 devices each.")]
PodsOption = Annotated[int, typer.Option("--pods", min=1, help="Pods that run.")]
EventsOption = Annotated[int, typer.Option("--events", min=1, help="Changes of pods a second.")]
GangsOption = Annotated[int, typer.Option("--gangs", min=1, max=999, help="Gangs to start, one after another.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=8, help="Pods of a gang.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OWNER = "0b000000-0000-4000-8000-000000000000"
PATIENCE_S = 3_600.0
"""Longer than the benchmark takes: nothing binds pods here, and nobody should take the gangs back for that."""


def kubernetes(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    nodes: NodesOption = 5_000,
    pods: PodsOption = 50_000,
    events: EventsOption = 200,
    gangs: GangsOption = 30,
    workers: WorkersOption = 8,
    as_json: JsonOption = False,
) -> None:
    """Start gangs on a large cluster, made up on the double of the Kubernetes API, while pods change all the time.

    The double runs in another process: memory and processor time are Headroom's own. It answers quicker than a real
    API server does, and over loopback.
    """
    from benchmarks.kubernetes.measure import measure  # noqa: PLC0415  # other commands need not load it
    from benchmarks.kubernetes.site import Size  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    found = measure(Size(nodes, pods, events, gangs, workers), _opened, screen.note)
    if as_json:
        screen.say(json_text(asdict(found)))
        return
    screen.say(render(_table(found), screen))
    screen.note(_sums(found))


def _opened(url: str, specs: "Specs") -> "KubernetesCluster":
    """Return the backend on a URL once the whole cluster is known."""
    from benchmarks.kubernetes.site import DEVICE  # noqa: PLC0415  # as above
    from scheduler.backends.kubernetes.cluster import KubernetesCluster  # noqa: PLC0415  # as above
    from scheduler.backends.kubernetes.connection import Connection  # noqa: PLC0415  # as above
    from scheduler.backends.kubernetes.ushering import Patience  # noqa: PLC0415  # as above
    from scheduler.control.clocks import WallClock  # noqa: PLC0415  # as above

    patience = Patience(PATIENCE_S, PATIENCE_S, PATIENCE_S, PATIENCE_S)
    cluster = KubernetesCluster(
        Connection.to(url), specs=specs, clock=WallClock(), owner=OWNER, devices=(DEVICE,), patience=patience
    )
    cluster.claim()
    return cluster


def _table(found: "Measured") -> Table:
    from benchmarks.kubernetes.measure import percentiles  # noqa: PLC0415  # as above

    rows = []
    for title, values in (("from event to patch", found.patched_ms), ("a look at the cluster", found.observed_ms)):
        rows.append((title, *(f"{value:.0f}" for value in percentiles(values or (float("nan"),)))))
    numbers = tuple(Column(title, right=True) for title in ("P50 MS", "P99 MS", "WORST MS"))
    return Table((Column("WHAT"), *numbers), tuple(rows), tuple(row[0] for row in rows))


def _sums(found: "Measured") -> str:
    size = found.size
    return (
        f"{size.nodes} nodes, {size.pods} pods, {found.events_per_s:.0f} events a second\n"
        f"{len(found.patched_ms)} of {found.expected} pods let in\n"
        f"known after {found.known_s:.1f} s; {found.memory_mib:.0f} MiB at most; {found.cpu:.2f} cores"
    )
