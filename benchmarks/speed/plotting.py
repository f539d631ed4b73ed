"""A picture of what a cycle costs as the site grows; needs matplotlib (`headroom[plot]`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.speed.curve import AXES, Point

_LINES: Final = (("p50_cpu_ms", "p50", "-"), ("p99_cpu_ms", "p99", "--"))
_COLOUR: Final = "#1f5fbf"
_GOAL_MS: Final = 100
_DPI: Final = 120


def plot_curve(path: Path, points: Sequence[Point]) -> None:
    """Write a picture of the processor time of a cycle, one panel an axis with points, both scales logarithmic."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    drawn = [axis for axis in AXES if any(point.axis == axis for point in points)]
    figure = Figure(figsize=(9.0, 3.2), layout="constrained")
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for axes, axis in zip(panels, drawn, strict=True):
        rows = [(point.value, point.row) for point in points if point.axis == axis]
        values = [value for value, _ in rows]
        for key, name, style in _LINES:
            axes.plot(values, [row[key] for _, row in rows], style, color=_COLOUR, marker="o", ms=3, label=name)
        axes.axhline(_GOAL_MS, color="#8a8a8a", lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel=axis)
    panels[0].set_ylabel("snapshot and plan, CPU ms")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=_DPI)
