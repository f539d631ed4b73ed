"""`headroom backup` and `headroom restore`: the store as one file, and back."""

from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli.session import Session

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The cluster's YAML, to read its store directly.")
]
StateDirOption = Annotated[Path | None, typer.Option(help="Where state is kept.", show_default=False)]


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    *,
    config: ConfigOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Write what the control plane has stored to one file, while it runs (or, with -c, whether it runs or not).

    Jobs, attempts, events, marks of hosts and the journal; packages and checkpoints are plain files in state_dir.
    """
    session = Session.of(context)
    if config is None:
        session.client.backup(file)
        session.screen.note(f"backed up {session.client.url} to {file}")
        return
    from scheduler.store.backup import back_up  # noqa: PLC0415  # other commands need not load it

    held = back_up(_url(config, state_dir), file)
    session.screen.note(f"backed up {held} to {file}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that headroom backup wrote.")],
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="The cluster's YAML, whose store is filled.")],
    state_dir: StateDirOption = None,
    force: Annotated[bool, typer.Option("--force", help="Also where the store holds something already.")] = False,
) -> None:
    """Put a backup in the place of a store that no control plane uses. What a SQLite file held is kept beside it."""
    from scheduler.store.backup import restore as put_back  # noqa: PLC0415  # other commands need not load it

    held = put_back(_url(config, state_dir), file, force=force)
    Session.of(context).screen.note(f"restored {held} from {file}")


def _url(config: Path, state_dir: Path | None) -> str:
    from scheduler.cli.composition.state import store_url  # noqa: PLC0415  # other commands need not load it
    from scheduler.config.loading import load_config  # noqa: PLC0415  # likewise

    loaded = load_config(config)
    return store_url(loaded.model_copy(update={"state_dir": state_dir or loaded.state_dir}))
