"""`headroom bench chaos`: everything goes wrong at once, and the control plane keeps its promises, or it is shown."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.progress import progress
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.config.units import format_duration
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.chaos.living import Verdict

SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Stories, each of its own chance.")]
FirstOption = Annotated[int, typer.Option("--first", min=0, help="The first seed.")]
ParallelOption = Annotated[int, typer.Option("--parallel", min=0, help="Processes; 0 for one a processor.")]
StoryOption = Annotated[
    Path | None,
    typer.Option("--story", metavar="FILE", help="Play this story instead, as --json has it.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def chaos(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    seeds: SeedsOption = 200,
    first: FirstOption = 0,
    parallel: ParallelOption = 1,
    story: StoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let hosts, starts, views, stores, clocks, telemetry and people go wrong, and check every promise after each turn.

    Exit code 1 where a promise is broken; the shortest story that breaks it is printed, to be kept as a test.
    """
    from benchmarks.chaos.report import document, failures, play_seeds, shortest  # noqa: PLC0415  # loaded when used

    screen = Session.of(context).screen
    if story is not None:
        verdicts = [_played(story)]
    else:
        numbers = range(first, first + seeds)
        with progress("chaos", len(numbers), screen, "stories") as told:
            verdicts = play_seeds(numbers, parallel or len(os.sched_getaffinity(0)), told)
    if failures(verdicts):
        screen.note("a promise was broken; looking for the shortest story that breaks it")
    short = shortest(verdicts)
    if as_json:
        screen.say(json_text(document(verdicts, short)))
    else:
        _say(verdicts, short, screen)
    if short:
        raise typer.Exit(1)


def _played(story: Path) -> "Verdict":
    from pydantic import ValidationError  # noqa: PLC0415  # loaded when used

    from benchmarks.chaos.living import play  # noqa: PLC0415  # likewise
    from benchmarks.chaos.stories import STORY  # noqa: PLC0415  # likewise

    try:
        return play(STORY.validate_json(story.read_bytes()))
    except OSError as error:
        raise ConfigError(
            Fault("UnreadableFile", f"cannot be read: {error.strerror}", str(story), help=_HELP)
        ) from error
    except ValidationError as error:
        raise ConfigError(Fault("BadStory", "is no story", str(story), help=_HELP)) from error


_HELP = "a story as headroom bench chaos --json prints it, under shortest"


def _say(verdicts: "Sequence[Verdict]", short: "Sequence[Verdict]", screen: Screen) -> None:
    from benchmarks.chaos.report import failures, written  # noqa: PLC0415  # loaded when used

    turns, deaths = sum(one.turns for one in verdicts), sum(one.deaths for one in verdicts)
    troubles = sum(len(one.story.troubles) for one in verdicts)
    kept = f"{len(failures(verdicts))} broke a promise" if short else "every promise was kept"
    told = f"{plural(turns, 'turn')}, {plural(troubles, 'trouble')}, {plural(deaths, 'death')} of the control plane"
    screen.say(f"{len(verdicts)} stories: {kept} ({told})")
    for verdict in short:
        at = format_duration(verdict.at_s)
        screen.say(f"seed {verdict.story.seed}: broken after {at}: {verdict.broken}: {verdict.why}")
        for trouble in verdict.story.troubles:
            lasts = format_duration(trouble.lasts_s)
            screen.say(
                f"  {format_duration(trouble.at_s)} for {lasts}: {trouble.kind} ({trouble.pick}, {trouble.size:g})"
            )
        screen.say(f"  story: {json_text(written(verdict.story))}")
