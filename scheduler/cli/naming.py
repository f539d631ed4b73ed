"""From what people type to one job: a number, or a name that only one job has."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

import typer

from scheduler.cli.session import Session
from scheduler.model.errors import ConfigError, NotFound, NotPermitted
from scheduler.wire.jobs import Job

_COMPLETION_TIMEOUT_S: Final = 1.0


def complete_job(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return (id, name) of open jobs for the shell; nothing when nobody answers quickly."""
    from scheduler.client import Client  # noqa: PLC0415  # only completion of this argument pays for it
    from scheduler.model.errors import HeadroomError  # noqa: PLC0415  # likewise

    session = Session.of(context)
    try:
        with Client(session.url or None, timeout_s=_COMPLETION_TIMEOUT_S) as client:
            jobs = client.jobs().items
    except HeadroomError:
        return []
    return [(job.id, f"{job.name} {job.state}") for job in jobs if job.id.startswith(incomplete)]


JobArgument = Annotated[
    str, typer.Argument(help="Number or name of a job.", autocompletion=complete_job, show_default=False)
]
JobsArgument = Annotated[
    list[str] | None, typer.Argument(help="Numbers or names of jobs.", autocompletion=complete_job, show_default=False)
]
LatestOption = Annotated[bool, typer.Option("--latest", help="Of several jobs with the name, take the newest.")]


def job_id(session: Session, word: str, *, latest: bool = False) -> str:
    """Return the id that a word means.

    Raises:
        NotFound: no job has that number or name.
        ConfigError: several jobs have that name.
    """
    if word.isdigit():
        return _known_id(session, word)
    jobs = session.client.jobs(all=True).items
    named = [job for job in jobs if job.name == word]
    if not named:
        raise _nothing_like(word, jobs)
    if len(named) > 1 and not latest:
        newest_first = ", ".join(job.id for job in _newest_first(named))
        message = f'{len(named)} jobs are called "{word}" ({newest_first})'
        raise ConfigError(message, help="use the number, or --latest")
    return _newest_first(named)[0].id


def job_ids(session: Session, words: Sequence[str] | None, *, all_mine: bool, latest: bool) -> list[str]:
    """Return the ids that words mean, or those of all open jobs of the caller.

    Raises:
        NotFound: no job has one of the numbers or names.
        ConfigError: nothing or both is given, or several jobs have a name.
    """
    if all_mine == bool(words):
        raise ConfigError("name the jobs, or say --all-mine", help="headroom list --mine shows yours")
    if all_mine:
        return [job.id for job in session.client.jobs(owner=my_name(session)).items]
    return [job_id(session, word, latest=latest) for word in words or ()]


def my_name(session: Session) -> str:
    """Return the name under which the control plane knows the caller.

    Raises:
        NotPermitted: it knows none: it shows a part to everybody, and there is no token.
    """
    name = session.client.status().caller
    if not name:
        raise NotPermitted("without a token no job is yours", help="set HEADROOM_TOKEN, or ask an operator for a token")
    return name


def _known_id(session: Session, word: str) -> str:
    try:
        return session.client.job(word).id
    except NotFound as error:
        raise _nothing_like(word, session.client.jobs(all=True).items) from error


def _newest_first(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: (job.submitted_at, int(job.id)), reverse=True)


def _nothing_like(word: str, jobs: Iterable[Job]) -> NotFound:
    known = {key: job for job in jobs for key in (job.id, job.name)}
    near = [key for key in known if key.startswith(word)] or difflib.get_close_matches(word, known, n=1)
    guess = f"did you mean {known[near[0]].id} {known[near[0]].name}? " if near else ""
    return NotFound(f"no job {word}", help=f"{guess}headroom list --all")
