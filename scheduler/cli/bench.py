"""`headroom bench`: benchmarks that users can repeat on their own hosts and jobs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.bench_fleet import forecast_fleet
from scheduler.cli.bench_planner import planner
from scheduler.cli.bench_preemption import preemption
from scheduler.cli.bench_queueing import queueing
from scheduler.cli.seeds import seeds_of
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render

if TYPE_CHECKING:
    from simulations.packing.report import Result

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="Measure this program, beside its peers.")

NodesOption = Annotated[
    Path, typer.Option("--nodes", metavar="FILE", help="CSV of hosts: cpu_milli, memory_mib, gpu, model.")
]
PodsOption = Annotated[
    Path,
    typer.Option("--pods", metavar="FILE", help="CSV of pods: cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec."),
]
PolicyOption = Annotated[
    list[str] | None, typer.Option("--policy", metavar="NAME", help="Only these; may be repeated.")
]
SeedsOption = Annotated[str, typer.Option("--seeds", metavar="42-44", help="Seeds of the runs that are averaged.")]
ChurnOption = Annotated[
    float | None,
    typer.Option("--churn", metavar="LOAD", min=0.01, help="Also with departures, at this load.", show_default=False),
]
CopiesOption = Annotated[
    int, typer.Option("--copies", min=1, help="Repeat the hosts and the pods, to see how speed scales.")
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def bench() -> None:
    """Measure this program, beside its peers."""


app.command()(planner)
app.command()(preemption)
app.command()(queueing)
app.command()(forecast_fleet)


@app.command()
def packing(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    nodes: NodesOption,
    pods: PodsOption,
    policy: PolicyOption = None,
    seeds: SeedsOption = "42-44",
    churn: ChurnOption = None,
    copies: CopiesOption = 1,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill hosts with pods by published policies and by ours, and show how much of the GPUs gets used."""
    from simulations.packing.contenders import chosen  # noqa: PLC0415  # other commands need not load it
    from simulations.packing.plotting import plot_shares  # noqa: PLC0415  # likewise
    from simulations.packing.report import document, measure  # noqa: PLC0415  # likewise
    from simulations.packing.workload import read_hosts, read_pods  # noqa: PLC0415  # likewise
    from simulations.preemption.plotting import check_plotting  # noqa: PLC0415  # likewise

    if plot:
        check_plotting()
    screen, names, numbers = Session.of(context).screen, chosen(policy or []), seeds_of(seeds)
    fleet, listed = read_hosts(nodes).times(copies), read_pods(pods).times(copies)
    results = {}
    for name in names:
        screen.note(f"{name}: {len(numbers)} runs on {len(fleet.cpu_milli)} hosts")
        results[name] = measure(name, fleet, listed, numbers, churn)
    text = json.dumps(document(results), indent=2) if as_json else render(_table(results), screen)
    screen.say(text)
    if plot:
        plot_shares(plot, results)
        screen.note(f"picture in {plot}")


def _table(results: "dict[str, Result]") -> Table:
    from simulations.packing.protocol import MARKS  # noqa: PLC0415  # other commands need not load it

    shares = tuple(Column(f"AT {mark} %", right=True) for mark in MARKS)
    rest = tuple(Column(title, right=True) for title in ("FAILED", "LOST", "PLACED/S"))
    rows = tuple(_row(name, result) for name, result in results.items())
    return Table((Column("POLICY"), *shares, *rest), rows, tuple(results))


def _row(name: str, result: "Result") -> tuple[Any, ...]:
    lost = result.lost_demand_pct
    shares = (f"{share:.2f}" for share in result.allocated_pct)
    return (
        name,
        *shares,
        f"{result.failed_pods:.0f}",
        "-" if lost is None else f"{lost:.2f}",
        f"{result.placements_per_s:.0f}",
    )
