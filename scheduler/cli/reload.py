"""`headroom reload`: the control plane reads its file again, and says what comes, what changes and what goes."""

from typing import Annotated, Final

import typer

from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table, cell
from scheduler.cli.wording import NOTHING
from scheduler.wire.reload import Change, Reloaded

STYLES: Final = {"comes": "green", "changes": "yellow", "goes": "red"}


def reload(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Have the control plane read its file again: all of it counts from the next turn on, or nothing is changed.

    Queues, priorities, policy, limits, retention, traffic, tokens and models of the file change so; SIGHUP to the
    control plane does the same.
    """
    session = Session.of(context)
    answer = session.client.reload(dry_run=dry_run)
    if answer.item.changes or output not in {Output.TABLE, Output.WIDE}:
        session.show(output, answer, lambda: change_table(answer.item.changes))
    session.screen.note(_said(answer.item))


def change_table(changes: tuple[Change, ...]) -> Table:
    """Return one row a change."""
    rows = tuple(
        (cell(one.kind, STYLES[one.kind]), cell(one.what), cell("; ".join(one.details) or NOTHING)) for one in changes
    )
    return Table((Column("IT"), Column("WHAT"), Column("DETAIL")), rows, tuple(one.what for one in changes))


def _said(answer: Reloaded) -> str:
    if not answer.changes:
        return "the file is as it was: nothing is changed"
    return "this counts from the next turn on" if answer.applied else "nothing was changed: this is what would be"
