"""`headroom models`: what is served, with how many replicas, and how much headroom each model has."""

from datetime import datetime
from typing import Annotated, Final

import typer

from scheduler.cli.screen import Screen
from scheduler.cli.session import Output, OutputOption, Session, WatchOption
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, number, plain, seconds, zone_name
from scheduler.model.counting import plural
from scheduler.wire.base import Listing
from scheduler.wire.cluster import ServedModel

TIGHT_BELOW: Final = 1.1
"""Headroom below which a model is called tight."""


def models(
    context: typer.Context,
    *,
    owner: Annotated[str, typer.Option(help="Only of this owner.", show_default=False)] = "",
    output: OutputOption = Output.TABLE,
    watch: WatchOption = False,
) -> None:
    """List served models: replicas, load, and headroom."""
    session = Session.of(context)

    def draw() -> tuple[Listing[ServedModel], Table]:
        found = session.client.models()
        kept = tuple(model for model in found.items if not owner or model.owner == owner)
        shown = found.model_copy(update={"items": kept})
        return shown, model_table(shown, session.screen)

    if watch:
        session.watch(draw, output)
    found, table = draw()
    session.show(output, found, lambda: table)
    if output in {Output.TABLE, Output.WIDE}:
        tight = sum(_is_tight(model) for model in found.items)
        session.screen.note(f"{plural(len(found.items), 'model')}, {tight} tight or short")
        for model in found.items:
            if model.trouble:
                session.screen.note(f"{model.name}: {model.trouble}")


def model_table(found: Listing[ServedModel], screen: Screen) -> Table:
    """Return one row a model."""
    rows = tuple(_row(model, found.observed_at, screen) for model in found.items)
    return Table(_columns(zone_name(found.observed_at, screen)), rows, tuple(model.name for model in found.items))


def headroom_cell(ratio: float | None, *, starting: bool, elsewhere: bool = False) -> Cell:
    """Return the ratio with a word where it is low."""
    if elsewhere:
        return cell("elsewhere", "dim")
    if ratio is None:
        return cell("starting" if starting else NOTHING, "dim")
    if ratio < 1:
        return cell(f"{ratio:.2f} short", "red")
    return cell(f"{ratio:.2f} tight", "bold") if ratio < TIGHT_BELOW else cell(f"{ratio:.2f}")


def warm_up_words(model: ServedModel) -> str:
    """Return the declared warm-up, and the one by which it is planned where its starts say otherwise."""
    declared = seconds(model.warm_up_s)
    measured = declared if model.warm_up_measured_s is None else seconds(model.warm_up_measured_s)
    return declared if measured == declared else f"{declared} → {measured}"


def _is_tight(model: ServedModel) -> bool:
    return model.headroom_ratio is not None and model.headroom_ratio < TIGHT_BELOW


def _columns(zone: str) -> tuple[Column, ...]:
    return (
        Column("MODEL"),
        Column("OWNER", drop=7),
        Column("READY", right=True),
        Column("WANT", right=True),
        Column(f"PEAK ({zone})", drop=4),
        Column("REQ/S", right=True, drop=2),
        Column("P99 AHEAD", right=True, drop=3),
        Column("LEAD", right=True, drop=5),
        Column("HEADROOM"),
        Column("WARM-UP", right=True, drop=8),
        Column("LATE 24H", right=True, drop=6),
        Column("FAILED 24H", right=True, wide=True, drop=9),
        Column("REQUESTS 24H", right=True, wide=True, drop=10),
        Column("MIN", right=True, wide=True, drop=11),
        Column("MAX", right=True, wide=True, drop=12),
        Column("GPUS EACH", right=True, wide=True, drop=13),
        Column("BASIS", wide=True, drop=14),
        Column("P99 HELD", right=True, wide=True, drop=15),
        Column("WHY", wide=True, drop=16),
    )


def _row(model: ServedModel, now: datetime, screen: Screen) -> tuple[Cell | str, ...]:
    starting = f"+{model.starting}" if model.starting else ""
    peak_at = f" at {moment(model.peak_at, now, screen)}" if model.peak_at else ""
    return (
        cell(model.name, "bold"),
        model.owner or NOTHING,
        NOTHING if model.served_elsewhere else f"{model.ready}{starting}",
        str(model.wanted),
        f"{model.peak_replicas}{peak_at}",
        number(model.rps_now),
        number(model.rps_wanted),
        seconds(model.lead_time_s),
        headroom_cell(model.headroom_ratio, starting=bool(model.starting), elsewhere=model.served_elsewhere),
        warm_up_words(model),
        str(model.late_24h),
        str(model.failed_24h),
        str(model.requests_24h),
        str(model.min_replicas),
        str(model.max_replicas),
        plain(model.gpus_per_replica),
        model.basis,
        NOTHING if model.p99_held is None else f"{100 * model.p99_held:.1f} %",
        model.why.message if model.why else NOTHING,
    )
