"""`headroom whatif`: what comes as it is, beside what would come, from the running control plane's state."""

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.flags import duration_flag, spike_flag, times_flag
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.model.errors import ConfigError
from scheduler.wire.base import Single
from scheduler.wire.control import Status
from scheduler.wire.whatif import LONGEST_S, SHORTEST_S, NewHosts, Spike, WhatIf, WhatIfOrder

if TYPE_CHECKING:
    from scheduler.config.yaml_file import Document


def whatif(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    traffic: Annotated[
        str, typer.Option(metavar="xFACTOR", help="All traffic, as a multiple of what is forecast.", show_default=False)
    ] = "x1",
    spike: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIME+LENGTH:xFACTOR", help="A spike nobody foresees: 20:00+2h:x3, now+1h:x2.", show_default=False
        ),
    ] = None,
    lose_host: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="Gone at once; several times for several.")
    ] = None,
    add_hosts: Annotated[int, typer.Option(metavar="N", min=0, help="Hosts more, see --like.")] = 0,
    like: Annotated[str, typer.Option(metavar="HOST", help="What the new hosts are like.", show_default=False)] = "",
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sections policy and queues as in cluster.yaml.", show_default=False),
    ] = None,
    submit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A job that is submitted at once.", show_default=False)
    ] = None,
    deploy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A model that is deployed at once.", show_default=False)
    ] = None,
    until: Annotated[str, typer.Option(help="How far ahead, 1h to 7d.")] = "48h",
    runs: Annotated[int, typer.Option(min=1, max=200, help="Ways in which chance may go.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal answers.")] = 1,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what would be otherwise from now on; nothing is touched."""
    from scheduler.cli.whatif_text import answer_lines, jobs_table  # noqa: PLC0415  # other commands need not load it

    session = Session.of(context)
    if bool(add_hosts) != bool(like):
        raise ConfigError("--add-hosts and --like go together", help="--add-hosts 2 --like gpu-1")
    order = WhatIfOrder(
        traffic=times_flag(traffic, "--traffic"),
        spikes=_spikes(spike or [], session),
        lost_hosts=tuple(lose_host or ()),
        new_hosts=(NewHosts(like=like, count=add_hosts),) if like else (),
        rules=_mapping(policy),
        job=_mapping(submit),
        model=_mapping(deploy),
        until_s=_horizon_s(until),
        runs=runs,
        seed=seed,
    )
    found = session.client.what_if(order, Progress(session.screen))
    table = jobs_table(found.item, session.screen, everybody=output is Output.WIDE)
    if output in {Output.TABLE, Output.WIDE} and found.item.answer is not None:
        for line in answer_lines(found.item, found.item.answer, session.screen):
            session.screen.say(line)
        if not table.rows:
            session.screen.note("no job fares otherwise")
            return
    session.show(output, found, lambda: table)


def _horizon_s(text: str) -> float:
    """Return how far ahead is looked, seconds.

    Raises:
        ConfigError: it is no duration, or too short or too long.
    """
    horizon_s = duration_flag(text, "--until")
    if not SHORTEST_S <= horizon_s <= LONGEST_S:
        raise ConfigError(f"--until: {text} is not between 1h and 7d", help="for instance 48h")
    return horizon_s


def _spikes(texts: list[str], session: Session) -> tuple[Spike, ...]:
    if not texts:
        return ()
    now = session.screen.local(session.client.get("/status", Single[Status]).observed_at)
    return tuple(Spike(at=at, lasts_s=lasts_s, factor=factor) for at, lasts_s, factor in _read(texts, now))


def _read(texts: list[str], now: datetime) -> list[tuple[datetime, float, float]]:
    return [spike_flag(text, "--spike", now) for text in texts]


def _mapping(path: Path | None) -> dict[str, object] | None:
    """Return what a file has; faults in it are told by whoever answers.

    Raises:
        ConfigError: it cannot be read, or is no mapping.
    """
    if path is None:
        return None
    from scheduler.config.yaml_file import read_yaml  # noqa: PLC0415  # reading YAML costs time

    document: Document = read_yaml(path)
    if document.faults:
        raise ConfigError(*document.faults)
    if not isinstance(document.data, Mapping):
        raise ConfigError(f"{path}: is not a mapping of keys to values")
    return dict(document.data)


class Progress:
    """Says on standard error how far the answer is: in place on a terminal, else now and then."""

    def __init__(self, screen: Screen) -> None:
        """Say nothing yet."""
        self._screen, self._said = screen, -1

    def __call__(self, item: WhatIf) -> None:
        """Take note of what is known by now."""
        runs = item.answer.runs if item.answer else 0
        if runs == self._said:
            return
        self._said = runs
        text = f"run {runs} of {item.runs_wanted}, {item.took_s:.0f} s" if item.phase == "playing" else item.phase
        if sys.stderr.isatty():
            self._screen.err.write(f"\r{text}   ")
            self._screen.err.flush()
        elif runs in {0, 1}:
            self._screen.note(text)
