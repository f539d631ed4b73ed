"""Pictures of a comparison, drawn with Bokeh for light and for dark eyes."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy as np
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, DatetimeTickFormatter, FactorRange, HoverTool, Range1d
from bokeh.plotting import figure

from scheduler.api.palette import PALETTES, Palette, ThemeName
from simulations.comparing.entries import Entry
from simulations.comparing.waiting import by_size
from simulations.evidence import DRAINED, FREE, LOST, READY, STARTING, TRAINING, Evidence

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_ROW_PX: Final = 12


def timeline(entry: Entry, evidence: Evidence, theme: ThemeName) -> dict[str, Any]:
    """Return demand with the band that was forecast for it, ready capacity, training and the queue, over time."""
    palette = PALETTES[theme]
    at = [1000 * point.at_s for point in evidence.points]
    names = ("demand", "p50", "p99", "ready", "serving", "training", "free", "waiting")
    values = {name: [getattr(point, name) for point in evidence.points] for name in names}
    source = ColumnDataSource({"t": at, **values})
    x = Range1d(min(at, default=0), max(at, default=1))
    above = _plot(f"{entry.name}: serving, in GPUs", 240, x, palette)
    above.varea("t", "p50", "p99", source=source, fill_color=palette.serving, fill_alpha=0.25, legend_label="forecast")
    above.line("t", "demand", source=source, line_color=palette.serving, line_width=2, legend_label="demand")
    above.step("t", "ready", source=source, mode="after", line_color=palette.ink, legend_label="ready")
    _mark_violations(above, evidence, palette)
    _mark_outages(above, evidence, palette)
    below = _plot("training, in GPUs, and jobs that wait", 150, x, palette)
    below.step("t", "training", source=source, mode="after", line_color=palette.training, legend_label="training")
    below.line("t", "waiting", source=source, line_color=palette.muted, line_dash="dotted", legend_label="waiting")
    for plot in (above, below):
        _legend(plot, palette)
    tips = [("", "@t{%a %H:%M}"), *((name, f"@{name}{{0.0}}") for name in ("demand", "p99", "ready", "training"))]
    above.add_tools(
        HoverTool(tooltips=tips, formatters={"@t": "datetime"}, mode="vline", renderers=above.renderers[1:2])
    )
    return dict(json_item(column([above, below], sizing_mode="stretch_width")))


def occupancy(evidence: Evidence, theme: ThemeName) -> dict[str, Any]:
    """Return who had each device of each host over time."""
    palette = PALETTES[theme]
    colours = {
        READY: palette.serving, STARTING: palette.serving, TRAINING: palette.training, FREE: palette.free,
        DRAINED: palette.out, LOST: palette.bad,
    }  # fmt: skip
    rows = [f"{host} {device}" for host, marks in _hosts(evidence) for device in range(len(marks))]
    bars = [bar for host, marks in _hosts(evidence) for bar in _bars(host, marks, evidence)]
    mark, left, right = [bar[3] for bar in bars], [bar[1] for bar in bars], [bar[2] for bar in bars]
    data = {
        "row": [bar[0] for bar in bars],
        "left": left,
        "right": right,
        "colour": [colours[one] for one in mark],
        "alpha": [0.45 if one == STARTING else 1.0 for one in mark],
    }
    x = Range1d(min(left, default=0), max(right, default=1))
    title = "who had each device: blue serving (pale: starting), yellow training, red lost, grey drained"
    plot = _plot(title, 60 + _ROW_PX * len(rows), x, palette, y_range=FactorRange(*reversed(rows)))
    plot.hbar(
        y="row", left="left", right="right", height=0.9, fill_color="colour", fill_alpha="alpha", line_color=None,
        source=ColumnDataSource(data),
    )  # fmt: skip
    plot.ygrid.grid_line_color = None
    plot.yaxis.major_label_text_font_size = "8px"
    return dict(json_item(plot))


def waits(evidence: Evidence, theme: ThemeName) -> dict[str, Any]:
    """Return how long jobs waited, by size: which share of them no longer than that."""
    palette = PALETTES[theme]
    plot = _plot("share of the jobs that waited no longer, by size", 220, None, palette, x_axis_type="log")
    plot.xaxis.axis_label, plot.xaxis.axis_label_text_color = "minutes", palette.muted
    colours = (palette.muted, palette.serving, palette.training, palette.bad)
    for colour, (size, jobs) in zip(colours, by_size(evidence.jobs).items(), strict=True):
        waited = np.sort([max(1.0, job.wait_s / 60) for job in jobs])
        if len(waited):
            share = np.arange(1, len(waited) + 1) / len(waited)
            plot.step(waited, share, mode="after", line_color=colour, line_width=1.5, legend_label=size)
    _legend(plot, palette, place="bottom_right")
    return dict(json_item(plot))


def _hosts(evidence: Evidence) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from zip(evidence.hosts, evidence.occupancy, strict=True)


def _bars(host: str, marks: Sequence[str], evidence: Evidence) -> Iterator[tuple[str, float, float, str]]:
    """Yield (row, from, until, mark) of each stretch in which a device had the same mark, but for free ones."""
    at = [1000 * point.at_s for point in evidence.points]
    step = at[1] - at[0] if len(at) > 1 else 1.0
    for device, seen in enumerate(marks):
        for mark, group in groupby(range(len(seen)), key=seen.__getitem__):
            places = list(group)
            if mark != FREE:
                yield f"{host} {device}", at[places[0]], at[places[-1]] + step, mark


def _mark_violations(plot: Any, evidence: Evidence, palette: Palette) -> None:
    left = [1000 * one.from_s for one in evidence.violations]
    right = [1000 * one.until_s for one in evidence.violations]
    plot.quad(left=left, right=right, bottom=0, top=1.0, fill_color=palette.bad, line_color=palette.bad)


def _mark_outages(plot: Any, evidence: Evidence, palette: Palette) -> None:
    at = [1000 * at_s for _, at_s, _ in evidence.outages]
    plot.scatter(at, [0.5] * len(at), marker="inverted_triangle", size=9, color=palette.bad)


def _plot(title: str, height: int, x: Range1d | None, palette: Palette, **more: Any) -> Any:
    if x is not None:
        more |= {"x_range": x, "x_axis_type": "datetime"}
    plot = figure(
        title=title,
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="xpan,xwheel_zoom",
        background_fill_color=palette.card,
        border_fill_color=palette.card,
        outline_line_color=None,
        **more,
    )
    plot.title.text_color, plot.title.text_font = palette.ink, FONT
    plot.axis.axis_line_color = plot.axis.major_tick_line_color = plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color, plot.axis.major_label_text_font = palette.muted, FONT
    plot.grid.grid_line_color = palette.line
    if x is not None:
        plot.xaxis.formatter = DatetimeTickFormatter(days="%a %d %b", hours="%H:%M", hourmin="%H:%M", minutes="%H:%M")
    return plot


def _legend(plot: Any, palette: Palette, place: str = "top_left") -> None:
    legend = plot.legend[0]
    legend.location, legend.orientation = place, "vertical" if place == "bottom_right" else "horizontal"
    legend.background_fill_color, legend.background_fill_alpha = palette.card, 0.7
    legend.label_text_color, legend.label_text_font_size, legend.border_line_color = palette.ink, "11px", None
