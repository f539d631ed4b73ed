"""The words in the chart: names of lines and marks, each where it covers nothing else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from scheduler.api.formatting import duration
from scheduler.model.counting import plural
from scheduler.wire.serving import Capacity, CapacityPoint

Column: TypeAlias = list[float | str | None]
Table: TypeAlias = dict[str, Column]
"""Columns of one thing that is drawn; times in epoch milliseconds."""
SHARES: Final = ("serving", "held", "reserved", "training", "free", "drained")
"""Who holds the devices, from the axis upwards."""
SHOWN: Final = {"drained": "out of use"}
"""Names of shares where their own would say too much: lost hosts are among those that take no work."""
EDGE: Final = 0.2
"""Words this near to either end stand on the inner side of their point."""
REACH: Final = 0.16
"""Half the width of the longest words, as a share of the time shown."""
SHORT_REACH: Final = 0.05
LEAST_GAP: Final = 0.055
"""Names at the right keep this distance, as a share of the height."""
LINE: Final = 0.08
"""Height of a line of words with its distance, as a share of the height."""


def ms(at: datetime) -> float:
    """Return epoch milliseconds, the chart's time."""
    return at.timestamp() * 1000


def lead(present: float, lead_time_s: float, top: float) -> Table:
    """Return the strip within which nothing that is started now is ready yet."""
    if not lead_time_s:
        return {"left": [], "right": [], "top": [], "text": []}
    right = present + lead_time_s * 1000
    return {"left": [present], "right": [right], "top": [top * 0.9], "text": [f"lead time {duration(lead_time_s)}"]}


def lowest(capacity: Capacity, future: Sequence[CapacityPoint]) -> Table:
    """Return where the headroom is lowest, if that is in the picture, and the words for it."""
    found = _lowest_of_model(future) if capacity.unit != "GPUs" else _lowest_of_all(capacity, future)
    if found is None:
        return {"t": [], "y": [], "above": [], "brief": [], "text": [], "align": []}
    point, ratio = found
    shown = capacity.points[-1].at - capacity.points[0].at
    place = (point.at - future[0].at) / max(future[-1].at - future[0].at, timedelta(seconds=1))
    align = "left" if place < EDGE else "right" if place > 1 - EDGE else "center"
    before, after = {"left": (0, 2), "right": (2, 0), "center": (1, 1)}[align]
    near = [p for p in future if point.at - before * REACH * shown <= p.at <= point.at + after * REACH * shown]
    return {
        "t": [ms(point.at)],
        "y": [point.p99],
        "above": [max(max(p.p99 or 0.0, p.planned or 0.0) for p in near)],
        "brief": [f"lowest {ratio:.2f}"],
        "text": [f"lowest headroom {ratio:.2f}, {point.at:%a %H:%M}"],
        "align": [align],
    }


def _lowest_of_all(capacity: Capacity, future: Sequence[CapacityPoint]) -> tuple[CapacityPoint, float] | None:
    at, ratio = capacity.lowest_at, capacity.lowest_ratio
    if at is None or ratio is None or not future or not future[0].at <= at <= future[-1].at:
        return None
    return min(future, key=lambda point: abs(point.at - at)), ratio


def _lowest_of_model(future: Sequence[CapacityPoint]) -> tuple[CapacityPoint, float] | None:
    ratios = [(p, p.planned / p.p99) for p in future if p.p99 and p.planned is not None]
    return min(ratios, key=lambda pair: pair[1], default=None)


def labels(future: Sequence[CapacityPoint], end: float, top: float) -> Table:
    """Return names for the lines' right ends, moved apart where they would touch."""
    wanted = [
        (words, value, role)
        for last in future[-1:]
        for words, value, role in (
            ("planned ready", last.planned, "ink"),
            ("p99", last.p99, "serving"),
            ("p50, p10–p90", last.p50, "muted"),
        )
    ]
    named = sorted(((y, text, role) for text, y, role in wanted if y is not None), reverse=True)
    heights: list[float] = []
    for y, _, _ in named:
        heights.append(min(y, heights[-1] - top * LEAST_GAP) if heights else y)
    return {
        "t": [end] * len(named),
        "y": list(heights),
        "text": [text for _, text, _ in named],
        "role": [role for _, _, role in named],
    }


def present(points: Sequence[CapacityPoint], now: datetime, top: float) -> Table:
    """Return the line between past and future, and the words beside it: on the side where there is room."""
    reach = (points[-1].at - points[0].at) * REACH if points else timedelta()
    beside = "left" if points and now - points[0].at < reach else "right"
    offset = 4.0 if beside == "left" else -4.0
    return {"t": [ms(now)], "top": [top], "text": [f"now {now:%H:%M}"], "align": [beside], "offset": [offset]}


def notes(past: Sequence[CapacityPoint], future: Sequence[CapacityPoint], shown: timedelta, top: float) -> Table:
    """Return the names of what is drawn solid before now: capacity above its line, demand below.

    Where little is past they reach beyond now: there they keep clear of what is drawn of the future.
    """
    drawn = {
        "ready": [(p.at, p.planned) for p in future if p.planned is not None],
        "actual": [(p.at, p.p50) for p in future if p.p50 is not None],
    }
    table: Table = {"t": [], "y": [], "text": [], "role": [], "align": []}
    for name, field, role, place in (("ready", "ready", "ink", 0.4), ("demand", "actual", "serving", 0.75)):
        seen = [(p.at, getattr(p, field)) for p in past if getattr(p, field) is not None]
        if len(seen) > 1:
            at = seen[int(len(seen) * place)][0]
            align = "left" if at - past[0].at < SHORT_REACH * shown else "center"  # else the edge would cut it
            reach = SHORT_REACH * shown * (2 if align == "left" else 1)
            near = [y for when, y in (*seen, *drawn[field]) if abs(when - at) <= reach]
            under = min(near) - LINE * top
            y = under if name == "demand" and under > 0 else max(near) + top * 0.02
            for column, value in zip(table.values(), (ms(at), y, name, role, align), strict=True):
                column.append(value)
    return table


def shares_title(capacity: Capacity, start: float, end: float, devices: float) -> Table:
    """Return the title of the picture below, and what its small triangles mean, at either end."""
    if not devices:
        return {"t": [], "y": [], "text": [], "align": [], "style": []}
    return {
        "t": [start, end],
        "y": [devices * 1.2, devices * 1.2],
        "text": [f"Who holds the {plural(capacity.gpus, 'GPU')}", "▾ preemption"],
        "align": ["left", "right"],
        "style": ["bold", "normal"],
    }


def share_labels(points: Sequence[CapacityPoint], devices: float, end: float) -> Table:
    """Return the name of each share that is thick enough at the right end."""
    table: Table = {"t": [], "y": [], "text": []}
    below = 0.0
    for name in SHARES if points and devices else ():
        height = getattr(points[-1], name) or 0.0
        if height >= devices * 0.12:
            table["t"].append(end)
            table["y"].append(below + height / 2)
            table["text"].append(SHOWN.get(name, name))
        below += height
    return table
