"""A group of commands whose modules are imported only when they are called: `headroom list` loads no simulator."""

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from scheduler.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Entry:
    """One command.

    Attributes:
        name: as it is typed.
        module: where it is.
        attribute: the function, or the `typer.Typer` of a group of commands.
        summary: one line for the help.
    """

    name: str
    module: str
    attribute: str
    summary: str


class LazyGroup(TyperGroup):
    """Lists commands from a table and imports the one that is called."""

    entries: ClassVar[tuple[Entry, ...]] = ()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the library's signature
        """Return the names in the order of the table."""
        return [entry.name for entry in self.entries]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  # likewise
        """Import a command.

        Raises:
            ConfigError: there is none of that name.
        """
        found = next((entry for entry in self.entries if entry.name == cmd_name), None)
        if found is None:
            near = difflib.get_close_matches(cmd_name, [entry.name for entry in self.entries], n=1)
            guess = f'did you mean "{near[0]}"? ' if near else ""
            raise ConfigError(f'no command "{cmd_name}"', help=f"{guess}all commands: headroom --help")
        command = _command(getattr(import_module(found.module), found.attribute), found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # likewise
        """Write the help's list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.summary) for entry in self.entries])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete names without importing commands."""
        from typer._click.shell_completion import CompletionItem  # noqa: PLC0415  # there is no public name

        names = [CompletionItem(e.name, help=e.summary) for e in self.entries if e.name.startswith(incomplete)]
        return names + (super(TyperGroup, self).shell_complete(ctx, incomplete) if incomplete.startswith("-") else [])


def _command(found: Any, entry: Entry) -> Any:
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(entry.name)(found)
    return typer.main.get_command(app)
