"""The chart's numbers: one table of columns per thing drawn, ready to replace what the browser has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scheduler.api import captions
from scheduler.api.captions import SHARES, Column, Table, ms
from scheduler.wire.serving import Capacity, CapacityPoint

QUANTILES = ("p10", "p50", "p90", "p99")
LABEL_ROOM = 0.14
"""Room for names at the lines' right ends, as a share of the time shown."""
SHARES_ROOM = 1.42
"""Height of the picture below over its devices: its title stands there."""


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
    points, present = capacity.points, ms(now)
    past, future = [p for p in points if p.at <= now], [p for p in points if p.at > now]
    start = ms(points[0].at) if points else present
    end = ms(points[-1].at) if points else present
    top = _top(points)
    shares = [p for p in points if p.serving is not None]
    devices = float(capacity.gpus) if capacity.unit == "GPUs" and shares else 0.0
    tables: dict[str, Table] = {
        "past": _table(past, "actual", "p50", "p99"),
        "future": _forecast(past, future),
        "ready": _table([p for p in past if p.ready is not None], "ready"),
        "planned": _planned(past, future),
        "now": captions.present(points, now, top),
        "lead": captions.lead(present, capacity.lead_time_s if future else 0.0, top),
        "lowest": captions.lowest(capacity, future),
        "labels": captions.labels(future, end, top),
        "notes": captions.notes(past, future, (points[-1].at - points[0].at) if points else timedelta(), top),
        "shares": _stacked(shares, end),
        "after": {"left": [present], "right": [end], "top": [devices]},
        "shares-title": captions.shares_title(capacity, start, end, devices),
        "preemptions": _preemptions(capacity.preempted_at, devices, start, end),
        "share-labels": captions.share_labels(shares, devices, end),
    }
    return Chart(tables, start, end, end + (end - start) * LABEL_ROOM, top, devices)


def _table(points: Sequence[CapacityPoint], *names: str) -> Table:
    table: Table = {name: [getattr(point, name) for point in points] for name in names}
    return {"t": [ms(point.at) for point in points], **table}


def _top(points: Iterable[CapacityPoint]) -> float:
    """Return the end of the vertical axis: room for two lines of words above everything drawn."""
    values = [v for p in points for v in (p.actual, p.p99, p.ready, p.planned) if v is not None]
    return max(values, default=1.0) * 1.22 or 1.0


def _forecast(past: Sequence[CapacityPoint], future: Sequence[CapacityPoint]) -> Table:
    """Return the quantiles, opening like a fan from the demand of now."""
    table = _table(future, *QUANTILES)
    seen = [p for p in past if p.actual is not None]
    if seen and table["t"]:
        table["t"].insert(0, ms(seen[-1].at))
        for name in QUANTILES:
            table[name].insert(0, seen[-1].actual)
    return table


def _planned(past: Sequence[CapacityPoint], future: Sequence[CapacityPoint]) -> Table:
    """Return the planned steps, begun where the ready ones end."""
    seen = [p for p in past if p.ready is not None]
    table = _table([p for p in future if p.planned is not None], "planned")
    if seen and table["t"]:
        table["t"].insert(0, ms(seen[-1].at))
        table["planned"].insert(0, seen[-1].ready)
    return table


def _stacked(points: Sequence[CapacityPoint], end: float) -> Table:
    """Return the lower and upper edge of every share over time, the last one drawn out to the right end."""
    table: Table = {"t": [ms(point.at) for point in points]}
    below = [0.0] * len(points)
    for name in SHARES:
        above = [low + (getattr(point, name) or 0.0) for low, point in zip(below, points, strict=True)]
        table[f"{name}_from"], table[f"{name}_to"] = list(below), list(above)
        below = above
    if points:
        for name, column in table.items():
            column.append(end if name == "t" else column[-1])
    return table


def _preemptions(moments: Sequence[datetime], devices: float, start: float, end: float) -> Table:
    seen: Column = [ms(at) for at in moments if start <= ms(at) <= end and devices]
    return {"t": seen, "y": [devices] * len(seen)}
