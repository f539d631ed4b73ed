"""`headroom hosts`: who holds what, and taking hosts out of service and back."""

import time
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from scheduler.cli.flags import duration_flag
from scheduler.cli.host_table import LEGEND, host_detail, host_sums, host_table, still_there
from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import moment
from scheduler.model.errors import HeadroomError
from scheduler.wire.base import Listing, Single
from scheduler.wire.hosts import DrainAnswer, DrainOrder, Host

POLL_S = 1.0
_SHOW = "show"


class HostsGroup(TyperGroup):
    """Takes anything but the name of a subcommand as arguments of the list: `headroom hosts`, `headroom hosts NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden name of the list before its arguments."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_SHOW, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=HostsGroup, rich_markup_mode=None, add_completion=False, help="List hosts, or drain them.")


def complete_host(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of hosts for the shell; nothing when nobody answers quickly."""
    from scheduler.client import Client  # noqa: PLC0415  # only completion of this argument pays for it

    try:
        with Client(Session.of(context).url or None, timeout_s=1.0) as client:
            return [host.name for host in client.hosts().items if host.name.startswith(incomplete)]
    except HeadroomError:
        return []


HostArgument = Annotated[
    str, typer.Argument(metavar="HOST", help="Name of a host.", autocompletion=complete_host, show_default=False)
]
ReasonOption = Annotated[str, typer.Option(help="Why, for people.", show_default=False)]


@app.command(_SHOW, hidden=True)
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Only this host, in full.", autocompletion=complete_host)] = "",
    *,
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List hosts with their devices, or show one in full."""
    session = Session.of(context)
    if name:
        _show_one(session, name, output)
        return

    def draw() -> tuple[Listing[Host], Table]:
        hosts = session.client.hosts()
        return hosts, host_table(hosts, session.screen)

    if watch:
        session.watch(draw, output)
    hosts, table = draw()
    session.show(output, hosts, lambda: table)
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.note(host_sums(hosts.items))
        if session.screen.is_terminal:
            session.screen.note(session.screen.paint(LEGEND, "dim"))


@app.command()
def cordon(context: typer.Context, host: HostArgument, *, reason: ReasonOption = "") -> None:
    """Give a host no new work; what is there stays."""
    session = Session.of(context)
    session.client.cordon(host, reason)
    session.screen.say(f"Cordoned {host}: it keeps its work and takes no more. Undo: headroom hosts uncordon {host}")


@app.command()
def uncordon(context: typer.Context, host: HostArgument) -> None:
    """Give a cordoned or drained host work again."""
    session = Session.of(context)
    session.client.uncordon(host)
    session.screen.say(f"{host} takes work again")


@app.command()
def drain(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    host: HostArgument,
    *,
    reason: ReasonOption = "",
    deadline: Annotated[
        str, typer.Option(help="Jobs that end by themselves within it are left alone.", show_default=False)
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Even when serving falls short.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when the host is empty; Ctrl-C leaves it going.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Move all work away from a host; refused when serving would fall short."""
    session = Session.of(context)
    order = DrainOrder(
        reason=reason,
        deadline_s=duration_flag(deadline, "--deadline") if deadline else None,
        force=force,
        dry_run=dry_run,
    )
    answer = session.client.send("POST", f"/hosts/{quote(host, safe='')}/drain", Single[DrainAnswer], order)
    if output in {Output.TABLE, Output.WIDE}:
        _tell(session, answer.item, answer.observed_at, dry_run=dry_run)
    else:
        session.show(output, answer, lambda: Table((Column("HOST"),), (), (host,)))
    if not (answer.item.applied or dry_run):
        raise typer.Exit(1)
    if wait and answer.item.applied:
        _until_empty(session, host)


def _until_empty(session: Session, host: str) -> None:
    """Say on stderr what still runs on a host, a line for each change, until nothing does."""
    before = ""
    while True:
        still = still_there(session.client.get(f"/hosts/{quote(host, safe='')}", Single[Host]).item)
        if still != before:
            session.screen.note(f"{host}: {still}" if still else f"{host} is empty")
            before = still
        if not still:
            return
        time.sleep(POLL_S)


def _show_one(session: Session, name: str, output: Output) -> None:
    found = session.client.get(f"/hosts/{quote(name, safe='')}", Single[Host])
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.say(host_detail(found.item, found.observed_at, session.screen))
    else:
        session.show(output, found, lambda: host_table(_listing(found), session.screen))


def _listing(found: Single[Host]) -> Listing[Host]:
    return Listing(kind="HostList", observed_at=found.observed_at, cycle=found.cycle, items=(found.item,))


def _tell(session: Session, answer: DrainAnswer, now: datetime, *, dry_run: bool) -> None:
    screen, host = session.screen, answer.host
    covered = "serving stays covered" if answer.covered else screen.paint("serving falls short", "red")
    begun = "Draining" if answer.applied else "Would drain" if dry_run else "Not draining"
    screen.say("\n".join([f"{begun} {host}: {covered}", *(f"  {step}" for step in answer.steps)]))
    if answer.empty_at is not None:
        screen.say(f"empty by {moment(answer.empty_at, now, screen)}")
    if answer.applied:
        screen.note(f"undo: headroom hosts uncordon {host}")
    elif not dry_run:
        screen.note(f"{screen.paint('error:', 'red')} serving would fall short without {host}; nothing was changed")
        screen.note(f"{screen.paint('help:', 'bold')} --force drains it all the same")
