"""A picture of a simulation: who held the GPUs over time; it needs matplotlib (`headroom[plot]`)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.control.records import JobRecord
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from simulations.arrivals import DAY_S
from simulations.holding import BIN_S, edges_s, held_gpus
from simulations.run import Simulation

_SERVING: Final = "#0072b2"
_QUEUES: Final = ("#e69f00", "#a6611a", "#f3d28a", "#8c6d1f", "#c77b30", "#5e4a12")
_DPI: Final = 120
_BINS: Final = 200
"""About as many as a picture has room for."""
_SHORTEST_S: Final = 600.0


def plot_holders(path: Path, simulation: Simulation, title: str) -> None:
    """Write a picture of the GPUs held by serving and by each queue's jobs; dashed: by the queues' weights."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    setup = simulation.setup
    bin_s = min(BIN_S, max(_SHORTEST_S, (setup.end_s - setup.start_s) / _BINS))
    edges = edges_s(setup.start_s, setup.end_s, bin_s)
    serving, queues = _serving(simulation, edges), _by_queue(simulation, bin_s)
    days = (edges[:-1] - setup.start_s) / DAY_S
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    axes = figure.subplots()
    areas = {**({"serving": serving} if setup.served else {}), **queues}
    colours = [*([_SERVING] if setup.served else []), *islice(cycle(_QUEUES), len(queues))]
    axes.stackplot(days, list(areas.values()), labels=list(areas), colors=colours, lw=0)
    for line in _by_weight(simulation, serving, queues):
        axes.plot(days, line, color="black", lw=0.8, ls="--")
    axes.set_ylim(0, sum(len(host.devices) for host in setup.hosts))
    axes.set_xlim(0, float(days[-1]))
    axes.set_xlabel("days")
    axes.set_ylabel("GPUs held")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, reverse=True)
    axes.set_title(title, loc="left")
    figure.savefig(path, dpi=_DPI)


def plot_sizes(
    path: Path,
    costs: Sequence[float],
    values: Mapping[str, Sequence[Sequence[float]]],
    limits: Sequence[float],
    chosen: float | None,
) -> None:
    """Write a picture of what sets of hosts cost and do: a panel for each objective, a dot a seed, a line the limit.

    Args:
        path: of the picture.
        costs: of each set.
        values: by objective, of each set those of its seeds.
        limits: of each objective.
        chosen: the cost of the smallest that keeps all; None where none does.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # optional, and slow to load

    figure = Figure(figsize=(7.0, 2.6 * len(values)), layout="constrained")
    panels = figure.subplots(len(values), 1, squeeze=False, sharex=True)[:, 0]
    for axes, (name, seen), limit in zip(panels, values.items(), limits, strict=True):
        for cost, each in zip(costs, seen, strict=True):
            axes.plot([cost] * len(each), each, "o", ms=3.5, color=_SERVING, alpha=0.6)
        axes.axhline(limit, color="black", lw=0.8, ls="--")
        if chosen is not None:
            axes.axvline(chosen, color=_QUEUES[0], lw=1.2)
        axes.set_title(name, loc="left")
    panels[-1].set_xlabel("cost; yellow: the smallest set that keeps all")
    figure.savefig(path, dpi=_DPI)


def _serving(simulation: Simulation, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the devices of ready replicas at the beginning of each bin, float64 (bins,)."""
    total = np.zeros(len(edges) - 1)
    for served in simulation.setup.served:
        ready = simulation.world.cluster.replicas.ready[served.model.name]
        at = np.searchsorted(ready.at_s, edges[:-1], side="right")
        total += np.array([0, *ready.values])[at] * served.model.shape.total_gpu_milli / WHOLE_DEVICE_MILLI
    return total


def _by_queue(simulation: Simulation, bin_s: float) -> dict[str, NDArray[np.float64]]:
    """Return what the jobs of each queue that had any held, in the order of declaration."""
    jobs: dict[str, list[JobRecord]] = defaultdict(list)
    for job in simulation.world.store.jobs(open_only=False):
        jobs[job.spec.queue].append(job)
    setup = simulation.setup
    names = [queue.name for queue in setup.settings.queues if queue.name in jobs]
    return {name: held_gpus(jobs[name], setup.start_s, setup.end_s, bin_s) for name in names}


def _by_weight(
    simulation: Simulation, serving: NDArray[np.float64], queues: Mapping[str, NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Return where the areas of the queues would end if what they held were shared by their weights."""
    declared = {queue.name: queue for queue in simulation.setup.settings.queues}
    if all(declared[name].is_plain for name in queues):
        return []
    weights = np.array([declared[name].weight for name in queues])
    return [serving + sum(queues.values()) * share for share in np.cumsum(weights)[:-1] / weights.sum()]
