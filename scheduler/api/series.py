"""The chart's numbers: one table of columns per thing drawn, ready to replace what the browser has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler.wire.cluster import Capacity, CapacityPoint

Column = list[float | str | None]
Table = dict[str, Column]
SHARES = ("serving", "held", "training", "free", "drained")
"""Who holds the devices, from the axis upwards."""
LABEL_ROOM = 0.14
"""Room for names at the lines' right ends, as a share of the time shown."""
EDGE = 0.2
"""Words this near to either end stand on the inner side of their point."""
SHARES_ROOM = 1.42
"""Height of the picture below over its devices: its title stands there."""
LEAST_GAP = 0.055
"""Names at the right keep this distance, as a share of the height."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything the chart shows.

    Attributes:
        tables: columns by the name of what they draw; times in epoch milliseconds.
        start, end, label_end: the time axis, epoch milliseconds; names of lines stand between the last two.
        top: upper end of the vertical axis.
        devices: upper end of the picture below; 0 when there is none.
    """

    tables: dict[str, Table]
    start: float
    end: float
    label_end: float
    top: float
    devices: float

    @property
    def axes(self) -> dict[str, dict[str, Any]]:
        """What the axes are set to, by the name of the part of the picture."""
        ends = [self.start, self.end]
        return {
            "x": {"start": self.start, "end": self.label_end},
            "y": {"start": 0.0, "end": self.top},
            "y-shares": {"start": 0.0, "end": self.devices * SHARES_ROOM},
            **{f"{part}-{plot}": {"bounds": ends} for part in ("ticks", "grid") for plot in (0, 1)},
            **{f"across-{plot}": {"cross_bounds": ends} for plot in (0, 1)},
        }


def chart_of(capacity: Capacity, now: datetime) -> Chart:
    """Lay out the points of a capacity view; `now` parts what was from what is forecast."""
    points, present = capacity.points, _ms(now)
    past, future = [p for p in points if p.at <= now], [p for p in points if p.at > now]
    start = _ms(points[0].at) if points else present
    end = _ms(points[-1].at) if points else present
    top = _top(points)
    shares = [p for p in points if p.serving is not None]
    devices = float(capacity.gpus) if capacity.unit == "GPUs" and shares else 0.0
    tables: dict[str, Table] = {
        "past": _table(past, "actual", "p50", "p99"),
        "future": _table(future, "p10", "p50", "p90", "p99"),
        "ready": _table([p for p in past if p.ready is not None], "ready"),
        "planned": _planned(past, future),
        "now": {"t": [present], "top": [top], "text": [f"now {now:%H:%M}"]},
        "lead": _lead(present, capacity.lead_time_s if future else 0.0, top),
        "lowest": _lowest(capacity, future),
        "labels": _labels(future, end, top),
        "notes": _notes(past, top),
        "shares": _stacked(shares, end),
        "after": {"left": [present], "right": [end], "top": [devices]},
        "shares-title": _shares_title(capacity, start, end, devices),
        "preemptions": _preemptions(capacity.preempted_at, devices, start, end),
        "share-labels": _share_labels(shares, devices, end),
    }
    return Chart(tables, start, end, end + (end - start) * LABEL_ROOM, top, devices)


def _ms(at: datetime) -> float:
    return at.timestamp() * 1000


def _table(points: Sequence[CapacityPoint], *names: str) -> Table:
    table: Table = {name: [getattr(point, name) for point in points] for name in names}
    return {"t": [_ms(point.at) for point in points], **table}


def _top(points: Iterable[CapacityPoint]) -> float:
    """Return the end of the vertical axis: room for two lines of words above everything drawn."""
    values = [v for p in points for v in (p.actual, p.p99, p.ready, p.planned) if v is not None]
    return max(values, default=1.0) * 1.22 or 1.0


def _planned(past: Sequence[CapacityPoint], future: Sequence[CapacityPoint]) -> Table:
    """Return the planned steps, begun where the ready ones end."""
    seen = [p for p in past if p.ready is not None]
    table = _table([p for p in future if p.planned is not None], "planned")
    if seen and table["t"]:
        table["t"].insert(0, _ms(seen[-1].at))
        table["planned"].insert(0, seen[-1].ready)
    return table


def _lead(present: float, lead_time_s: float, top: float) -> Table:
    """Return the strip within which nothing that is started now is ready yet."""
    if not lead_time_s:
        return {"left": [], "right": [], "top": [], "text": []}
    words = f"lead time {round(lead_time_s / 60)} min" if lead_time_s >= 90 else f"lead time {lead_time_s:.0f} s"  # noqa: PLR2004  # two units
    return {"left": [present], "right": [present + lead_time_s * 1000], "top": [top * 0.93], "text": [words]}


def _lowest(capacity: Capacity, future: Sequence[CapacityPoint]) -> Table:
    """Return where the headroom is lowest, if that is in the picture, and the words for it."""
    found = _lowest_of_model(future) if capacity.unit != "GPUs" else _lowest_of_all(capacity, future)
    if found is None:
        return {"t": [], "y": [], "above": [], "brief": [], "text": [], "align": []}
    point, ratio = found
    place = (point.at - future[0].at) / max(future[-1].at - future[0].at, timedelta(seconds=1))
    return {
        "t": [_ms(point.at)],
        "y": [point.p99],
        "above": [max(point.p99 or 0.0, point.planned or 0.0)],
        "brief": [f"lowest {ratio:.2f}"],
        "text": [f"lowest headroom {ratio:.2f}, {point.at:%a %H:%M}"],
        "align": ["left" if place < EDGE else "right" if place > 1 - EDGE else "center"],
    }


def _lowest_of_all(capacity: Capacity, future: Sequence[CapacityPoint]) -> tuple[CapacityPoint, float] | None:
    at, ratio = capacity.lowest_at, capacity.lowest_ratio
    if at is None or ratio is None or not future or not future[0].at <= at <= future[-1].at:
        return None
    return min(future, key=lambda point: abs(point.at - at)), ratio


def _lowest_of_model(future: Sequence[CapacityPoint]) -> tuple[CapacityPoint, float] | None:
    ratios = [(p, p.planned / p.p99) for p in future if p.p99 and p.planned is not None]
    return min(ratios, key=lambda pair: pair[1], default=None)


def _labels(future: Sequence[CapacityPoint], end: float, top: float) -> Table:
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


def _notes(past: Sequence[CapacityPoint], top: float) -> Table:
    """Return the names of what is drawn solid before now, standing where the line is."""
    table: Table = {"t": [], "y": [], "text": [], "role": []}
    for name, field, role, share, lift in (
        ("ready", "ready", "ink", 0.6, top * 0.03),
        ("demand", "actual", "serving", 0.8, -top * 0.16),
    ):
        seen = [(p.at, getattr(p, field)) for p in past if getattr(p, field) is not None]
        if len(seen) > 1:
            at, y = seen[int(len(seen) * share)]
            for column, value in zip(table.values(), (_ms(at), y + lift, name, role), strict=True):
                column.append(value)
    return table


def _stacked(points: Sequence[CapacityPoint], end: float) -> Table:
    """Return the lower and upper edge of every share over time, the last one drawn out to the right end."""
    table: Table = {"t": [_ms(point.at) for point in points]}
    below = [0.0] * len(points)
    for name in SHARES:
        above = [low + (getattr(point, name) or 0.0) for low, point in zip(below, points, strict=True)]
        table[f"{name}_from"], table[f"{name}_to"] = list(below), list(above)
        below = above
    if points:
        for name, column in table.items():
            column.append(end if name == "t" else column[-1])
    return table


def _shares_title(capacity: Capacity, start: float, end: float, devices: float) -> Table:
    """Return the title of the picture below, and what its small triangles mean, at either end."""
    if not devices:
        return {"t": [], "y": [], "text": [], "align": [], "style": []}
    return {
        "t": [start, end],
        "y": [devices * 1.2, devices * 1.2],
        "text": [f"Who holds the {capacity.gpus} GPUs", "▾ preemption"],
        "align": ["left", "right"],
        "style": ["bold", "normal"],
    }


def _preemptions(moments: Sequence[datetime], devices: float, start: float, end: float) -> Table:
    seen: Column = [_ms(at) for at in moments if start <= _ms(at) <= end and devices]
    return {"t": seen, "y": [devices] * len(seen)}


def _share_labels(points: Sequence[CapacityPoint], devices: float, end: float) -> Table:
    """Return the name of each share that is thick enough at the right end."""
    table: Table = {"t": [], "y": [], "text": []}
    below = 0.0
    for name in SHARES if points and devices else ():
        height = getattr(points[-1], name) or 0.0
        if height >= devices * 0.12:
            table["t"].append(end)
            table["y"].append(below + height / 2)
            table["text"].append(name)
        below += height
    return table
