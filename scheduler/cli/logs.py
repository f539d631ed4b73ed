"""`headroom logs`: what a job wrote."""

from typing import Annotated, Final

import typer

from scheduler.cli.naming import JobArgument, LatestOption, job_id
from scheduler.cli.session import Session

_RULE: Final = "──"
"""How the control plane begins a line that is its own, for instance between two attempts."""


def logs(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    job: JobArgument,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job is over, across preemptions.")
    ] = False,
    attempt: Annotated[int | None, typer.Option(help="Of this attempt only.", min=1, show_default=False)] = None,
    tail: Annotated[int | None, typer.Option(help="Only the last lines.", min=0, show_default=False)] = None,
    latest: LatestOption = False,
) -> None:
    """Print what a job wrote. Ctrl-C leaves the job running."""
    session = Session.of(context)
    screen = session.screen
    found = job_id(session, job, latest=latest)
    for line in session.client.logs(found, attempt=attempt, follow=follow, tail=tail):
        screen.pass_on(screen.paint(line, "dim") if line.startswith(_RULE) else line)
