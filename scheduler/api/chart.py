"""The picture of demand, capacity and devices over time: the only module that knows Bokeh."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import bokeh
from bokeh.core.properties import value
from bokeh.embed import json_item
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, DatetimeTicker, DatetimeTickFormatter, FixedTicker, HoverTool, Range1d
from bokeh.plotting import figure
from bokeh.transform import factor_cmap

from scheduler.api.captions import SHARES
from scheduler.api.palette import PALETTES, Palette, ThemeName
from scheduler.api.series import SHARES_ROOM, Chart

FONT: Final = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
LIBRARY_VERSION: Final = version("bokeh")
SHARES_PX, SHARES_NARROW_PX = 112, 96
LEFT_PX, TOP_PX, BOTTOM_PX = 34, 4, 22
ROLES: Final = ("ink", "serving", "muted")
HOVER: Final = (("", "@t{%a %H:%M}"), ("demand p50", "@p50{0.0}"), ("p99", "@p99{0.0}"))


def library_folder() -> Path:
    """Return the folder with the library's own minified JavaScript, as its package ships it."""
    return Path(bokeh.__file__).parent / "server" / "static" / "js"


def chart_document(chart: Chart, theme: ThemeName, *, narrow: bool) -> dict[str, Any]:
    """Return what `Bokeh.embed.embed_item` takes.

    Args:
        chart: what to draw.
        theme: for whose eyes.
        narrow: drawn for a telephone: lower, with fewer ticks and no names at the right.
    """
    palette = PALETTES[theme]
    sources = {name: ColumnDataSource(data=table, name=name) for name, table in chart.tables.items()}
    x = Range1d(chart.start, chart.end if narrow else chart.label_end, name="x")
    plots = [_demand_plot(chart, sources, x, palette, narrow=narrow)]
    if chart.devices:
        plots.append(_shares_plot(chart, sources, x, palette, narrow=narrow))
    for place, plot in enumerate(plots):
        for part, name in ((plot.xaxis[0], "ticks"), (plot.xgrid[0], "grid")):
            part.update(name=f"{name}-{place}", bounds=(chart.start, chart.end))
        plot.ygrid[0].update(name=f"across-{place}", cross_bounds=(chart.start, chart.end))
    return dict(json_item(column(plots, sizing_mode="stretch_width", spacing=0)))


def _plot(height: int, x: Range1d, y: Range1d, palette: Palette, *, narrow: bool) -> Any:
    """Return an empty plot without toolbar, outline or fixed width."""
    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        x_range=x,
        y_range=y,
        toolbar_location=None,
        tools="",
        min_border_left=LEFT_PX,
        min_border_right=4,
        min_border_top=TOP_PX,
        min_border_bottom=BOTTOM_PX,
        background_fill_color=palette.card,
        border_fill_color=palette.card,
        outline_line_color=None,
        output_backend="canvas",
    )
    _style_axes(plot, palette, narrow=narrow)
    return plot


def _style_axes(plot: Any, palette: Palette, *, narrow: bool) -> None:
    plot.axis.axis_line_color = None
    plot.axis.major_tick_line_color = None
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color = palette.muted
    plot.axis.major_label_text_font = FONT
    plot.axis.major_label_text_font_size = "11px"
    plot.axis.major_label_standoff = 4
    plot.grid.grid_line_color = palette.line
    plot.xaxis.ticker = DatetimeTicker(desired_num_ticks=4 if narrow else 12, num_minor_ticks=0)
    plot.xaxis.formatter = DatetimeTickFormatter(
        days="%a %d", hours="%H:%M", hourmin="%H:%M", minutes="%H:%M", boundary_scaling=True
    )


def _demand_plot(
    chart: Chart, sources: dict[str, ColumnDataSource], x: Range1d, palette: Palette, *, narrow: bool
) -> Any:
    height = (240 if narrow else 288) + (0 if chart.devices else SHARES_NARROW_PX if narrow else SHARES_PX)
    plot = _plot(height, x, Range1d(0, chart.top, name="y"), palette, narrow=narrow)
    plot.xaxis.visible = not chart.devices
    plot.yaxis.ticker.desired_num_ticks = 5
    plot.yaxis.ticker.num_minor_ticks = 0
    _draw_forecast(plot, sources, palette)
    _draw_capacity(plot, sources, palette)
    _draw_marks(plot, sources, palette)
    _draw_words(plot, sources, palette, narrow=narrow)
    return plot


def _draw_forecast(plot: Any, sources: dict[str, ColumnDataSource], palette: Palette) -> None:
    """Draw the band that was forecast, then the one that is, and the demand over it."""
    blue, past, future = palette.serving, sources["past"], sources["future"]
    plot.varea("t", "p50", "p99", source=past, fill_color=blue, fill_alpha=0.12)
    plot.varea("t", "p90", "p99", source=future, fill_color=blue, fill_alpha=0.10)
    plot.varea("t", "p10", "p90", source=future, fill_color=blue, fill_alpha=0.20)
    middle = plot.line("t", "p50", source=future, line_color=blue, line_width=1.3)
    plot.line("t", "p99", source=future, line_color=blue, line_width=1.3, line_dash=[3, 2])
    plot.line("t", "actual", source=past, line_color=blue, line_width=2, line_join="round")
    hover = HoverTool(renderers=[middle], mode="vline", tooltips=list(HOVER), formatters={"@t": "datetime"})
    plot.add_tools(hover)


def _draw_capacity(plot: Any, sources: dict[str, ColumnDataSource], palette: Palette) -> None:
    plot.step("t", "ready", source=sources["ready"], mode="after", line_color=palette.ink, line_width=1.8)
    plot.step(
        "t",
        "planned",
        source=sources["planned"],
        mode="after",
        line_color=palette.ink,
        line_width=1.5,
        line_dash=[6, 3],
    )


def _draw_marks(plot: Any, sources: dict[str, ColumnDataSource], palette: Palette) -> None:
    """Draw the present, the lead time beside it, and the lowest headroom."""
    plot.quad("left", "right", "top", 0, source=sources["lead"], color=palette.training, alpha=0.28, line_color=None)
    plot.segment("t", 0, "t", "top", source=sources["now"], line_color=palette.ink, line_alpha=0.55)
    plot.scatter("t", "y", source=sources["lowest"], size=7, color=palette.ink)


def _draw_words(plot: Any, sources: dict[str, ColumnDataSource], palette: Palette, *, narrow: bool) -> None:
    colours = factor_cmap("role", [palette.ink, palette.serving, palette.muted], list(ROLES))
    plain = {"text_font": value(FONT), "text_font_size": "11px"}
    strong = {**plain, "text_font_style": "bold", "text_color": palette.ink}
    plot.text("t", "y", "text", source=sources["notes"], text_align="align", text_color=colours, **plain)
    plot.text(
        "t", "above", "brief" if narrow else "text", source=sources["lowest"], text_align="align", y_offset=-4, **strong
    )
    side = {"text_align": "left", "x_offset": 4} if narrow else {"text_align": "align", "x_offset": "offset"}
    plot.text("t", "top", "text", source=sources["now"], text_baseline="top", **side, **strong)
    if not narrow:
        plot.text(
            "left", "top", "text", source=sources["lead"], x_offset=8, y_offset=4, text_color=palette.muted, **plain
        )
        plot.text(
            "t", "y", "text", source=sources["labels"], x_offset=6, text_baseline="middle", text_color=colours, **plain
        )


def _shares_plot(
    chart: Chart, sources: dict[str, ColumnDataSource], x: Range1d, palette: Palette, *, narrow: bool
) -> Any:
    plot = _plot(
        96 if narrow else 112, x, Range1d(0, chart.devices * SHARES_ROOM, name="y-shares"), palette, narrow=narrow
    )
    plot.yaxis.ticker = FixedTicker(ticks=[0, chart.devices])
    plot.grid.grid_line_color = None
    fills = {
        "serving": (palette.serving, 1.0),
        "held": (palette.serving, 0.4),
        "reserved": (palette.training, 0.4),
        "training": (palette.training, 1.0),
        "free": (palette.free, 1.0),
        "drained": (palette.out, 0.55),
    }
    for name in SHARES:
        colour, alpha = fills[name]
        plot.varea_step(
            "t", f"{name}_from", f"{name}_to", source=sources["shares"], step_mode="after", color=colour, alpha=alpha
        )
    plot.quad("left", "right", "top", 0, source=sources["after"], color=palette.card, alpha=0.38, line_color=None)
    plot.scatter("t", "y", source=sources["preemptions"], marker="inverted_triangle", size=8, color=palette.ink)
    words = {"text_font": value(FONT), "text_font_size": "11px", "text_baseline": "middle"}
    title = {"text_align": "align", "text_font_style": "style", "text_color": palette.ink}
    plot.text("t", "y", "text", source=sources["shares-title"], **title, **words)
    if not narrow:
        plot.text("t", "y", "text", source=sources["share-labels"], x_offset=6, text_color=palette.muted, **words)
    return plot
