"""Deployments, rollouts and revisions in words and rows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, zone_name
from scheduler.model.counting import plural
from scheduler.wire.base import Listing
from scheduler.wire.models import (
    Compared,
    Deployment,
    DeploymentOutlook,
    ModelHistory,
    ModelRevision,
    Proposal,
    RolloutState,
)

_SHORT: Final = len("sha256:") + 12
"""Characters of a digest that tell one from another."""
_STYLES = {"serves": "bold", "rollout": "blue", "past": "dim"}


def deployed_lines(made: Deployment, screen: Screen) -> Iterator[str]:
    """Yield what became of a deployment, and the commands that come next."""
    named = screen.paint(made.name, "bold")
    if not made.is_new:
        yield f"Unchanged {named}: revision {made.revision} is just that"
        return
    yield f"Deployed {named} · revision {made.revision}"
    yield from _changes(made)
    if not made.is_rolled_out:
        yield "Serves    at once: its replicas are the same"
        return
    follow, undo = f"headroom models rollout {made.name} --wait", f"headroom models rollout {made.name} --undo"
    yield f"  follow  {follow}      back  {undo}" if made.revision > 1 else f"  follow  {follow}"


def outlook_lines(made: DeploymentOutlook, now: datetime, screen: Screen) -> Iterator[str]:
    """Yield what would become of a deployment."""
    named = screen.paint(made.name, "bold")
    if not made.is_new:
        yield f"{named}: revision {made.revision} is just that; nothing would change"
        return
    yield f"{named} · would be revision {made.revision}"
    yield from _changes(made)
    if not made.is_rolled_out:
        yield "Serves    at once: its replicas are the same"
    if made.where:
        beside = " beside the old ones" if made.revision > 1 else ""
        yield f"Starts    {plural(len(made.where), 'replica')} on {', '.join(made.where)}{beside}"
    if made.why:
        until = f", until {moment(made.why.until, now, screen)}" if made.why.until else ""
        yield f"Waits     {made.why.message} ({made.why.code}){until}"
    yield from (f"Preempts  {screen.paint(sentence, 'yellow')}" for sentence in made.preempts)
    if made.delays:
        yield f"Delays    {', '.join(made.delays)}"


def rollout_line(found: ModelHistory, now: datetime, screen: Screen) -> str:
    """Return how far a model is, in one line."""
    if found.removed is not None:
        return f"{found.name} was removed {moment(found.removed, now, screen)}"
    if found.removing:
        return f"{found.name} is being removed"
    rollout = found.rollout
    if rollout is None or rollout.phase == "done":
        return f"{found.name} · revision {found.serving} serves"
    state = f"{found.name} · revision {rollout.revision} {_phase(rollout)}{', paused' * rollout.paused}"
    compared = f"; {_compared(rollout.new)}, the one before {_compared(rollout.old)}" if rollout.new.requests else ""
    reason = f": {rollout.reason}" if rollout.reason else compared
    return f"{state}{reason}" + (f"; revision {found.serving} serves" if found.serving else "")


def history_table(found: ModelHistory, now: datetime, screen: Screen) -> Table:
    """Return one row a revision, the newest first."""
    columns = (
        Column("REVISION", right=True),
        Column("STATE"),
        Column(f"WHEN ({zone_name(now, screen)})", drop=1),
        Column("BY", drop=2),
        Column("FROM", drop=3),
        Column("CHANGED"),
        Column("HOW IT DID", drop=4),
    )
    revisions = found.revisions[::-1]
    rows = tuple(_row(one, found, now, screen) for one in revisions)
    return Table(columns, rows, tuple(str(one.number) for one in revisions))


def proposal_table(found: Listing[Proposal], screen: Screen) -> Table:
    """Return one row a proposal."""
    columns = (
        Column("MODEL"),
        Column("BY"),
        Column(f"WHEN ({zone_name(found.observed_at, screen)})", drop=1),
        Column("LICENCE", drop=2),
        Column("TRAINED BY", drop=3),
        Column("IS", drop=4),
    )
    rows = tuple(
        (
            cell(one.name, "bold"),
            one.by or NOTHING,
            moment(one.at, found.observed_at, screen),
            one.card.licence or NOTHING,
            one.card.trained_by or NOTHING,
            one.card.description or NOTHING,
        )
        for one in found.items
    )
    return Table(columns, rows, tuple(one.name for one in found.items))


def _row(one: ModelRevision, found: ModelHistory, now: datetime, screen: Screen) -> tuple[Cell | str, ...]:
    rollout = found.rollout
    state = _phase(rollout) if rollout is not None and one.state == "rollout" else one.state
    return (
        cell(str(one.number), "bold"),
        cell(state, _STYLES[one.state]),
        moment(one.at, now, screen),
        one.by or NOTHING,
        f"{one.source} · {one.artifact[:_SHORT]}" if one.artifact else one.source or NOTHING,
        "; ".join(one.changed) or NOTHING,
        one.fate or NOTHING,
    )


def _changes(made: Deployment) -> Iterator[str]:
    for position, change in enumerate(made.changed):
        yield f"{'Changes' if not position else '':<10}{change}"


def _phase(rollout: RolloutState) -> str:
    return f"is tried with {rollout.share:.0%}" if rollout.phase == "trying" else rollout.phase


def _compared(counts: Compared) -> str:
    return f"{plural(counts.requests, 'request')} {counts.failed} failed {counts.late} late"
