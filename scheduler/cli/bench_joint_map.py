"""`headroom bench joint --map`: where a forecast pays, by warm-up and series."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli.documents import json_text
from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, render
from scheduler.config.units import format_duration

if TYPE_CHECKING:
    from benchmarks.joint.setting import Setting
    from benchmarks.joint.where import Cell


def show_map(  # noqa: PLR0913  # the flags of the command
    windows: "Sequence[Setting]",
    warm_ups_s: Sequence[float],
    processes: int,
    plot: Path | None,
    screen: Screen,
    *,
    as_json: bool,
) -> None:
    """Play every window at every warm-up, and print what serving held."""
    from benchmarks.joint.plotting import plot_map  # noqa: PLC0415  # other commands need not load it
    from benchmarks.joint.where import cells_of, document  # noqa: PLC0415  # likewise

    cells = cells_of(windows, warm_ups_s, processes, screen.note)
    if plot:
        plot_map(plot, cells)
        screen.note(f"picture in {plot}")
    screen.say(json_text(document(cells)) if as_json else render(_table(cells), screen))


def _table(cells: "Sequence[Cell]") -> Table:
    from benchmarks.joint.where import COMPARED  # noqa: PLC0415  # other commands need not load it

    titles = [f"{name.partition('+')[0].upper()} {what}" for name in COMPARED for what in ("GPU-H", "LATE %")]
    columns = (Column("TRAFFIC"), *(Column(title, right=True) for title in ("WARM-UP", *titles, "LEFT MORE %")))
    rows = tuple(_row(cell) for cell in cells)
    return Table(columns, rows, tuple(str(place) for place in range(len(rows))))


def _row(cell: "Cell") -> tuple[str, ...]:
    found = [part for one in cell.found.values() for part in (f"{one.gpu_hours:.0f}", f"{100 * one.late_ratio:.4f}")]
    gain = "–" if cell.gain is None else f"{100 * cell.gain:+.1f}"
    series = f"{cell.setting.traffic.name.partition('_')[0]} {cell.setting.start[:10]}"
    return (series, format_duration(cell.setting.warm_up_s), *found, gain)
