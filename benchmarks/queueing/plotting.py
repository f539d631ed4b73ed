"""Pictures of the queueing benchmark; they need matplotlib (`headroom[plot]`)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.queueing.comparisons import COMPARISONS
from benchmarks.queueing.measured import Measured
from benchmarks.queueing.report import groups_of, runs_of, summary
from benchmarks.queueing.running import Task
from simulations.arrivals import DAY_S
from simulations.holding import BIN_S

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#b8860b", "#8b3a62", "#5c636b")
_DPI: Final = 120
_WIDTH, _HEIGHT = 4.2, 2.9
_LEAST_S: Final = 60.0
"""Left end of the axis; shorter times are drawn there."""
_TICKS: Final = {60.0: "1m", 600.0: "10m", 3600.0: "1h", 6 * 3600.0: "6h", 86_400.0: "1d", 3 * 86_400.0: "3d"}


def plot_all(path: Path, names: Sequence[str], found: Mapping[Task, Measured]) -> None:
    """Write a picture with a row for each comparison.

    It has a panel for each group of jobs, with the share of them that is over within a time; for queues with weights,
    one for each choice, with the devices that each queue held.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    rows = [_panels(name, found) for name in names]
    columns = max(map(len, rows))
    figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * len(names)), layout="constrained")
    for axes_row, panels in zip(figure.subplots(len(names), columns, squeeze=False), rows, strict=True):
        for axes, draw in zip_longest(axes_row, panels):
            if draw is None:
                axes.set_axis_off()
            else:
                draw(axes)
    figure.savefig(path, dpi=_DPI)


def _panels(name: str, found: Mapping[Task, Measured]) -> "list[Callable[[Axes], None]]":
    asked = COMPARISONS[name]
    if asked.weights:
        return [partial(_shares, name=name, choice=choice, found=found) for choice in asked.choices]
    groups = groups_of(name, runs_of(found, name, next(iter(asked.choices))))
    return [partial(_curves, name=name, group=group, found=found) for group in groups[: max(1, len(groups) - 1)]]


def _shares(axes: "Axes", name: str, choice: str, found: Mapping[Task, Measured]) -> None:
    """Draw the devices that each queue held, mean of the runs, and what its weight makes of all that was held."""
    runs, row = runs_of(found, name, choice), summary(name, found)[choice]
    for (queue, weight), colour in zip(COMPARISONS[name].weights.items(), _COLOURS, strict=False):
        held = np.mean([run.groups[queue].held_gpus for run in runs], axis=0)
        days = np.arange(1, len(held) + 1) * BIN_S / DAY_S
        by_weight = row.groups[queue].by_weight_gpus or 0.0
        axes.plot(days, held, color=colour, lw=1.3)
        axes.axhline(by_weight, color=colour, lw=1, ls="--")
        label, beside = f"{queue}\nweight {weight:g}", axes.get_yaxis_transform()
        axes.text(1.02, by_weight, label, color=colour, fontsize=8, va="center", transform=beside)
    axes.set_xlim(0, float(days[-1]))
    axes.set_ylim(0)
    axes.set_title(f"{name} · {choice}", loc="left", fontsize=10)
    axes.set_xlabel("days")
    axes.set_ylabel("GPUs held (dashed: by weight)")


def _curves(axes: "Axes", name: str, group: str, found: Mapping[Task, Measured]) -> None:
    for choice, colour in zip(COMPARISONS[name].choices, _COLOURS, strict=False):
        runs = [run.groups[group].completion_s for run in runs_of(found, name, choice) if group in run.groups]
        times_s = np.maximum(np.sort(np.concatenate(runs)), _LEAST_S)
        share = 100 * np.arange(1, len(times_s) + 1) / len(times_s)
        axes.step(times_s, share, where="post", color=colour, lw=1.3, label=choice)
    axes.legend(frameon=False, fontsize=7, loc="upper left")
    axes.set_xscale("log")
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.minorticks_off()
    axes.set_ylim(0, 101)
    axes.set_title(f"{name} · {group}", loc="left", fontsize=10)
    axes.set_xlabel("from submission to end")
    axes.set_ylabel("jobs, %")
