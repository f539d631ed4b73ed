"""`headroom bench planner`: how long deciding takes, on a made-up site as large as one likes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.bench_curve import show_curve
from scheduler.cli.documents import json_text
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.packing.speed import Speed
    from benchmarks.packing.workload import Fleet, Pods
    from benchmarks.speed.measure import CycleTimes, Measured

HostsOption = Annotated[int, typer.Option("--hosts", min=1, help="Hosts of 8 GPUs each.")]
RunningOption = Annotated[int, typer.Option("--running", min=1, help="Jobs that run.")]
PendingOption = Annotated[int, typer.Option("--pending", min=0, help="Jobs that wait for room.")]
ModelsOption = Annotated[int, typer.Option("--models", min=1, help="Served models.")]
CyclesOption = Annotated[int, typer.Option("--cycles", min=1, help="Cycles to measure, one change each.")]
ScoreOption = Annotated[str, typer.Option("--placement-score", metavar="NAME", help="As in policy.placement_score.")]
QueuesOption = Annotated[
    int, typer.Option("--guaranteed-queues", min=0, max=8, help="Of 8 queues so many have guarantees, and fair shares.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of the site and of what happens there.")]
NodesOption = Annotated[
    Path | None, typer.Option("--nodes", metavar="FILE", help="Place on these hosts, as in bench packing.")
]
PodsOption = Annotated[Path | None, typer.Option("--pods", metavar="FILE", help="Place these pods, likewise.")]
SweepOption = Annotated[
    bool,
    typer.Option("--sweep", help="Instead, how the cost grows: up to --hosts hosts, and with jobs on a fifth of them."),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="With --sweep: write a picture (.png, .svg).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def planner(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    hosts: HostsOption = 10_000,
    running: RunningOption = 20_000,
    pending: PendingOption = 5_000,
    models: ModelsOption = 100,
    cycles: CyclesOption = 200,
    placement_score: ScoreOption = "headroom",
    guaranteed_queues: QueuesOption = 0,
    seed: SeedOption = 1,
    nodes: NodesOption = None,
    pods: PodsOption = None,
    sweep: SweepOption = False,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Time the planner: everything at once on empty hosts, then cycles in each of which one thing has changed."""
    from benchmarks.packing.speed import document as placing_document  # noqa: PLC0415  # likewise
    from benchmarks.packing.speed import speeds  # noqa: PLC0415  # likewise
    from benchmarks.speed.measure import measure  # noqa: PLC0415  # likewise
    from benchmarks.speed.report import document  # noqa: PLC0415  # likewise
    from benchmarks.speed.site import Size  # noqa: PLC0415  # likewise
    from policies.registry import policy_from_names  # noqa: PLC0415  # other commands need not load it

    if plot and not sweep:
        raise ConfigError("--plot draws what --sweep measures", help="headroom bench planner --sweep --plot FILE")
    screen = Session.of(context).screen
    order = "fair-share" if guaranteed_queues else "priority"
    policy = policy_from_names(placement_score=placement_score, queue_order=order)
    size = Size(hosts, running, pending, models, seed, guaranteed_queues)
    if sweep:
        show_curve(size, policy, cycles, screen, plot, as_json=as_json)
        return
    found = measure(size, policy, cycles, screen.note)
    screen.note("placing pods in one plan, on a fleet and on eight of it")
    placing = speeds(*_placed(nodes, pods, seed), seed)
    if as_json:
        screen.say(json_text({**document(found), "placing": placing_document(placing)}))
        return
    screen.say(render(_table(found), screen))
    screen.note(_sums(found))
    screen.say(render(_placing(placing), screen))


def _placed(nodes: Path | None, pods: Path | None, seed: int) -> "tuple[Fleet, Pods]":
    from benchmarks.packing.made_up import OPENB_HOSTS, fleet_of, pods_for  # noqa: PLC0415  # as above
    from benchmarks.packing.workload import read_hosts, read_pods  # noqa: PLC0415  # as above

    fleet = read_hosts(nodes) if nodes else fleet_of(OPENB_HOSTS, seed)
    return fleet, read_pods(pods) if pods else pods_for(len(fleet.cpu_milli), seed)


def _placing(speeds: "tuple[Speed, ...]") -> Table:
    titles = ("HOSTS", "PLACED/S", "EXACT FGD", "TIMES FGD")
    rows = [
        (f"{one.hosts}", f"{one.placements_per_s:.0f}", f"{one.exact_fgd_per_s:.0f}", f"{one.times_fgd:.0f}")
        for one in speeds
    ]
    return Table(tuple(Column(title, right=True) for title in titles), tuple(rows), tuple(row[0] for row in rows))


def _table(found: "Measured") -> Table:
    from benchmarks.speed.report import PARTS, kinds, of_kind  # noqa: PLC0415  # other commands need not load it

    numbers = tuple(Column(title, right=True) for title in ("P50 MS", "P99 MS", "WORST MS", "P99 CPU MS"))
    rows = [_row(f"all: {name}", found.cycles, name) for name in PARTS]
    rows += [_row(kind, of_kind(found, kind), "together") for kind in kinds(found)]
    return Table((Column("CYCLE"), *numbers), tuple(rows), tuple(row[0] for row in rows))


def _row(title: str, cycles: "list[CycleTimes]", name: str) -> tuple[Any, ...]:
    from benchmarks.speed.report import PARTS, percentiles_ms  # noqa: PLC0415  # other commands need not load it

    part = PARTS[name]
    wall, cpu = (
        percentiles_ms(values) for values in zip(*((part(c).wall_s, part(c).cpu_s) for c in cycles), strict=True)
    )
    return (title, *(f"{value:.1f}" for value in wall), f"{cpu[1]:.1f}")


def _sums(found: "Measured") -> str:
    empty, cold = found.empty[0] + found.empty[1], found.cold[0] + found.cold[1]
    return (
        f"{found.size.hosts} hosts, {found.size.gpus} GPUs, {found.running} jobs running, {found.pending} waiting: "
        f"{len(found.cycles)} cycles\n"
        f"from nothing, at work: {cold.wall_s:.2f} s ({cold.cpu_s:.2f} s CPU)\n"
        f"from nothing, {found.started} of {found.size.running + found.size.pending} jobs onto empty hosts: "
        f"{empty.wall_s:.2f} s ({empty.cpu_s:.2f} s CPU)"
    )
