"""`headroom list`: one row a job, in the order of trying."""

from collections import Counter
from datetime import datetime
from typing import Annotated, Final

import typer

from scheduler.cli.naming import my_name
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, asks, hosts_of, moment, seconds, workers_of
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError
from scheduler.wire.base import Listing
from scheduler.wire.jobs import Job

STATE_STYLES: Final = {
    "Preempting": "yellow",
    "Preempted": "yellow",
    "Failed": "red",
    "Succeeded": "green",
    "Held": "dim",
    "Stopped": "dim",
}
FINAL: Final = frozenset({"Succeeded", "Failed", "Stopped"})
COLUMNS: Final = (
    Column("JOB", right=True),
    Column("NAME"),
    Column("PRIORITY", drop=2),
    Column("STATE"),
    Column("GPUS", drop=1),
    Column("AGE", right=True, drop=3),
    Column("OWNER", wide=True, drop=6),
    Column("QUEUE", wide=True, drop=7),
    Column("WORKERS", wide=True, right=True, drop=8),
    Column("ATTEMPTS", wide=True, right=True, drop=9),
    Column("WAITED", wide=True, right=True, drop=5),
    Column("RAN", wide=True, right=True, drop=4),
    Column("START | END (P50 – P90)", drop=4),
    Column("WHY / WHERE"),
)


def list_jobs(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    mine: Annotated[bool, typer.Option("--mine", help="Only my jobs.")] = False,
    queue: Annotated[str, typer.Option(help="Only of this queue.", show_default=False)] = "",
    state: Annotated[str, typer.Option(help="Only in this state.", show_default=False)] = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Finished jobs too.")] = False,
    limit: Annotated[int | None, typer.Option(help="Jobs in a page.", min=1, max=1000, show_default=False)] = None,
    cursor: Annotated[str, typer.Option(help="Of the page to show.", show_default=False)] = "",
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List training jobs: where they run, or why they wait."""
    session = Session.of(context)
    if cursor and not limit:
        raise ConfigError("--cursor is of a page", help="say how long pages are: --limit 100")
    wanted = {"queue": queue, "state": state, "owner": my_name(session) if mine else ""}
    wanted |= {"cursor": cursor}
    filters: dict[str, str | int] = {name: value for name, value in wanted.items() if value}
    filters |= {"limit": limit} if limit else {}

    def draw() -> tuple[Listing[Job], Table]:
        jobs = session.client.jobs(all=everything, **filters)
        return jobs, job_table(jobs, session.screen)

    if watch:
        session.watch(draw, output)
    jobs, table = draw()
    session.show(output, jobs, lambda: table)
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.note(_sum(jobs.items, everything=everything))
    if jobs.next:
        session.screen.note(f"the next page: --limit {limit} --cursor {jobs.next}")


def job_table(jobs: Listing[Job], screen: Screen) -> Table:
    """Return one row a job."""
    rows = tuple(_row(job, jobs.observed_at, screen) for job in jobs.items)
    return Table(COLUMNS, rows, tuple(job.id for job in jobs.items))


def why_or_where(job: Job) -> str:
    """Return where a job is, or why it is nowhere."""
    if job.state == "Preempting":
        return f"saving, at most {seconds(job.grace_period_s)}"
    if job.where:
        return hosts_of(job)
    if job.why is not None:
        return job.why.message
    return (job.attempts[-1].cause if job.attempts else "") or NOTHING


def _when(job: Job, now: datetime, screen: Screen) -> str:
    """Return when a job that waits starts, or one that runs ends."""
    word, span = ("end", job.expected_end) if job.where else ("start", job.expected_start)
    if span is None:
        return NOTHING
    last = moment(span.p90, now, screen) if span.p90 else "later"
    return f"{word} {moment(span.p50, now, screen)} – {last}"


def _row(job: Job, now: datetime, screen: Screen) -> tuple[Cell | str, ...]:
    return (
        cell(job.id, "bold"),
        job.name,
        job.priority_class,
        cell(job.state, STATE_STYLES.get(job.state, "")),
        asks(job),
        seconds(job.age_s),
        job.owner or NOTHING,
        job.queue,
        workers_of(job),
        str(len(job.attempts)),
        seconds(job.wait_s),
        seconds(job.run_s),
        _when(job, now, screen),
        why_or_where(job),
    )


def _sum(jobs: tuple[Job, ...], *, everything: bool) -> str:
    states = Counter(job.state.lower() for job in jobs)
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common())
    total = f"{plural(len(jobs), 'job')} ({counted})" if counted else "no jobs"
    return total if everything else f"{total} · finished ones too: --all"
