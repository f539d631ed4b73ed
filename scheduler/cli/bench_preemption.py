"""`headroom bench preemption`: how much work our victims lose, beside the least possible and other ways of choosing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.output_files import check_plot
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render

if TYPE_CHECKING:
    from benchmarks.preemption.report import Result

CasesOption = Annotated[
    int | None,
    typer.Option(
        "--cases", min=1, help="Full clusters at random, one question each.", show_default="2000, or 60 --consequences"
    ),
]
ConsequencesOption = Annotated[
    bool,
    typer.Option(
        "--consequences",
        help="On small sites, play every set of victims through to the end, and count all that follows.",
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of all that is left to chance.")]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Also write a picture.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
TOLD: Final = 250
"""Progress is told after so many cases."""
TOLD_SITES: Final = 10
"""Likewise, after so many sites."""
CASES: Final = 2000
SITES: Final = 60
Told = Callable[[int], None]


def preemption(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    cases: CasesOption = None,
    seed: SeedOption = 1,
    consequences: ConsequencesOption = False,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose victims on full clusters, and compare the work lost with the exact optimum, newest first and Lyra."""
    from benchmarks.preemption.plotting import plot_ratios  # noqa: PLC0415  # other commands need not load it
    from benchmarks.preemption.report import document  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_plot(plot)
    many = cases or (SITES if consequences else CASES)

    def told(done: int) -> None:
        if done % (TOLD_SITES if consequences else TOLD) == 0:
            screen.note(f"{done} of {many} {'sites' if consequences else 'cases'}")

    results = _with_consequences(many, seed, told) if consequences else _at_once(many, seed, told)
    if plot:
        plot_ratios(plot, results)
        screen.note(f"picture in {plot}")
    screen.say(json_text(document(results, seed)) if as_json else render(_table(results), screen))


def _at_once(cases: int, seed: int, told: Told) -> "dict[str, Result]":
    from benchmarks.preemption import cases as made  # noqa: PLC0415  # other commands need not load it
    from benchmarks.preemption.report import measure  # noqa: PLC0415  # likewise

    return measure(made.cases(cases, seed), told)


def _with_consequences(cases: int, seed: int, told: Told) -> "dict[str, Result]":
    from benchmarks.preemption import consequences  # noqa: PLC0415  # other commands need not load it

    decides = consequences.policy()
    return consequences.measure(consequences.questions(cases, seed, decides), decides, told)


def _table(results: "dict[str, Result]") -> Table:
    from benchmarks.preemption.report import OPTIMUM, summary  # noqa: PLC0415  # other commands need not load it

    titles = ("MEAN RATIO", "P99", "WORST", "OPTIMAL %", "LOST GPU-S", "VICTIMS", "CPU MS")
    rows = tuple(_row(name, summary(result, results[OPTIMUM])) for name, result in results.items())
    return Table((Column("POLICY"), *(Column(title, right=True) for title in titles)), rows, tuple(results))


def _row(name: str, numbers: dict[str, float]) -> tuple[Any, ...]:
    ratios = (f"{numbers[key]:.4f}" for key in ("mean_ratio", "p99_ratio", "worst_ratio"))
    rest = (f"{numbers['optimal_pct']:.1f}", f"{numbers['lost_gpu_s']:.0f}", f"{numbers['victims']:.2f}")
    return (name, *ratios, *rest, f"{numbers['cpu_ms']:.2f}")
