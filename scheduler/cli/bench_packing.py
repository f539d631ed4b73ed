"""`headroom bench packing`: how much of the GPUs gets used, by published policies and by ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.output_files import check_plot
from scheduler.cli.seeds import seeds_of
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.packing.report import Result
    from benchmarks.packing.workload import Pods

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
VariantOption = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Instead of the list one made from it: cpu000, gpushare60, odd, ... or all; may be repeated.",
    ),
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_AS_GIVEN = ""


def packing(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    nodes: NodesOption,
    pods: PodsOption,
    policy: PolicyOption = None,
    seeds: SeedsOption = "42-44",
    churn: ChurnOption = None,
    copies: CopiesOption = 1,
    variant: VariantOption = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill hosts with pods by published policies and by ours, and show how much of the GPUs gets used."""
    from benchmarks.packing.contenders import chosen  # noqa: PLC0415  # other commands need not load it
    from benchmarks.packing.plotting import plot_shares  # noqa: PLC0415  # likewise
    from benchmarks.packing.report import measure  # noqa: PLC0415  # likewise
    from benchmarks.packing.workload import read_hosts, read_pods  # noqa: PLC0415  # likewise

    check_plot(plot)
    screen, names, numbers = Session.of(context).screen, chosen(policy or []), seeds_of(seeds)
    lists = _lists(read_pods(pods), variant or [])
    if plot:
        _check_one(lists)
    fleet, results = read_hosts(nodes).times(copies), {}
    for title, listed in lists.items():
        for name in names:
            screen.note(f"{_title(title)}{name}: {len(numbers)} runs on {len(fleet.cpu_milli)} hosts")
            results[title, name] = measure(name, fleet, listed.times(copies), numbers, churn)
    screen.say(json_text(_document(results)) if as_json else render(_table(results), screen))
    if plot:
        plot_shares(plot, {name: result for (_, name), result in results.items()})
        screen.note(f"picture in {plot}")


def _lists(given: "Pods", names: list[str]) -> "dict[str, Pods]":
    """Return the lists to run by name, the one that was given where no other is asked for."""
    from benchmarks.packing.variants import all_variants, variant  # noqa: PLC0415  # other commands need not load it

    if not names:
        return {_AS_GIVEN: given}
    wanted = [one for name in names for one in (all_variants(given) if name == "all" else (name,))]
    return {name: variant(given, name) for name in wanted}


def _check_one(lists: "dict[str, Pods]") -> None:
    if len(lists) > 1:
        raise ConfigError("--plot: a picture shows one list", help="name one --variant")


def _title(variant: str) -> str:
    return f"{variant}, " if variant else ""


def _document(results: "dict[tuple[str, str], Result]") -> dict[str, object]:
    """Return what `--json` prints: policies, by variant where some were asked for."""
    from benchmarks.packing.report import document  # noqa: PLC0415  # other commands need not load it

    by_list: dict[str, dict[str, Result]] = {}
    for (title, name), result in results.items():
        by_list.setdefault(title, {})[name] = result
    if set(by_list) == {_AS_GIVEN}:
        return document(by_list[_AS_GIVEN])
    return {"variants": {title: document(found) for title, found in by_list.items()}}


def _table(results: "dict[tuple[str, str], Result]") -> Table:
    from benchmarks.packing.protocol import MARKS  # noqa: PLC0415  # other commands need not load it

    shares = tuple(Column(f"AT {mark} %", right=True) for mark in MARKS)
    rest = tuple(Column(title, right=True) for title in ("FAILED", "LOST", "PLACED/S"))
    listed = (Column("LIST"),) if any(title for title, _ in results) else ()
    rows = tuple((*((title,) if listed else ()), *_row(name, result)) for (title, name), result in results.items())
    return Table((*listed, Column("POLICY"), *shares, *rest), rows, tuple(f"{_title(v)}{name}" for v, name in results))


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
