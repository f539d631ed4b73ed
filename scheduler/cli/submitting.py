"""`headroom submit`: a training job from a file, from flags, or from a file with flags that win."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from scheduler.cli.dry_run import show_outlook
from scheduler.cli.errors import warn
from scheduler.cli.listing import FINAL, why_or_where
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import NOTHING, asks, workers_of
from scheduler.model.errors import ConfigError
from scheduler.wire.base import Single
from scheduler.wire.jobs import Job

POLL_S: Final = 1.0


def submit(  # noqa: PLR0913  # one argument a key of job.yaml
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A job.yaml.", show_default=False)] = None,
    *,
    name: Annotated[str | None, typer.Option(help="For people.", show_default=False)] = None,
    entrypoint: Annotated[str | None, typer.Option(help="Command that runs the driver.", show_default=False)] = None,
    gpus: Annotated[float | None, typer.Option(help="Devices a worker; a share below 1.", show_default=False)] = None,
    gpu_model: Annotated[list[str] | None, typer.Option(help="GPU model that will do.", show_default=False)] = None,
    gpu_memory: Annotated[str | None, typer.Option(help="Least memory of a device.", show_default=False)] = None,
    cpus: Annotated[float | None, typer.Option(help="Cores a worker.", show_default=False)] = None,
    memory: Annotated[str | None, typer.Option(help="Memory a worker, for instance 8Gi.", show_default=False)] = None,
    workers: Annotated[
        str | None, typer.Option(help="Workers that start together; 2-8 for a range.", show_default=False)
    ] = None,
    max_workers_per_host: Annotated[
        int | None, typer.Option(help="Most workers on one host.", show_default=False)
    ] = None,
    prefer_same: Annotated[
        str | None, typer.Option(help="Host label, such as rack, to be the same if possible.", show_default=False)
    ] = None,
    require_same: Annotated[
        str | None, typer.Option(help="Host label that must be the same for all workers.", show_default=False)
    ] = None,
    priority: Annotated[str | None, typer.Option(help="Priority class.", show_default=False)] = None,
    queue: Annotated[str | None, typer.Option(help="Queue.", show_default=False)] = None,
    max_runtime: Annotated[str | None, typer.Option(help="Longest an attempt takes.", show_default=False)] = None,
    checkpoint_interval: Annotated[
        str | None, typer.Option(help="How often it saves, for instance 10m.", show_default=False)
    ] = None,
    grace: Annotated[str | None, typer.Option(help="Time to save when preempted.", show_default=False)] = None,
    preemptible: Annotated[
        bool | None, typer.Option("--preemptible/--no-preemptible", help="Whether it may be stopped for others.")
    ] = None,
    env: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, may be given again.", show_default=False)] = None,
    publishes: Annotated[
        str | None,
        typer.Option(metavar="MODEL[:PATH]", help="Folder that becomes an artifact for a model.", show_default=False),
    ] = None,
    working_dir: Annotated[str | None, typer.Option(help="Directory to upload.", show_default=False)] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeats a submission as the same job.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the job is over; 1 when it failed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check it and say what would become of it; submit nothing.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Submit a training job, from a file, by flags, or both (flags win). All keys: headroom explain job."""
    session = Session.of(context)
    fields = {
        "name": name,
        "entrypoint": entrypoint,
        "gpus": gpus,
        "gpu_model": gpu_model or None,
        "gpu_memory": gpu_memory,
        "cpus": cpus,
        "memory": memory,
        "workers": int(workers) if workers and workers.isdecimal() else workers,
        "max_workers_per_host": max_workers_per_host,
        "prefer_same": prefer_same,
        "require_same": require_same,
        "priority": priority,
        "queue": queue,
        "max_runtime": max_runtime,
        "checkpoint_interval": checkpoint_interval,
        "grace": grace,
        "preemptible": preemptible,
        "env": _environment(env) if env else None,
        "publishes": _artifact(publishes) if publishes else None,
    }
    given = {key: value for key, value in fields.items() if value is not None}
    if dry_run:
        show_outlook(session, session.client.try_out(file, working_dir=working_dir, **given), output)
        return
    job = session.client.submit(file, working_dir=working_dir, idempotency_key=idempotency_key, **given)
    _accepted(session, job, output, has_directory=bool(working_dir or file))
    if wait:
        _wait(session, job)


def _environment(pairs: Sequence[str]) -> Mapping[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise ConfigError(f'--env "{wrong[0]}" has no value', help="--env NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _artifact(said: str) -> Mapping[str, str]:
    model, _, path = said.partition(":")
    return {"model": model, "path": path} if path else {"model": model}


def _accepted(session: Session, job: Job, output: Output, *, has_directory: bool) -> None:
    screen = session.screen
    if output in {Output.TABLE, Output.WIDE}:
        screen.say(_summary(job, screen))
        _hint(job, screen)
    else:
        found = session.client.get(f"/jobs/{job.id}", Single[Job])
        session.show(output, found, lambda: Table((Column("JOB"),), (), (job.id,)))
    if job.preemptible and job.checkpoint_interval_s is None:
        warn("no --checkpoint-interval: if preempted, this job starts over", screen)
    if not has_directory and (script := _script_here(job.entrypoint)):
        warn(f"{script} of this directory stays here: --working-dir . takes it along", screen)


def _summary(job: Job, screen: Screen) -> str:
    gang = f" · {workers_of(job)} workers" if job.workers > 1 or job.max_workers else ""
    named = screen.paint(f"{job.id} {job.name}", "bold")
    waits = f"\nWaits  {job.why.message}" if job.why else ""
    return f"Accepted {named} · {job.priority_class} · {asks(job)}{gang}{waits}"


def _hint(job: Job, screen: Screen) -> None:
    if screen.is_terminal:
        hints = f"follow  headroom logs -f {job.id}      why  headroom describe {job.id}"
        screen.note(screen.paint(f"  {hints}      cancel  headroom stop {job.id}", "dim"))


def _script_here(entrypoint: str) -> str:
    return next((word for word in entrypoint.split() if word.endswith(".py") and Path(word).is_file()), "")


def _wait(session: Session, job: Job) -> None:
    """Say each change of state on stderr, one a line, until the job is over."""
    before = ""
    while True:
        if job.state != before:
            where = why_or_where(job)
            session.screen.note(f"{job.id} {job.name} {job.state}" + f": {where}" * (where != NOTHING))
            before = job.state
        if job.state in FINAL:
            break
        time.sleep(POLL_S)
        job = session.client.job(job.id)
    if job.state != "Succeeded":
        raise typer.Exit(1)
