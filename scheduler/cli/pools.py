"""What models on one kind of device need together, for people: room held, and joint peaks beside added ones."""

from collections.abc import Sequence

from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, cell
from scheduler.cli.wording import moment, plain, seconds
from scheduler.wire.base import Single
from scheduler.wire.serving import Capacity, Pool


def held_lines(pools: Sequence[Pool]) -> list[str]:
    """Return a line for each kind of room to be held in each pool as far as it is there, and what joint peaks save."""
    return [line for pool in pools for line in _lines(pool)]


def _lines(pool: Pool) -> list[str]:
    unit = "GPUs" if pool.gpus_per_replica else "replicas"
    saved = pool.held_apart - pool.held_for_peak
    less = f" ({plain(pool.held_apart)} if each model's p99 were added: saves {plain(saved)})" if saved else ""
    held = (
        (pool.held_for_peak, f"for the joint peak of {_models(pool)}{less}"),
        (pool.held_for_flash_crowd, "in reserve for a flash crowd"),
        (pool.held_for_rollout, "for a rolling update"),
    )
    return [
        f"To hold on {pool.name}: {plain(amount)} {unit if amount != 1 else unit[:-1]} {what}"
        for amount, what in held
        if amount
    ]


def _models(pool: Pool) -> str:
    return pool.models[0] if len(pool.models) == 1 else f"{len(pool.models)} models"


def pool_table(found: Single[Capacity]) -> Table:
    """Return one row for each pool and window: the joint peak beside the sum of the models' own."""
    columns = (
        Column("POOL"),
        Column("MODELS", right=True, drop=3),
        Column("NEXT", right=True),
        Column("P50", right=True, drop=2),
        Column("P99 JOINT", right=True),
        Column("P99 ADDED", right=True),
        Column("SAVES", right=True),
        Column("UNIT", drop=1),
    )
    rows = tuple(
        (
            cell(pool.name, "bold"),
            str(len(pool.models)),
            seconds(peak.window_s),
            *(plain(amount) for amount in (peak.p50, peak.p99, peak.apart_p99, peak.apart_p99 - peak.p99)),
            "GPUs" if pool.gpus_per_replica else "replicas",
        )
        for pool in found.item.pools
        for peak in pool.peaks
    )
    return Table(
        columns, rows, tuple(f"{pool.name}/{peak.window_s:g}" for pool in found.item.pools for peak in pool.peaks)
    )


def pool_text(found: Single[Capacity], screen: Screen) -> str:
    """Return a sentence for each pool: its joint peak of the next day, and what that saves."""
    return "\n".join(_sentence(pool, found, screen) for pool in found.item.pools if pool.peaks)


def _sentence(pool: Pool, found: Single[Capacity], screen: Screen) -> str:
    day = min(pool.peaks, key=lambda peak: abs(peak.window_s - 86_400))
    unit, saved = "GPUs" if pool.gpus_per_replica else "replicas", day.apart_p99 - day.p99
    until = (
        f", held room until {moment(pool.peak_at, found.observed_at, screen)}"
        if pool.peak_at and pool.held_for_peak
        else ""
    )
    head = f"{screen.paint(pool.name, 'bold')} · {_models(pool)} · next {seconds(day.window_s)}"
    sums = f"joint p99 {plain(day.p99)} {unit}, sum of p99s {plain(day.apart_p99)}: saves {plain(saved)}"
    return f"{head}: {sums}{until}"
