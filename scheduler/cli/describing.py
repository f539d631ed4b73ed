"""`headroom describe`: everything about one job, or another thing, on one screen."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final

import typer

from scheduler.cli.describing_others import describe_other, kind_and_name
from scheduler.cli.listing import FINAL, STATE_STYLES
from scheduler.cli.naming import LatestOption, complete_job, job_id
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import NOTHING, asks, moment, percent, plain, seconds, thousands, workers_of
from scheduler.config.units import MIB, format_size
from scheduler.model.counting import plural
from scheduler.model.errors import NotFound
from scheduler.planning.reasons.wording import ranges
from scheduler.wire.base import Single
from scheduler.wire.jobs import Attempt, Job, devices_by_host, ended

_LABEL: Final = 11
_FEW_EVENTS: Final = 3


ThingArgument = Annotated[
    str,
    typer.Argument(
        metavar="JOB|NAME",
        help="Number or name of a job, or the name of a model, host or queue; model/NAME says which kind is meant.",
        autocompletion=complete_job,
        show_default=False,
    ),
]


def describe(
    context: typer.Context,
    thing: ThingArgument,
    *,
    events: Annotated[bool, typer.Option("--events", help="All its events, not the last three.")] = False,
    latest: LatestOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show everything about one job (why it waits or where it runs, attempts, events), model, host or queue."""
    session = Session.of(context)
    kind, name = kind_and_name(thing)
    if kind in {"", "job"}:
        try:
            number = job_id(session, name, latest=latest)
        except NotFound:
            if kind or not describe_other(session, "", name, output):
                raise
            return
        _show(session, session.client.get(f"/jobs/{number}", Single[Job]), output, all_events=events)
    elif not describe_other(session, kind, name, output):
        raise NotFound(f"no {kind} {name}", help=f"headroom {kind}s lists them")


def _show(session: Session, found: Single[Job], output: Output, *, all_events: bool) -> None:
    if output in {Output.TABLE, Output.WIDE}:
        session.screen.say(_text(found.item, found.observed_at, session.screen, all_events=all_events))
    else:
        session.show(output, found, lambda: Table((Column("JOB"),), (), (found.item.id,)))


def _text(job: Job, now: datetime, screen: Screen, *, all_events: bool) -> str:
    parts = {
        "Asks": _asked(job),
        "Where": _where(job),
        "Waits": _waits(job, now, screen),
        "Booked": _booked(job, now, screen),
        "Starts": _starts(job, now, screen),
        "Ends": _ends(job, now, screen),
        "Risk": _risk(job),
        "Progress": _progress(job, now, screen),
        "Conditions": " · ".join(f"{one.type} {moment(one.at, now, screen)}" for one in job.conditions),
        "Attempts": _lines(_attempt(one, now, screen, sized=bool(job.max_workers)) for one in job.attempts),
        "Events": _events(job, now, screen, everything=all_events),
        "Runs": job.entrypoint,
        "From": job.origin,
        "Publishes": _published(job, now, screen),
    }
    return "\n".join([_head(job, screen), *(f"{label:<{_LABEL}}{text}" for label, text in parts.items() if text)])


def _head(job: Job, screen: Screen) -> str:
    ran = f" {seconds(job.run_s)}" if job.run_s else ""
    state = screen.paint(job.state, STATE_STYLES.get(job.state, "")) + ran
    words = [
        screen.paint(f"{job.id} {job.name}", "bold"),
        state,
        job.priority_class,
        f"queue {job.queue}",
        "preemptible" if job.preemptible else "not preemptible",
        f"of {job.owner}" if job.owner else "",
    ]
    return " · ".join(word for word in words if word)


def _asked(job: Job) -> str:
    each = f"{plain(job.cpus_per_worker)} CPU · {format_size(job.memory_bytes_per_worker / MIB)}B"
    many = f"{workers_of(job)} workers" if job.max_workers else plural(job.workers, "worker")
    workers = f"{many} with {each} each"
    return f"{asks(job)} · {workers}" if job.gpus else workers


def _where(job: Job) -> str:
    return f"{_named(job.where)} · attempt {len(job.attempts)}" if job.where else ""


def _named(where: Sequence[str]) -> str:
    return ", ".join(f"{host} {_gpus(devices)}".rstrip() for host, devices in devices_by_host(where).items())


def _gpus(indices: tuple[int, ...]) -> str:
    """Return "GPUs 0, 3-6" for ascending indices."""
    return f"{'GPU' if len(indices) == 1 else 'GPUs'} {ranges(indices, dash='-')}" if indices else ""


def _waits(job: Job, now: datetime, screen: Screen) -> str:
    why = job.why
    if why is None:
        return ""
    facts = [
        f"asked {why.asked}, free {why.free}" if why.asked else "",
        f"until {moment(why.until, now, screen)}" if why.until and not job.expected_start else "",
        f"held by {', '.join(why.blocked_by)}" if why.blocked_by else "",
        f"place {job.order} in the order of trying" if job.order else "",
    ]
    known = " · ".join(fact for fact in facts if fact)
    return _lines([f"{why.message} ({why.code})", *([known] if known else [])])


def _booked(job: Job, now: datetime, screen: Screen) -> str:
    """Return for instance "from 18:10 on ml-serve1014 GPUs 0-3, once edit-check needs fewer replicas"."""
    if job.booking is None:
        return ""
    once = f", once {', '.join(job.booking.counts_on)} need fewer replicas" if job.booking.counts_on else ""
    return f"from {moment(job.booking.at, now, screen)} on {_named(job.booking.where)}{once}"


def _starts(job: Job, now: datetime, screen: Screen) -> str:
    """Return for instance "18:10 (p50), 19:40 (p90), as the queue is now"."""
    start = job.expected_start
    if start is None:
        return ""
    late = f"{moment(start.p90, now, screen)} (p90)" if start.p90 else "no p90: what ends may not leave enough room"
    return f"{moment(start.p50, now, screen)} (p50), {late}, as the queue is now"


def _ends(job: Job, now: datetime, screen: Screen) -> str:
    """Return for instance "Tue 04:10 (p50), 06:00 (p90)"."""
    end = job.expected_end
    if end is None:
        return ""
    late = f", {moment(end.p90, now, screen)} (p90)" if end.p90 else ""
    return f"{moment(end.p50, now, screen)} (p50){late}"


def _risk(job: Job) -> str:
    """Return for instance "22 % of being preempted in 6h; it would lose 20m of one GPU"."""
    risk = job.preemption_risk
    if risk is None:
        return ""
    lost = f"; it would lose {seconds(risk.lost_gpu_s)} of one GPU" if risk.lost_gpu_s else ""
    return f"{percent(risk.share, 1.0)} of being preempted in {seconds(risk.within_s)}{lost}"


def _published(job: Job, now: datetime, screen: Screen) -> str:
    """Return what it publishes, and what became of that."""
    made = job.publishes
    if made is None:
        return ""
    trained = f", data {made.data_version}" if made.data_version else ""
    if made.at is None:
        how = ", deployed by itself" if made.deploys else ""
        return f"{made.path} for {made.model} when it succeeds{how}{trained}"
    if made.fault:
        return screen.paint(f"nothing for {made.model}: {made.fault}", "red")
    size = f"{plural(made.files, 'file')}, {thousands(made.size_bytes)} bytes"
    lines = [f"for {made.model} {moment(made.at, now, screen)}, attempt {made.attempt}{trained}: {size}", made.digest]
    return _lines([*lines, made.followed or f"headroom models deploy {made.model} --from-job {job.id}"])


def _progress(job: Job, now: datetime, screen: Screen) -> str:
    if job.step is None:
        return "" if job.state in FINAL or not job.where else "no checkpoint yet"
    of_all = f" of {thousands(job.total_steps)} ({percent(job.step, job.total_steps)})" if job.total_steps else ""
    saved = f" · checkpoint {moment(job.checkpointed_at, now, screen)}" if job.checkpointed_at else ""
    lost = f" · {seconds(job.lost_gpu_s)} of one GPU lost" if job.lost_gpu_s else ""
    return f"step {thousands(job.step)}{of_all}{saved}{lost}"


def _attempt(one: Attempt, now: datetime, screen: Screen, *, sized: bool) -> str:
    span = f"{moment(one.started_at, now, screen)} – {moment(one.ended_at, now, screen) if one.ended_at else ''}"
    facts = [
        plural(one.workers, "worker") if sized else "",
        f"{ended(one.outcome)} {one.cause}".strip() if one.outcome else one.cause,
        f"from step {thousands(one.resumed_from_step)}" if one.resumed_from_step else "",
        f"saved step {thousands(one.checkpoint_step)}" if one.checkpoint_step is not None else "",
        f"lost {seconds(one.lost_gpu_s)} of one GPU" if one.lost_gpu_s else "",
    ]
    return f"{one.number}  {span:<15}  {', '.join(fact for fact in facts if fact) or NOTHING}"


def _events(job: Job, now: datetime, screen: Screen, *, everything: bool) -> str:
    newest_first = sorted(job.events, key=lambda event: event.id, reverse=True)
    shown = newest_first if everything else newest_first[:_FEW_EVENTS]
    lines = [f"{moment(one.at, now, screen)} {one.title}" + f" ({one.detail})" * bool(one.detail) for one in shown]
    return _lines([*lines, *(["all: --events"] if len(shown) < len(newest_first) else [])])


def _lines(lines: Iterable[str]) -> str:
    return ("\n" + " " * _LABEL).join(lines)
