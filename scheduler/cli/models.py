"""`headroom models`: what is served; deploying a model, following its rollout, and taking it away."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from scheduler.cli.importing_models import import_models
from scheduler.cli.model_table import is_tight, model_table
from scheduler.cli.rollout_text import deployed_lines, history_table, outlook_lines, proposal_table, rollout_line
from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Column, Table
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, HeadroomError
from scheduler.wire.base import Listing, Single
from scheduler.wire.models import ModelHistory
from scheduler.wire.serving import ServedModel

POLL_S: Final = 1.0
_LIST: Final = "list"


class ModelsGroup(TyperGroup):
    """Takes anything but the name of a subcommand as arguments of the list: `headroom models --owner editing`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the hidden name of the list before its arguments."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_LIST, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=ModelsGroup, rich_markup_mode=None, add_completion=False, help="List served models; deploy, roll out, remove."
)


app.command("import")(import_models)


def complete_model(context: typer.Context, incomplete: str) -> list[str]:
    """Return names of models for the shell; nothing when nobody answers quickly."""
    from scheduler.client import Client  # noqa: PLC0415  # only completion of this argument pays for it

    try:
        with Client(Session.of(context).url or None, timeout_s=1.0) as client:
            return [model.name for model in client.models().items if model.name.startswith(incomplete)]
    except HeadroomError:
        return []


ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model.", autocompletion=complete_model, show_default=False)
]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Return when that is over; 1 when it was rolled back. Ctrl-C leaves it going.")
]


@app.command(_LIST, hidden=True)
def show(
    context: typer.Context,
    *,
    owner: Annotated[str, typer.Option(help="Only of this owner.", show_default=False)] = "",
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List served models: replicas, load, headroom and rollouts."""
    session = Session.of(context)

    def draw() -> tuple[Listing[ServedModel], Table]:
        found = session.client.models()
        kept = tuple(model for model in found.items if not owner or model.owner == owner)
        shown = found.model_copy(update={"items": kept})
        return shown, model_table(shown, session.screen)

    if watch:
        session.watch(draw, output)
    found, table = draw()
    session.show(output, found, lambda: table)
    if output in {Output.TABLE, Output.WIDE}:
        tight = sum(is_tight(model) for model in found.items)
        session.screen.note(f"{plural(len(found.items), 'model')}, {tight} tight or short")
        for model in found.items:
            if model.trouble:
                session.screen.note(f"{model.name}: {model.trouble}")


@app.command()
def deploy(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|MODEL",
            help="A model's YAML; its keys: headroom explain model. With --from-job the name of a model.",
            show_default=False,
        ),
    ],
    *,
    from_job: Annotated[
        str, typer.Option(help="Its next revision is as it is, with what this job has published.", show_default=False)
    ] = "",
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Though it belongs to the file of the control plane.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    wait: WaitOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deploy a new model, or a new revision of one that is there."""
    session = Session.of(context)
    if from_job and take_over:
        raise ConfigError("--from-job and --take-over exclude each other", help="take it over first")
    if dry_run:
        found = session.client.try_model(file, take_over=take_over, from_job=from_job)
        if _is_plain(session, found, output, found.item.name):
            for line in outlook_lines(found.item, found.observed_at, session.screen):
                session.screen.say(line)
            session.screen.note(session.screen.paint(f"  asked of plan {found.cycle}; nothing was changed", "dim"))
        return
    made = session.client.deploy(file, take_over=take_over, from_job=from_job)
    if _is_plain(session, made, output, made.item.name):
        for line in deployed_lines(made.item, session.screen):
            session.screen.say(line)
    if wait and made.item.is_rolled_out:
        _wait(session, made.item.name, made.item.revision)


@app.command()
def rollout(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    model: ModelArgument,
    *,
    pause: Annotated[bool, typer.Option("--pause", help="Stay at the share it has; it is judged on.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Back to the revision before.")] = False,
    to: Annotated[int, typer.Option(help="Roll out a revision that is there.", min=0, show_default=False)] = 0,
    wait: WaitOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show how far a rollout is, or steer it."""
    session = Session.of(context)
    asked = [name for name, given in (("pause", pause), ("resume", resume), ("undo", undo), ("to", bool(to))) if given]
    if len(asked) > 1:
        raise ConfigError(f"--{asked[0]} and --{asked[1]} exclude each other", help="give one of them")
    client = session.client
    found = client.steer(model, asked[0], to) if asked else client.model_history(model)
    if _is_plain(session, found, output, model):
        session.screen.say(rollout_line(found.item, found.observed_at, session.screen))
    if wait and found.item.rollout is not None:
        _wait(session, model, found.item.rollout.revision)


@app.command()
def history(context: typer.Context, model: ModelArgument, *, output: OutputOption = Output.TABLE) -> None:
    """List the revisions of a model: who, when, what changed, how it did."""
    session = Session.of(context)
    found = session.client.model_history(model)
    session.show(output, found, lambda: history_table(found.item, found.observed_at, session.screen))
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.note(rollout_line(found.item, found.observed_at, session.screen))


@app.command()
def remove(
    context: typer.Context,
    model: ModelArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Return when its room is free.")] = False,
) -> None:
    """Take a model away: its requests are answered, its room is freed, its history stays."""
    session = Session.of(context)
    session.client.remove_model(model)
    session.screen.say(f"Removing {model}: its replicas answer what they have, and go. Again: headroom models deploy")
    while wait and session.client.model_history(model).item.removed is None:
        time.sleep(POLL_S)


@app.command()
def propose(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A model's YAML; its keys: headroom explain model.", show_default=False)],
) -> None:
    """Ask operators to deploy a model."""
    session = Session.of(context)
    made = session.client.propose(file).item
    session.screen.say(f"Proposed {made.name}: an operator approves it with headroom models approve {made.name}")


@app.command()
def proposals(context: typer.Context, *, output: OutputOption = Output.TABLE) -> None:
    """List the models that wait for an operator's word."""
    session = Session.of(context)
    found = session.client.proposals()
    session.show(output, found, lambda: proposal_table(found, session.screen))
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.note(plural(len(found.items), "proposal"))


@app.command()
def approve(context: typer.Context, model: ModelArgument, *, wait: WaitOption = False) -> None:
    """Deploy what is proposed."""
    session = Session.of(context)
    made = session.client.approve(model).item
    for line in deployed_lines(made, session.screen):
        session.screen.say(line)
    if wait and made.is_rolled_out:
        _wait(session, made.name, made.revision)


@app.command()
def reject(
    context: typer.Context,
    model: ModelArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for who proposed it.", show_default=False)] = "",
) -> None:
    """Decline what is proposed, and say why."""
    session = Session.of(context)
    declined = session.client.reject(model, reason).item
    session.screen.say(f"Rejected {declined.name} of {declined.by}")


def _is_plain(session: Session, found: Single[Any], output: Output, name: str) -> bool:
    """Print a result as programs want it, or say that people want it in words."""
    if output in {Output.TABLE, Output.WIDE}:
        return True
    session.show(output, found, lambda: Table((Column("MODEL"),), (), (name,)))
    return False


def _wait(session: Session, model: str, revision: int) -> None:
    """Say each change of a rollout on stderr, one a line, until it is over; exit 1 when it did not take over."""
    before = ""
    while True:
        found = session.client.model_history(model)
        line = rollout_line(found.item, found.observed_at, session.screen)
        if line != before:
            session.screen.note(line)
        before = line
        if (ended := _ended(found.item, revision)) is not None:
            break
        time.sleep(POLL_S)
    if not ended:
        raise typer.Exit(1)


def _ended(found: ModelHistory, revision: int) -> bool | None:
    """Return whether a revision took over; None while that is open."""
    if found.serving == revision:
        return True
    rollout = found.rollout
    return None if rollout is not None and rollout.revision == revision and not rollout.is_over else False
