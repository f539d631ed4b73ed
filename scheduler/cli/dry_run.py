"""`headroom submit --dry-run`: what would become of a job, as the planner itself says."""

from collections.abc import Iterator
from datetime import datetime

from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import moment, plain
from scheduler.model.counting import plural
from scheduler.wire.base import Single
from scheduler.wire.jobs import JobOutlook, devices_by_host


def show_outlook(session: Session, found: Single[JobOutlook], output: Output) -> None:
    """Print it for people, or as asked."""
    if output not in {Output.TABLE, Output.WIDE}:
        session.show(output, found, lambda: Table((Column("JOB"),), (), (found.item.name,)))
        return
    screen = session.screen
    for line in _lines(found.item, found.observed_at, screen):
        screen.say(line)
    screen.note(screen.paint(f"  asked of plan {found.cycle}; nothing was submitted or changed", "dim"))


def _lines(job: JobOutlook, now: datetime, screen: Screen) -> Iterator[str]:
    gpus = f" · {plain(job.gpus)} GPU{'' if job.gpus == 1 else 's'}" if job.gpus else ""
    workers = plural(job.workers, "worker")
    yield f"{screen.paint(job.name, 'bold')} · {job.priority_class} · queue {job.queue} · {workers}{gpus}"
    if job.where:
        yield f"Starts    in the next plan on {', '.join(devices_by_host(job.where))}"
    if job.why:
        yield f"Waits     {job.why.message} ({job.why.code})"
        until = f"until {moment(job.why.until, now, screen)}, " if job.why.until else ""
        yield f"          {until}place {job.order} in the order of trying"
    yield from (f"Preempts  {screen.paint(sentence, 'yellow')}" for sentence in job.preempts)
    if job.delays:
        yield f"Delays    {', '.join(job.delays)}"
