"""`headroom bench planner --sweep`: how the cost of a cycle grows with the site, as a table and a picture."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli.documents import json_text
from scheduler.cli.output_files import check_plot
from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, render

if TYPE_CHECKING:
    from benchmarks.speed.curve import Point
    from benchmarks.speed.site import Size
    from scheduler.model.policy import Policy

BASE: int = 5
"""Jobs grow on one in so many of the hosts: the larger the site, the longer it takes to fill."""


def show_curve(  # noqa: PLR0913  # what the command was told
    size: "Size", policy: "Policy", cycles: int, screen: Screen, plot: Path | None, *, as_json: bool
) -> None:
    """Measure sites up to the size given, and print or draw what a cycle costs there."""
    from benchmarks.speed.curve import curve, document  # noqa: PLC0415  # other commands need not load it
    from benchmarks.speed.plotting import plot_curve  # noqa: PLC0415  # likewise

    check_plot(plot)
    base = replace(size, hosts=max(1, size.hosts // BASE), running=max(1, size.running // BASE))
    base = replace(base, pending=size.pending // BASE)
    points = curve(base, size.hosts, policy, cycles, screen.note)
    if plot:
        plot_curve(plot, points)
        screen.note(f"picture in {plot}")
    screen.say(json_text(document(points)) if as_json else render(_table(points), screen))


def _table(points: "list[Point]") -> Table:
    titles = ("HOSTS", "RUNNING", "PENDING", "P50 MS", "P99 MS", "P50 CPU MS", "P99 CPU MS", "COLD CPU S")
    rows = tuple((point.axis, *(f"{value:g}" for value in point.row.values())) for point in points)
    return Table(
        (Column("GROWING"), *(Column(title, right=True) for title in titles)), rows, tuple(row[0] for row in rows)
    )
