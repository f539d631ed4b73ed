"""What one run of the command line shares: the flags that every command takes, the screen and the client."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.screen import Color, Screen
from scheduler.cli.table import Table, render

if TYPE_CHECKING:
    from scheduler.client import Client
    from scheduler.wire.base import Resource


class Output(StrEnum):
    """How to print a result."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print it.", show_default=False)]
WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again, until Ctrl-C.")]


@dataclass
class Session:
    """The flags of every command.

    Attributes:
        url: address of the control plane; "" for HEADROOM_URL or this machine.
        color: when to colour.
        utc: whether times are shown in UTC and not in the local zone.
        header: whether tables have one.
    """

    url: str = ""
    color: Color = Color.AUTO
    utc: bool = False
    header: bool = True

    @classmethod
    def of(cls, context: typer.Context) -> "Session":
        """Return the session of a running command."""
        found = context.find_object(cls)
        return found if found is not None else cls()

    @cached_property
    def screen(self) -> Screen:
        """Where to print."""
        return Screen.of(os.environ, color=self.color, utc=self.utc, header=self.header)

    @cached_property
    def client(self) -> "Client":
        """The control plane."""
        from scheduler.client import Client  # noqa: PLC0415  # commands that ask nobody need not load it

        return Client(self.url or None)

    def close(self) -> None:
        """Let go of what the command has opened."""
        if "client" in self.__dict__:
            self.client.close()

    def show(self, output: Output, resource: "Resource", table: Callable[[], Table]) -> None:
        """Print a result as the user wants it."""
        text = self._rendered(output, resource, table)
        if text or output is not Output.NAME:
            self.screen.say(text)

    def watch(self, draw: Callable[[], tuple["Resource", Table]], output: Output, period_s: float = 2.0) -> None:
        """Show a result again and again: in place on a terminal, else anew whenever it changes."""
        before = ""
        while True:
            resource, table = draw()
            text = self._rendered(output, resource, lambda table=table: table)  # type: ignore[misc]  # bound at once
            if self.screen.is_terminal:
                self.screen.redraw(text)
            elif text != before:
                self.screen.say(text)
            before = text
            time.sleep(period_s)

    def _rendered(self, output: Output, resource: "Resource", table: Callable[[], Table]) -> str:
        match output:
            case Output.JSON:
                return resource.model_dump_json(by_alias=True, indent=2)
            case Output.YAML:
                import yaml  # noqa: PLC0415  # only this output pays for it

                plain = resource.model_dump(mode="json", by_alias=True)
                return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip()
            case Output.NAME:
                return "\n".join(table().names)
            case _:
                return render(table(), self.screen, wide=output is Output.WIDE)
