"""`headroom capacity`: is serving covered, until when, and who gets the GPUs."""

import bisect
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from scheduler.cli.flags import duration_flag
from scheduler.cli.pools import held_lines
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, number, plain, seconds, zone_name
from scheduler.model.counting import plural
from scheduler.wire.base import Single
from scheduler.wire.hosts import Proposal
from scheduler.wire.serving import Capacity, CapacityPoint, StartableSize

_HOURS_AHEAD: Final = (0, 1, 2, 4, 8, 12, 24, 36, 48)
_ROWS: Final = ("p50", "p99", "planned", "ready", "training", "held", "reserved", "free")


def capacity(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    gpu: Annotated[str, typer.Option(help="Only GPUs of this model.", show_default=False)] = "",
    model: Annotated[str, typer.Option(help="Only this served model.", show_default=False)] = "",
    until: Annotated[str, typer.Option(help="How far ahead, for instance 24h.")] = "48h",
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """Say whether serving is covered and until when, with the GPUs it will need."""
    session = Session.of(context)
    hours = duration_flag(until, "--until") / 3600

    def draw() -> tuple[Single[Capacity], Table]:
        found = session.client.get("/capacity", Single[Capacity], gpu=gpu, model=model, until=hours)
        return found, capacity_table(found, hours, session.screen)

    if watch:
        session.watch(draw, output)
    found, table = draw()
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.say(_verdict(found.item, found.observed_at, session.screen) + "\n")
    session.show(output, found, lambda: table)


def capacity_table(found: Single[Capacity], hours: float, screen: Screen) -> Table:
    """Return a row for each quantity and a column for each of a few moments, the lowest headroom among them."""
    now, points = found.observed_at, found.item.points
    moments = [now + timedelta(hours=ahead) for ahead in _HOURS_AHEAD if ahead <= hours]
    if found.item.lowest_at is not None and now < found.item.lowest_at:
        moments = sorted({*moments, found.item.lowest_at})
    chosen = [(at, _nearest(points, at)) for at in moments if points]
    columns = [
        Column("now" if at == now else moment(at, now, screen), right=True, drop=position)
        for position, (at, _) in enumerate(chosen)
    ]
    rows: list[tuple[Cell | str, ...]] = [
        (cell(name, "bold"), *(number(getattr(point, name)) for _, point in chosen)) for name in _ROWS
    ]
    known = tuple(row for row in rows if any(one != NOTHING for one in row[1:]))
    return Table((Column(f"GPUS ({zone_name(now, screen)})"), *columns), known, _ROWS)


def _nearest(points: tuple[CapacityPoint, ...], at: datetime) -> CapacityPoint:
    after = bisect.bisect_left(points, at, key=lambda point: point.at)
    return min(points[max(after - 1, 0) : after + 1], key=lambda point: abs(point.at - at))


def _verdict(item: Capacity, now: datetime, screen: Screen) -> str:
    lowest = ""
    if item.headroom_ratio is not None:
        lowest = f"Headroom {item.headroom_ratio:.2f} now"
    if lowest and item.lowest_ratio is not None:
        lowest += f", lowest {item.lowest_ratio:.2f} {moment(item.lowest_at, now, screen)} ({item.lowest_model})"
    holders = (
        (item.gpus_serving, "serving"),
        (item.gpus_training, "training"),
        (item.gpus_held, "held for the peak"),
        (item.gpus_reserved, "reserved"),
        (item.gpus_occupied, "other work"),
        (item.gpus_free, "free"),
        (item.gpus_drained, "drained"),
        (item.gpus_lost, "lost"),
    )
    words = ", ".join(f"{plain(amount)} {word}" for amount, word in holders if amount)
    lines = [
        screen.paint(item.verdict, "bold" if item.covered else "red"),
        lowest,
        item.detail,
        item.notice,
        f"{plural(item.gpus, 'GPU')}: {words}" if item.gpus else "",
        _startable(item.sizes, now, screen),
        *held_lines(item.pools),
        *map(_proposed, item.proposals),
    ]
    return "\n".join(line for line in lines if line)


def _startable(sizes: Sequence[StartableSize], now: datetime, screen: Screen) -> str:
    """Return for instance "Could start now: 8 GPUs on one host; 2 × 8 from 22:25"."""
    told = [f"{_named(one)} {_from(one, now, screen)}" for one in sizes]
    return f"Could start, stopping nobody: {'; '.join(told)}" if told else ""


def _named(size: StartableSize) -> str:
    return f"{size.hosts} × {plural(size.gpus, 'GPU')}" if size.hosts > 1 else f"{plural(size.gpus, 'GPU')} on one host"


def _from(size: StartableSize, now: datetime, screen: Screen) -> str:
    if size.at is None:
        return "nobody can say when"
    return "now" if size.at <= now else f"from {moment(size.at, now, screen)}"


def _proposed(proposal: Proposal) -> str:
    moves = ", ".join(f"{move.job_id} to {' and '.join(move.hosts)}" for move in proposal.moves)
    cost = f"loses {seconds(proposal.lost_gpu_s)} of one GPU, saves a wait of about {seconds(proposal.waits_s)}"
    return f"Job {proposal.job_id} would fit if these moved: {moves} ({cost})"
