"""`headroom strays`, `adopt` and `evict-strays`: what others run on the cluster, and what shall become of it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, plain
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, HeadroomError
from scheduler.wire.hosts import Stray


def complete_stray(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of strays for the shell; nothing when nobody answers quickly."""
    from scheduler.client import Client  # noqa: PLC0415  # only completion of this argument pays for it

    try:
        with Client(Session.of(context).url or None, timeout_s=1.0) as client:
            return [stray.name for stray in client.strays().items if stray.name.startswith(incomplete)]
    except HeadroomError:
        return []


NamesArgument = Annotated[
    list[str] | None, typer.Argument(help="Names of strays.", autocompletion=complete_stray, show_default=False)
]


def strays(context: typer.Context, *, output: OutputOption = Output.TABLE) -> None:
    """List what runs on the cluster and was not started from this control plane's store."""
    session = Session.of(context)
    found = session.client.strays()
    session.show(output, found, lambda: stray_table(found.items))
    if output in {Output.TABLE, Output.WIDE}:
        gpus = plain(sum(stray.gpus for stray in found.items))
        session.screen.note(
            f"{plural(len(found.items), 'stray')}, {gpus} GPUs; left alone until you adopt or evict them"
        )


def adopt(context: typer.Context, names: NamesArgument = None) -> None:
    """Take strays over, as if this store had started them; without names all that can be."""
    session = Session.of(context)
    chosen = session.client.adopt(*(names or ()))
    _said(session, chosen, "to be adopted")
    left = [stray for stray in session.client.strays().items if not stray.adoptable] if not names else []
    for stray in left:
        session.screen.note(f"left alone: {stray.name}: {stray.why}")


def evict(
    context: typer.Context,
    names: NamesArgument = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All strays there are.")] = False,
) -> None:
    """End strays for good: they are told to stop, and removed after 30 seconds."""
    if bool(names) == everything:
        raise ConfigError("name the strays to evict, or say --all", help="headroom strays lists them")
    session = Session.of(context)
    _said(session, session.client.evict_strays(*(names or ())), "to be evicted")


def stray_table(found: Sequence[Stray]) -> Table:
    """Return one row a stray."""
    columns = (
        Column("NAME"),
        Column("KIND"),
        Column("OWNER", drop=3),
        Column("HOSTS", drop=2),
        Column("GPUS", right=True),
        Column("CPUS", right=True, drop=4),
        Column("ADOPT", drop=1),
    )
    return Table(columns, tuple(_row(stray) for stray in found), tuple(stray.name for stray in found))


def _row(stray: Stray) -> tuple[Cell | str, ...]:
    may = f"to {stray.ordered}" if stray.ordered else "yes" if stray.adoptable else f"no: {stray.why}"
    return (
        cell(stray.name, "bold"),
        stray.kind,
        stray.owner[:8] or NOTHING,
        ", ".join(stray.hosts) or NOTHING,
        plain(stray.gpus),
        plain(stray.cpus),
        may,
    )


def _said(session: Session, chosen: Sequence[Stray], what: str) -> None:
    for stray in chosen:
        session.screen.say(f"{stray.name} is {what}")
    if not chosen:
        session.screen.note(f"nothing is {what}")
