"""A picture of the preemption benchmark; needs matplotlib (`headroom[plot]`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.preemption.report import OPTIMUM, Result

_COLOURS: Final = ("#1f5fbf", "#b8860b", "#8b3a62")
_DPI: Final = 120


def plot_ratios(path: Path, results: Mapping[str, Result]) -> None:
    """Write a picture of the share of cases up to each ratio of lost work to the least possible."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    axes = figure.subplots()
    best = results[OPTIMUM]
    peers = {name: result for name, result in results.items() if name != OPTIMUM}
    for (name, result), colour in zip(peers.items(), _COLOURS, strict=True):
        ratios = np.sort(result.ratios(best))
        share = 100 * np.arange(1, len(ratios) + 1) / len(ratios)
        axes.step(ratios, share, where="post", color=colour, lw=1.5, label=f"{name} (mean {ratios.mean():.3f})")
    axes.set_xscale("log")
    axes.set_xlabel("GPU-seconds lost, over the least possible")
    axes.set_ylabel("cases, %")
    axes.set_ylim(0, 101)
    axes.legend(loc="lower right", frameon=False)
    axes.set_title(f"Whom to stop: {len(best.lost_gpu_s)} cases", loc="left")
    figure.savefig(path, dpi=_DPI)
