"""`headroom events`: what happened, cause and effect in one line."""

from typing import Annotated, Final

import typer

from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, zone_name
from scheduler.wire.base import Listing
from scheduler.wire.jobs import Event

_STYLES: Final = {"serving": "blue", "preemption": "yellow", "failure": "red"}


def events(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="Only of this job, model or host.", show_default=False)] = "",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many, the newest.", min=1, max=1000)] = 20,
    cursor: Annotated[int | None, typer.Option(help="Of the page to show.", min=1, show_default=False)] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what happened, the newest last."""
    session = Session.of(context)
    asked: dict[str, str | int] = {"limit": limit, **({"subject": subject} if subject else {})}
    asked |= {"cursor": cursor} if cursor else {}
    found = session.client.events(**asked)
    session.show(output, found, lambda: event_table(found, session.screen))
    if output in {Output.TABLE, Output.WIDE} and not found.items:
        session.screen.note(f"no events of {subject}" if subject else "no events")
    if found.next and output in {Output.TABLE, Output.WIDE}:
        session.screen.note(f"those before: --cursor {found.next}")


def event_table(found: Listing[Event], screen: Screen) -> Table:
    """Return one row an event."""
    columns = (
        Column(f"AT ({zone_name(found.observed_at, screen)})"),
        Column("CYCLE", right=True, drop=2),
        Column("KIND", drop=1),
        Column("SUBJECT", wide=True, drop=3),
        Column("BY", wide=True, drop=4),
        Column("WHAT"),
    )
    rows = tuple(
        (
            moment(event.at, found.observed_at, screen),
            str(event.cycle),
            cell(event.kind, _STYLES.get(event.kind, "")),
            event.subject,
            event.actor or NOTHING,
            f"{event.title}: {event.detail}" if event.detail else event.title,
        )
        for event in found.items
    )
    return Table(columns, rows, tuple(str(event.id) for event in found.items))
