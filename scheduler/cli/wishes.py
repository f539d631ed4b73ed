"""`headroom stop`, `hold`, `resume` and `set-priority`: what people want of jobs that are there already."""

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from scheduler.cli.naming import JobsArgument, LatestOption, complete_job, job_ids
from scheduler.cli.session import Session
from scheduler.cli.wording import seconds
from scheduler.model.errors import ConfigError, HeadroomError, Unreachable
from scheduler.wire.jobs import Job

AllMineOption = Annotated[bool, typer.Option("--all-mine", help="All my open jobs.")]


def stop(
    context: typer.Context, jobs: JobsArgument = None, *, all_mine: AllMineOption = False, latest: LatestOption = False
) -> None:
    """End jobs for good; a running one is given its time to save a checkpoint."""
    session = Session.of(context)
    ids = job_ids(session, jobs, all_mine=all_mine, latest=latest)
    _to_each(session, ids, session.client.stop, _stopped)


def hold(
    context: typer.Context,
    jobs: JobsArgument = None,
    *,
    reason: Annotated[str, typer.Option(help="Why, for people.", show_default=False)] = "",
    all_mine: AllMineOption = False,
    latest: LatestOption = False,
) -> None:
    """Let jobs give up their room and wait until they are resumed."""
    session = Session.of(context)
    ids = job_ids(session, jobs, all_mine=all_mine, latest=latest)
    _to_each(session, ids, lambda job: session.client.hold(job, reason), _held)


def resume(
    context: typer.Context, jobs: JobsArgument = None, *, all_mine: AllMineOption = False, latest: LatestOption = False
) -> None:
    """Let held jobs run again."""
    session = Session.of(context)
    ids = job_ids(session, jobs, all_mine=all_mine, latest=latest)
    _to_each(session, ids, session.client.resume, lambda job: f"Resumed {job.id} {job.name}. It waits for its turn")


def set_priority(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[JOBS]... PRIORITY",
            help="Numbers or names of jobs, then the priority class.",
            autocompletion=complete_job,
            show_default=False,
        ),
    ],
    *,
    all_mine: AllMineOption = False,
    latest: LatestOption = False,
) -> None:
    """Give jobs another priority class."""
    session = Session.of(context)
    *jobs, priority = words
    if not jobs and not all_mine:
        raise ConfigError("name the jobs and the priority class", help="headroom set-priority 417 high")
    ids = job_ids(session, jobs, all_mine=all_mine, latest=latest)
    _to_each(
        session,
        ids,
        lambda job: session.client.set_priority(job, priority),
        lambda job: f"{job.id} {job.name} has priority {job.priority_class} ({job.priority}) now",
    )


def _to_each(session: Session, ids: Sequence[str], wish: Callable[[str], Job], said: Callable[[Job], str]) -> None:
    """Send the wish for every job, though some may be refused; then say all that went wrong at once.

    Raises:
        Unreachable: the control plane has gone; the rest is not tried.
        HeadroomError: some were refused.
    """
    failed: list[HeadroomError] = []
    if not ids:
        session.screen.note("no open jobs of yours")
    for one in ids:
        try:
            session.screen.say(said(wish(one)))
        except Unreachable:
            raise
        except HeadroomError as error:
            failed.append(error)
    if failed:
        raise type(failed[0])(*(fault for error in failed for fault in error.faults))


def _stopped(job: Job) -> str:
    if job.where:
        return f"Stopping {job.id} {job.name}: {seconds(job.grace_period_s)} to save a checkpoint"
    return f"Stopped {job.id} {job.name}"


def _held(job: Job) -> str:
    keeps = "It keeps its place and gives up its GPUs" if job.where and job.gpus else "It keeps its place"
    return f"Held {job.id} {job.name}. {keeps}; resume with: headroom resume {job.id}"
