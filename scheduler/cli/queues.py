"""`headroom queues`: what each queue is guaranteed, uses, borrows and lends, and who waits in it."""

import typer

from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, plain
from scheduler.model.counting import plural
from scheduler.wire.base import Listing
from scheduler.wire.queues import Queue


def queues(context: typer.Context, *, output: OutputOption = Output.TABLE, watch: WatchOption = False) -> None:
    """List queues: guarantee, use, what is borrowed and lent, shares, and waiting jobs."""
    session = Session.of(context)

    def draw() -> tuple[Listing[Queue], Table]:
        found = session.client.queues()
        return found, queue_table(found)

    if watch:
        session.watch(draw, output)
    found, table = draw()
    session.show(output, found, lambda: table)
    if output in {Output.TABLE, Output.WIDE}:
        waiting = sum(queue.waiting for queue in found.items)
        session.screen.note(f"{plural(len(found.items), 'queue')}, {plural(waiting, 'job')} waiting")


def queue_table(found: Listing[Queue]) -> Table:
    """Return one row a queue, in the order of declaration."""
    columns = (
        Column("QUEUE"),
        Column("WEIGHT", right=True, drop=5),
        Column("GUARANTEE", right=True),
        Column("USED", right=True),
        Column("BORROWED", right=True, drop=3),
        Column("LENT", right=True, drop=4),
        Column("SHARE", right=True, drop=2),
        Column("LATELY", right=True, drop=6),
        Column("RUNNING", right=True, drop=7),
        Column("WAITING", right=True),
        Column("MAY BORROW", right=True, wide=True, drop=8),
        Column("MAY LEND", right=True, wide=True, drop=9),
        Column("CPUS", right=True, wide=True, drop=10),
        Column("SUBMITTERS", wide=True, drop=11),
    )
    return Table(columns, tuple(_row(queue) for queue in found.items), tuple(queue.name for queue in found.items))


def _row(queue: Queue) -> tuple[Cell | str, ...]:
    borrow, lend = queue.borrow_limit, queue.lend_limit
    return (
        cell(f"{queue.name} (removed from the file)" if queue.removed else queue.name, "bold"),
        plain(queue.weight),
        _gpus(queue.guaranteed_gpus),
        _gpus(queue.used.gpus or 0.0),
        plain(queue.borrowed_gpus),
        plain(queue.lent_gpus),
        f"{queue.share:.0%}",
        f"{queue.mean_share:.0%}",
        str(queue.running),
        f"{queue.waiting} ({_gpus(queue.waiting_gpus)})" if queue.waiting else "0",
        _limit(borrow.gpus, borrow.gpu_models),
        _limit(lend.gpus, lend.gpu_models),
        plain(queue.used.cpus or 0.0),
        "nobody" if queue.removed else ", ".join(queue.submitters) or "everybody",
    )


def _gpus(count: float) -> str:
    return f"{plain(count)} GPU{'' if count == 1 else 's'}" if count else NOTHING


def _limit(count: float | None, by_model: dict[str, float]) -> str:
    parts = [f"{plain(amount)}×{name}" for name, amount in sorted(by_model.items())]
    parts += [plain(count)] if count is not None else []
    return " ".join(parts) or "any"
