"""`headroom bench preemption`: how much work our victims lose, beside the least possible and other ways of choosing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from scheduler.cli.pictures import check_plot
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render

if TYPE_CHECKING:
    from simulations.preemption.report import Result

CasesOption = Annotated[int, typer.Option("--cases", min=1, help="Full clusters at random, one question each.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of all that is left to chance.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TOLD: Final = 250
"""Progress is told after so many cases."""


def preemption(
    context: typer.Context,
    *,
    cases: CasesOption = 2000,
    seed: SeedOption = 1,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose victims on full clusters, and compare the work lost with the exact optimum, newest first and Lyra."""
    from simulations.preemption import cases as made  # noqa: PLC0415  # other commands need not load it
    from simulations.preemption.plotting import plot_ratios  # noqa: PLC0415  # likewise
    from simulations.preemption.report import document, measure  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_plot(plot)

    def told(done: int) -> None:
        if done % TOLD == 0:
            screen.note(f"{done} of {cases} cases")

    results = measure(made.cases(cases, seed), told)
    if plot:
        plot_ratios(plot, results)
        screen.note(f"picture in {plot}")
    screen.say(json.dumps(document(results, seed), indent=2) if as_json else render(_table(results), screen))


def _table(results: "dict[str, Result]") -> Table:
    from simulations.preemption.report import OPTIMUM, summary  # noqa: PLC0415  # other commands need not load it

    titles = ("MEAN RATIO", "P99", "WORST", "OPTIMAL %", "LOST GPU-S", "VICTIMS", "CPU MS")
    rows = tuple(_row(name, summary(result, results[OPTIMUM])) for name, result in results.items())
    return Table((Column("POLICY"), *(Column(title, right=True) for title in titles)), rows, tuple(results))


def _row(name: str, numbers: dict[str, float]) -> tuple[Any, ...]:
    ratios = (f"{numbers[key]:.4f}" for key in ("mean_ratio", "p99_ratio", "worst_ratio"))
    rest = (f"{numbers['optimal_pct']:.1f}", f"{numbers['lost_gpu_s']:.0f}", f"{numbers['victims']:.2f}")
    return (name, *ratios, *rest, f"{numbers['cpu_ms']:.2f}")
