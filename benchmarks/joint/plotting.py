"""Pictures of the joint benchmark; they need matplotlib (`headroom[plot]`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.joint.policies import ORDERED, PEERS
from benchmarks.joint.report import best_peer, numbers
from benchmarks.joint.running import FEASIBLE, Played
from benchmarks.joint.where import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#b8860b", "#8b3a62", "#5c636b")
_DPI: Final = 120
_LEAST_S: Final = 60.0
_LEAST_LATE: Final = 1e-6
"""Left end of the axes; what is less is drawn there."""
_TICKS: Final = {60.0: "1m", 600.0: "10m", 3600.0: "1h", 6 * 3600.0: "6h", 86_400.0: "1d"}


def plot_all(path: Path, found: Mapping[str, Played]) -> None:
    """Write a picture: how long jobs wait, and late requests against training that was of use."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(10.5, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    _waits(left, {name: found[name] for name in _drawn(found)})
    _price(right, found)
    figure.savefig(path, dpi=_DPI)


def plot_map(path: Path, cells: Sequence[Cell]) -> None:
    """Write a picture: by how much more headroom leaves to training than the best feasible peer, by warm-up."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    begins = list(dict.fromkeys((cell.setting.traffic, cell.setting.start) for cell in cells))
    for (traffic, start), colour in zip(begins, _COLOURS, strict=False):
        own = [cell for cell in cells if (cell.setting.traffic, cell.setting.start) == (traffic, start)]
        known = [(cell.setting.warm_up_s, 100 * cell.gain) for cell in own if cell.gain is not None]
        label = f"{traffic.name.partition('_')[0]} from {start[:10]}"
        axes.plot([at for at, _ in known], [gain for _, gain in known], "o-", color=colour, lw=1.3, ms=4, label=label)
    axes.axhline(0.0, color="#8a8a8a", lw=0.8)
    axes.legend(frameon=False, fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("warm-up, seconds")
    axes.set_ylabel("left to training, % over the best peer")
    figure.savefig(path, dpi=_DPI)


def _drawn(found: Mapping[str, Played]) -> Sequence[str]:
    """Return ours and the best peers, those that are there; all peers where none is feasible."""
    peers = [name for ordered in (False, True) if (name := best_peer(found, ordered=ordered))]
    return [name for name in ("headroom", "oracle", *(peers or PEERS)) if name in found]


def _waits(axes: "Axes", drawn: Mapping[str, Played]) -> None:
    for (name, played), colour in zip(drawn.items(), _COLOURS, strict=False):
        times_s = np.maximum(np.sort(np.concatenate([run.wait_s for run in played.runs])), _LEAST_S)
        share = 100 * np.arange(1, len(times_s) + 1) / len(times_s)
        axes.step(times_s, share, where="post", color=colour, lw=1.3, label=name)
    axes.legend(frameon=False, fontsize=7, loc="lower right")
    axes.set_xscale("log")
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.minorticks_off()
    axes.set_ylim(0, 101)
    axes.set_xlabel("from submission to the first start")
    axes.set_ylabel("jobs, %")


def _price(axes: "Axes", found: Mapping[str, Played]) -> None:
    """Draw every policy as a point: the share of late requests, and training that was of use."""
    for name, played in found.items():
        mean = numbers(played.runs)
        late, useful = max(mean["late_ratio"].mean, _LEAST_LATE), mean["gpu_hours_useful"].mean
        own = name.removesuffix(ORDERED) == name
        axes.plot(100 * late, useful, "o" if own else "s", ms=5, color=_COLOURS[0 if name == "headroom" else 5])
        axes.annotate(name, (100 * late, useful), xytext=(4, 3), textcoords="offset points", fontsize=6)
    axes.margins(x=0.25, y=0.1)
    axes.axvline(100 * FEASIBLE, color="#8a8a8a", lw=0.8)
    axes.set_xscale("log")
    axes.set_xlabel("late requests, % (line: feasible)")
    axes.set_ylabel("GPU-hours of training that were of use")
