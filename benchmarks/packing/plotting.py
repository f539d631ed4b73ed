"""A picture of the packing benchmark: the share of the GPUs in use against the demand that has arrived."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.packing.protocol import MARKS
from benchmarks.packing.report import Result

_OURS: Final = "headroom"
_DPI: Final = 120


def plot_shares(path: Path, results: Mapping[str, Result]) -> None:
    """Write a line a policy, the best on top in the legend; needs matplotlib (`headroom[plot]`)."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for name in sorted(results, key=lambda name: results[name].allocated_pct[-1], reverse=True):
        shares = results[name].allocated_pct
        axes.plot(MARKS, shares, marker="o", ms=3, lw=2.4 if name == _OURS else 1.2, label=f"{name} {shares[-1]:.1f}")
    axes.set_xlabel("demand that has arrived, % of the GPUs")
    axes.set_ylabel("GPUs in use, %")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    axes.set_title(f"How full a site gets: mean of {len(next(iter(results.values())).filled)} runs", loc="left")
    figure.savefig(path, dpi=_DPI)
