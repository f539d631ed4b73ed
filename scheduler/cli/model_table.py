"""Served models as rows: replicas, load, headroom, and how far a rollout is."""

from datetime import datetime
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, number, plain, seconds, zone_name
from scheduler.wire.base import Listing
from scheduler.wire.serving import ServedModel

TIGHT_BELOW: Final = 1.1
"""Headroom below which a model is called tight."""


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


def is_tight(model: ServedModel) -> bool:
    """Whether a model has little headroom, or none."""
    return model.headroom_ratio is not None and model.headroom_ratio < TIGHT_BELOW


def revision_cell(model: ServedModel) -> Cell:
    """Return the revision that serves, and the one that takes over: "3", "3 → 4 at 10 %", "4 rolled back"."""
    rollout = model.rollout
    if not model.revision and rollout is None:
        return cell(NOTHING, "dim")
    if model.removing:
        return cell("removing", "yellow")
    if rollout is None or rollout.phase == "done":
        return cell(str(model.revision))
    if rollout.is_over:
        return cell(f"{model.revision or NOTHING} ({rollout.revision} {rollout.phase})", "red")
    words = f"at {rollout.share:.0%}" if rollout.phase == "trying" else rollout.phase
    paused = ", paused" if rollout.paused else ""
    return cell(f"{model.revision or NOTHING} → {rollout.revision} {words}{paused}", "blue")


def _columns(zone: str) -> tuple[Column, ...]:
    return (
        Column("MODEL"),
        Column("OWNER", drop=8),
        Column("REVISION", drop=9),
        Column("READY", right=True),
        Column("WANT", right=True),
        Column(f"PEAK ({zone})", drop=4),
        Column("REQ/S", right=True, drop=2),
        Column("P99 AHEAD", right=True, drop=3),
        Column("LEAD", right=True, drop=5),
        Column("HEADROOM"),
        Column("WARM-UP", right=True, drop=9),
        Column("LATE 24H", right=True, drop=7),
        Column("FAILED 24H", right=True, wide=True, drop=10),
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
        revision_cell(model),
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
