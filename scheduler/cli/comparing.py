"""`headroom compare`: outcomes of simulations side by side, as a table and as one HTML file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.output_files import check_file, write_text
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.cli.table import Cell, Column, Table, cell, render
from scheduler.model.errors import ConfigError

if TYPE_CHECKING:
    from simulations.comparing.differences import Value
    from simulations.comparing.entries import Entry
    from simulations.outcome import Estimate

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Files of headroom simulate --json; others are compared with the first.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Also write one HTML file.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STYLES = {"worse": "red", "better": "green", "same": "dim"}


def compare(
    context: typer.Context, files: FilesArgument, *, report: ReportOption = None, as_json: JsonOption = False
) -> None:
    """Compare outcomes of simulations, seed by seed, with intervals; the report shows what happened and why."""
    from simulations.comparing.answers import sentences  # noqa: PLC0415  # other commands need not load it
    from simulations.comparing.entries import read_entries  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_file("--report", report)
    entries = _unique([entry for file in files for entry in read_entries(file)])
    if report:
        write_report(report, entries, screen)
    if as_json:
        screen.say(json_text(_document(entries)))
        return
    for sentence in sentences(entries):
        screen.say(sentence)
    screen.say(render(_table(entries), screen))


def write_report(path: Path, entries: "Sequence[Entry]", screen: Screen) -> None:
    """Write the comparison of outcomes as one HTML file.

    Raises:
        ConfigError: it cannot be written.
    """
    from simulations.comparing.page import page  # noqa: PLC0415  # Bokeh takes a second to load

    write_text("--report", str(path), page(entries))
    screen.note(f"report: {path}")


def _unique(entries: "list[Entry]") -> "list[Entry]":
    names = [entry.name for entry in entries]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f'two outcomes are called "{twice[0]}"', help="give scenarios names of their own")
    return entries


def _table(entries: "Sequence[Entry]") -> Table:
    from simulations.comparing.differences import table  # noqa: PLC0415  # other commands need not load it

    columns = (Column(""), *(Column(entry.name.upper(), right=True) for entry in entries))
    rows = tuple((cell(measure.label), *map(_shown, cells)) for measure, cells in table(entries))
    return Table(columns, rows)


def _shown(found: "Value") -> Cell:
    if not found.difference:
        return cell(found.text)
    told = found.difference if found.verdict in {"", found.difference} else f"{found.difference} {found.verdict}"
    return Cell(((f"{found.text}  ", ""), (f"({told})", _STYLES.get(found.verdict, ""))))


def _document(entries: "Sequence[Entry]") -> dict[str, object]:
    from simulations.comparing.answers import sentences  # noqa: PLC0415  # other commands need not load it
    from simulations.comparing.differences import difference, table  # noqa: PLC0415  # likewise

    return {
        "answer": list(sentences(entries)),
        "scenarios": [entry.name for entry in entries],
        "measures": [
            {
                "name": measure.number,
                "values": [_pair(one.mean) for one in cells],
                "differences": [_pair(difference(measure, entries[0], entry)) for entry in entries[1:]],
                "verdicts": [one.verdict for one in cells[1:]],
            }
            for measure, cells in table(entries)
        ],
    }


def _pair(by: "Estimate") -> dict[str, float]:
    return {"mean": by.mean, "interval": by.half_width}
