"""What `headroom describe` says of models, hosts and queues."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from scheduler.cli.host_table import host_detail
from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, Session
from scheduler.cli.table import Column, Table
from scheduler.cli.wording import moment, number, plain, seconds
from scheduler.config.units import MIB, format_size
from scheduler.model.counting import plural
from scheduler.wire.base import Listing, Single
from scheduler.wire.hosts import Host
from scheduler.wire.queues import Amounts, Queue
from scheduler.wire.serving import ServedModel

Thing = ServedModel | Host | Queue
Things = Listing[ServedModel] | Listing[Host] | Listing[Queue]
_LABEL: Final = 11
_TIGHT: Final = 1.1


def describe_other(session: Session, kind: str, name: str, output: Output) -> bool:
    """Print a model, host or queue; with an empty kind whichever has the name, models first. False when none has."""
    for each, (label, things) in _KINDS.items():
        if kind not in {"", each}:
            continue
        found = things(session)
        thing = next((one for one in found.items if one.name == name), None)
        if thing is not None:
            one = Single[Thing](kind=label, observed_at=found.observed_at, cycle=found.cycle, item=thing)
            _show(session, one, output)
            return True
    return False


def kind_and_name(word: str) -> tuple[str, str]:
    """Return ("model", "edit-check") for "model/edit-check", and an empty kind where none is said."""
    kind, slash, name = word.partition("/")
    return (kind, name) if slash and kind in {"job", *_KINDS} else ("", word)


def _show(session: Session, found: Single[Thing], output: Output) -> None:
    if output not in {Output.TABLE, Output.WIDE}:
        session.show(output, found, lambda: Table((Column("NAME"),), (), (found.item.name,)))
        return
    session.screen.say(_text(session, found.item, found.observed_at))


def _text(session: Session, thing: Thing, now: datetime) -> str:
    screen = session.screen
    match thing:
        case Host():
            return host_detail(thing, now, screen)
        case ServedModel():
            return _model(thing, session.client.hosts().items, now, screen)
        case Queue():
            return _queue(thing, screen)


def _model(model: ServedModel, hosts: Iterable[Host], now: datetime, screen: Screen) -> str:
    words = (
        screen.paint(model.name, "bold"),
        f"of {model.owner}" if model.owner else "",
        "community" * model.community,
    )
    card = model.card
    peak = f", {model.peak_replicas} at the peak, {moment(model.peak_at, now, screen)}" if model.peak_at else ""
    where = ", ".join(_held_by(model.name, hosts))
    starting = f", {model.starting} starting" if model.starting else ""
    has = "served elsewhere" if model.served_elsewhere else f"{model.ready} ready{starting}"
    return _lines(
        " · ".join(word for word in words if word),
        {
            "Is": card.description,
            "Trained by": card.trained_by,
            "Licence": card.licence,
            "Source": card.source,
            "Artifact": f"{model.artifact}; headroom models history {model.name}" if model.artifact else "",
            "Replicas": f"{has}, {model.wanted} wanted{peak}",
            "Limits": f"{model.min_replicas} to {model.max_replicas} replicas of {_gpus(model.gpus_per_replica)}, "
            f"{plain(model.rps_per_replica)} requests/s each",
            "Load": f"{number(model.rps_now)} requests/s now, up to {number(model.rps_wanted)} within the lead time",
            "Headroom": _headroom(model, screen),
            "Warm-up": f"{_warm_up(model)}; the lead time is {seconds(model.lead_time_s)}",
            "Requests": f"{model.requests_24h} in 24 h: {model.late_24h} late, {model.failed_24h} failed",
            "Where": where,
            "Lacks": f"{model.why.message} ({model.why.code})" if model.why else "",
            "Trouble": screen.paint(model.trouble, "red") if model.trouble else "",
            "Warnings": "; ".join(model.warnings),
            "Forecast": f"{model.basis}; headroom forecast {model.name}",
            "Record": model.forecast_record,
        },
    )


def _warm_up(model: ServedModel) -> str:
    """Return the declared warm-up, and what its starts have shown."""
    declared = f"{seconds(model.warm_up_s)} declared"
    if model.warm_up_measured_s is None:
        return f"{declared}, none measured yet"
    starts = plural(model.starts_measured, "start")
    return f"{declared}, {seconds(model.warm_up_measured_s)} planned by after {starts}"


def _headroom(model: ServedModel, screen: Screen) -> str:
    if model.served_elsewhere:
        return "not ours to say: others run its replicas, room for them is held"
    if model.headroom_ratio is None:
        return "no load"
    style = "red" if model.headroom_ratio < 1 else "yellow" if model.headroom_ratio < _TIGHT else ""
    lowest = "" if model.lowest_ratio_48h is None else f", lowest in 48 h {number(model.lowest_ratio_48h, 2)}"
    return screen.paint(f"{number(model.headroom_ratio, 2)} now", style) + lowest


def _held_by(model: str, hosts: Iterable[Host]) -> Iterator[str]:
    """Yield "ml-serve1012 GPUs 0, 3" for each host on whose devices the model is."""
    for host in hosts:
        indices = [str(device.index) for device in host.devices if any(use.holder == model for use in device.uses)]
        if indices:
            yield f"{host.name} {'GPU' if len(indices) == 1 else 'GPUs'} {', '.join(indices)}"


def _queue(queue: Queue, screen: Screen) -> str:
    lent = f", {_gpus(queue.lent_gpus)} lent" if queue.lent_gpus else ""
    borrowed = f", {_gpus(queue.borrowed_gpus)} borrowed" if queue.borrowed_gpus else ""
    return _lines(
        f"{screen.paint(queue.name, 'bold')} · weight {plain(queue.weight)}"
        + " · removed from the file" * queue.removed,
        {
            "Guarantee": _amounts(queue.guarantee) or "nothing",
            "Borrows": f"at most {limit}" if (limit := _amounts(queue.borrow_limit)) else "any that others leave",
            "Lends": f"at most {limit}" if (limit := _amounts(queue.lend_limit)) else "all that it does not use",
            "Holds": f"{_amounts(queue.used) or 'nothing'}{borrowed}{lent}",
            "Share": f"{queue.share:.0%} of the cluster now, {queue.mean_share:.0%} lately",
            "Jobs": f"{queue.running} running, {queue.waiting} waiting"
            + (f" for {_gpus(queue.waiting_gpus)}" if queue.waiting_gpus else ""),
            "Open to": "nobody: its jobs run on" if queue.removed else ", ".join(queue.submitters) or "everybody",
            "Its jobs": f"headroom list --queue {queue.name}",
        },
    )


def _amounts(amounts: Amounts) -> str:
    parts = [
        f"{plain(amounts.cpus)} CPU" if amounts.cpus else "",
        f"{format_size(amounts.memory_bytes / MIB)}B" if amounts.memory_bytes else "",
        "" if amounts.gpus is None else _gpus(amounts.gpus),
        *(f"{plain(count)}×{name}" for name, count in sorted(amounts.gpu_models.items())),
    ]
    return " · ".join(part for part in parts if part)


def _gpus(count: float) -> str:
    return f"{plain(count)} GPU{'' if count == 1 else 's'}"


def _lines(head: str, parts: Mapping[str, str]) -> str:
    return "\n".join([head, *(f"{label:<{_LABEL}}{text}" for label, text in parts.items() if text)])


_KINDS: Final[Mapping[str, tuple[str, Callable[[Session], Things]]]] = {
    "model": ("ServedModel", lambda session: session.client.models()),
    "host": ("Host", lambda session: session.client.hosts()),
    "queue": ("Queue", lambda session: session.client.queues()),
}
