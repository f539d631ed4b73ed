"""`headroom bench eta`: whether jobs start when they are told to."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.errors import warn
from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, render
from scheduler.config.units import format_duration

if TYPE_CHECKING:
    from benchmarks.eta.scoring import Score
    from scheduler.cli.screen import Screen
    from scheduler.config.scenario import Scenario


def eta(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    jobs: Annotated[
        Path | None,
        typer.Option(
            "--jobs", metavar="FILE", help="Recorded jobs instead of made-up ones: timestamp, duration, num_gpus."
        ),
    ] = None,
    window: Annotated[
        str, typer.Option("--window", metavar="DATE", help="Where to begin in them.", show_default="their first day")
    ] = "",
    days: Annotated[float, typer.Option(min=0.25, help="Of the recorded jobs.")] = 2.0,
    hosts: Annotated[int, typer.Option(min=1, help="Of 8 GPUs each, for them.")] = 6,
    share: Annotated[float, typer.Option(min=0.001, max=1.0, help="Of them that is played.")] = 0.1,
    every: Annotated[float, typer.Option(min=0.25, help="Hours between the moments at which everybody asks.")] = 4.0,
    runs: Annotated[int, typer.Option(min=1, help="That an estimate rests on.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of chance.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play days of arriving jobs, ask when everybody who waits will start, and compare with when they do."""
    from benchmarks.eta.foretelling import foretold  # noqa: PLC0415  # other commands need not load it
    from benchmarks.eta.scoring import scores  # noqa: PLC0415  # likewise
    from benchmarks.queueing.scenes import important_jobs_among_others  # noqa: PLC0415  # likewise
    from simulations.outcome import finite  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    scene = important_jobs_among_others() if jobs is None else _recorded(jobs, window, days, hosts, share, screen)
    found = scores(foretold(scene, seed, every * 3600.0, runs, lambda done, of: screen.note(f"{done} of {of} moments")))
    if as_json:
        screen.say(json_text({name: finite(asdict(score)) for name, score in found.items()}))
        return
    screen.say(render(_table(found), screen))


def _recorded(  # noqa: PLR0913, PLR0917  # what flags say
    file: Path, window: str, days: float, hosts: int, share: float, screen: "Screen"
) -> "Scenario":
    from benchmarks.queueing.scenes import Recorded, recorded  # noqa: PLC0415  # as above
    from scheduler.cli.bench_queueing import moment_of  # noqa: PLC0415  # as above
    from scheduler.config.scenario import JobTrace  # noqa: PLC0415  # as above
    from simulations.traces import first_day  # noqa: PLC0415  # as above

    first = window or first_day(JobTrace.model_validate({"file": file}), partial(warn, screen=screen))
    return recorded(Recorded(file, moment_of(first), days, hosts, share))


def _table(found: "dict[str, Score]") -> Table:
    heads = ("ASKED", "ANSWERED", "BEFORE P50", "BEFORE P90", "±10 MIN", "±10 MIN, < 1 H", "OFF", "P90 - P50")
    rows = tuple(
        (
            name,
            str(one.asked),
            *(f"{part:.3f}" for part in (one.answered, one.before_p50, one.before_p90, one.close, one.close_soon)),
            *(format_duration(round(part)) if part == part else "-" for part in (one.off_s, one.width_s)),  # noqa: PLR0124  # NaN
        )
        for name, one in found.items()
    )
    return Table((Column("JOBS"), *(Column(head, right=True) for head in heads)), rows, tuple(found))
