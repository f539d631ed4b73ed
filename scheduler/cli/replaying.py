"""`headroom replay`: recorded turns of a control plane, planned again."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scheduler.cli.documents import json_text
from scheduler.cli.flags import date_flag_s
from scheduler.cli.output_files import check_file
from scheduler.cli.progress import progress
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, HeadroomError, NotFound
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica

if TYPE_CHECKING:
    from scheduler.control.records import CycleRecord
    from scheduler.control.whatif.replay import Again
    from scheduler.model.policy import Policy

SHOWN: Final = 10
"""Turns that differ are shown, without --all."""

JournalArgument = Annotated[
    Path | None, typer.Argument(help="A file of recorded turns: .jsonl or .jsonl.gz.", show_default=False)
]
StoreOption = Annotated[
    str, typer.Option("--store", metavar="URL", help="Read the turns of a store, or of a backup.", show_default=False)
]
FromOption = Annotated[str, typer.Option("--from", metavar="TIME", help="Only turns since then, UTC.")]
ToOption = Annotated[str, typer.Option("--to", metavar="TIME", help="Only turns until then, UTC.")]
PolicyOption = Annotated[
    Path | None,
    typer.Option("--policy", metavar="FILE", help="By the section policy: of this file.", show_default=False),
]
WriteOption = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Also write the turns to a journal file.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AllOption = Annotated[bool, typer.Option("--all", help=f"Show all turns that differ, not the first {SHOWN}.")]


@dataclass
class _Sums:
    """What was counted over all turns.

    Attributes:
        turns, busy: how many, and how many of them did something.
        first_s, last_s: when.
        releases: that planned them.
        before, after: actions by what they do, as recorded and as planned again.
        differing: turns that differ.
    """

    turns: int = 0
    busy: int = 0
    first_s: float = inf
    last_s: float = -inf
    releases: set[str] = field(default_factory=set)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    differing: "list[Again]" = field(default_factory=list)

    def add(self, again: "Again") -> None:
        """Count a turn."""
        cycle = again.cycle
        self.turns += 1
        self.busy += bool(cycle.plan.actions)
        self.first_s, self.last_s = min(self.first_s, cycle.at_s), max(self.last_s, cycle.at_s)
        self.releases.add(cycle.release or "an older Headroom")
        self.before.update(map(_verb, cycle.plan.actions))
        self.after.update(map(_verb, again.plan.actions if again.plan else ()))
        if not again.is_equal:
            self.differing.append(again)


def replay(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    journal: JournalArgument = None,
    *,
    store: StoreOption = "",
    since: FromOption = "",
    until: ToOption = "",
    policy: PolicyOption = None,
    write: WriteOption = None,
    show_all: AllOption = False,
    as_json: JsonOption = False,
) -> None:
    """Plan recorded turns again: the same input gives the same plan, or it is said where it does not, and why.

    With --policy it is told what another policy would have done in each turn; what that would have led to is not
    followed. Exit code 1 where a turn is not planned as it was, though its own policy was asked.
    """
    from scheduler.control.release import release  # noqa: PLC0415  # other commands need not load it
    from scheduler.control.whatif.replay import replayed  # noqa: PLC0415  # likewise

    screen = Session.of(context).screen
    check_file("--write", write)
    between = (date_flag_s(since, "--from") or -inf, date_flag_s(until, "--to") or inf)
    cycles = _cycles(journal, store, between)
    first = next(cycles, None)
    if first is None:
        raise _nothing(journal or store, is_file=journal is not None and between == (-inf, inf))
    asked, every = _policy(policy, first) if policy else None, chain([first], cycles)
    sums = _Sums()
    with progress("replay", 0, screen, "turns") as told:
        for again in replayed(_written(write, every, screen) if write else every, release(), asked):
            sums.add(again)
            told(sums.turns)
    screen.say(json_text(_document(sums)) if as_json else "\n".join(_lines(sums, policy, show_all=show_all)))
    if sums.differing and asked is None:
        raise typer.Exit(1)


def _nothing(where: Path | str, *, is_file: bool) -> HeadroomError:
    """Return the error of a journal without turns, or of a time without any."""
    said = f"no recorded turn in {where}"
    if is_file:
        return ConfigError(said, help="a journal of turns, as headroom replay --write keeps them")
    return NotFound(said, help="another --from and --to, or the store of a control plane that has run")


def _cycles(journal: Path | None, store: str, between: tuple[float, float]) -> "Iterator[CycleRecord]":
    from scheduler.store.codec import read_journal  # noqa: PLC0415  # other commands need not load it
    from scheduler.store.recorded import recorded_cycles  # noqa: PLC0415  # likewise

    if (journal is None) == (not store):
        raise ConfigError("give a journal or a store", help="headroom replay FILE, or headroom replay --store URL")
    read = recorded_cycles(store, *between) if journal is None else read_journal(journal)
    return (cycle for cycle in read if between[0] <= cycle.at_s <= between[1])


def _policy(file: Path, first: "CycleRecord") -> "Policy":
    from scheduler.config.policy_file import load_policy  # noqa: PLC0415  # other commands need not load it

    return load_policy(file, first.choices.queue_order if first.choices else "priority")


def _written(file: Path, cycles: "Iterable[CycleRecord]", screen: Screen) -> "Iterator[CycleRecord]":
    from scheduler.store.codec import written_to  # noqa: PLC0415  # other commands need not load it

    try:
        yield from written_to(file, cycles)
    except OSError as error:
        raise ConfigError(f"--write: {file} cannot be written: {error.strerror}") from error
    screen.note(f"turns in {file}")


def _lines(sums: _Sums, policy: Path | None, *, show_all: bool) -> Iterator[str]:
    shown = sums.differing if show_all else sums.differing[:SHOWN]
    for again in shown:
        yield from _difference(again)
    if len(shown) < len(sums.differing):
        yield f"… {len(sums.differing) - len(shown)} more: --all"
    span = f"{plural(sums.turns, 'turn')}, {_moment(sums.first_s)} – {_moment(sums.last_s)}, {sums.busy} of them busy"
    if not sums.differing:
        by = f" by {policy}" if policy else ""
        yield f"{span}: all planned{by} as they were"
        return
    first = sums.differing[0].cycle.number
    how = f"by {policy} {len(sums.differing)} would have been planned otherwise" if policy else (
        f"{len(sums.differing)} planned otherwise, the first is turn {first}"
    )  # fmt: skip
    yield f"{span}: {how}"
    for verb in sorted({*sums.before, *sums.after}):
        yield f"  {verb:<14} {sums.before[verb]} → {sums.after[verb]}"
    if policy:
        yield "each turn is planned from what was recorded; what a difference leads to is not followed"


def _difference(again: "Again") -> Iterator[str]:
    yield f"turn {again.cycle.number}, {_moment(again.cycle.at_s)}: {again.why}"
    if again.error:
        yield f"  {again.error}"
        return
    yield from (f"  - {_words(action)}" for action in again.gone())
    yield from (f"  + {_words(action)}" for action in again.come())
    if others := [part for part in again.differs if part != "actions"]:
        yield f"  ~ {', '.join(others).replace('unplaced', 'reasons')}"


def _verb(action: Action) -> str:
    match action:
        case StartJob():
            return "job starts"
        case PreemptJob():
            return "job stops"
        case StartReplica():
            return "replica starts"
        case StopReplica():
            return "replica stops"


def _words(action: Action) -> str:
    match action:
        case StartJob():
            return f"start job {action.job_id} on {', '.join(sorted({slot.host for slot in action.slots}))}"
        case PreemptJob():
            whom = f" for {action.beneficiary}" if action.beneficiary else ""
            return f"stop job {action.job_id}{whom} ({action.cause})"
        case StartReplica():
            return f"start a replica of {action.model} on {action.slot.host}"
        case StopReplica():
            return f"stop a replica of {action.model} on {action.slot.host} ({action.cause})"


def _document(sums: _Sums) -> dict[str, object]:
    return {
        "turns": sums.turns,
        "busy": sums.busy,
        "from_s": sums.first_s,
        "to_s": sums.last_s,
        "releases": sorted(sums.releases),
        "actions_recorded": dict(sums.before),
        "actions_replayed": dict(sums.after),
        "differing": [
            {
                "turn": again.cycle.number,
                "at_s": again.cycle.at_s,
                "why": str(again.why),
                "error": again.error,
                "parts": list(again.differs),
                "gone": [_words(action) for action in again.gone()],
                "come": [_words(action) for action in again.come()],
            }
            for again in sums.differing
        ],
    }


def _moment(at_s: float) -> str:
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%b %H:%M} UTC"
