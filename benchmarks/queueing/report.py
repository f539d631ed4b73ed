"""Means over runs of what was measured, and how sure they are.

The document of `headroom bench queueing --json`:

    {"comparisons": {NAME: {"about": "…", "runs": 8, "choices": {CHOICE: {
        "in_use_pct": 61.2, "overhead_gpu_h": 3.1,
        "groups": {GROUP: {"jobs": 85.0, "wait_s": {"mean": …, "p90": …, "p99": …}, "completion_s": {…},
                           "completion_change": {"mean": -0.12, "half_width": 0.03}, "unfinished": …, "stops": …,
                           "stopped": …, "moves": …, "lost_gpu_h": …, "held_gpus": {"mean": …, "half_width": …},
                           "by_weight_gpus": …}}}}}}}

All are means over the runs. `completion_change` is the change of the mean completion against the first choice on the
same arrivals, as a share, with half the width of its 95 % interval over the runs; null for the first choice.
`by_weight_gpus` is what a queue's weight makes of all that was held; null where queues have no weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.queueing.comparisons import COMPARISONS
from benchmarks.queueing.measured import ALL, Measured
from benchmarks.queueing.running import Task
from simulations.outcome import Estimate, estimate

HOUR_S: Final = 3600.0
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean, 90th and 99th percentile, in seconds: of the jobs of a run, then the mean over runs."""

    mean: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group under one choice, means over the runs in which there were such jobs.

    Attributes:
        jobs, unfinished, stops, stopped, moves: how many, see `Group`.
        wait_s, completion_s: see `Group`.
        change: of the mean completion against the first choice on the same arrivals, as a share; None for the first.
        lost_gpu_h: see `Group`, GPU-hours.
        held_gpus: devices held on average.
        by_weight_gpus: what a queue's weight makes of all that was held; None where queues have no weights.
    """

    jobs: float
    wait_s: Spread
    completion_s: Spread
    change: Estimate | None
    unfinished: float
    stops: float
    stopped: float
    moves: float
    lost_gpu_h: float
    held_gpus: Estimate
    by_weight_gpus: float | None = None


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One choice: its groups in the order of the table, `ALL` last (alone where there is one other), and the rest."""

    groups: Mapping[str, GroupRow]
    in_use: float
    overhead_gpu_h: float


def summary(comparison: str, found: Mapping[Task, Measured]) -> dict[str, ChoiceRow]:
    """Return the rows of a comparison, by choice."""
    asked = COMPARISONS[comparison]
    runs = {choice: runs_of(found, comparison, choice) for choice in asked.choices}
    first = next(iter(runs.values()))
    names = groups_of(comparison, first)
    return {
        choice: ChoiceRow(
            _weighed({name: _row(name, first, measured) for name in names}, asked.weights),
            _mean(measured, lambda run: run.in_use),
            _mean(measured, lambda run: run.overhead_gpu_s / HOUR_S),
        )
        for choice, measured in runs.items()
    }


def groups_of(comparison: str, runs: Sequence[Measured]) -> tuple[str, ...]:
    """Return the groups that have jobs in some run, in order; `ALL` last, or alone where there is one other."""
    named = [name for name in COMPARISONS[comparison].order if any(name in run.groups for run in runs)]
    return (*named, ALL) if len(named) > 1 else (ALL,)


def runs_of(found: Mapping[Task, Measured], comparison: str, choice: str) -> tuple[Measured, ...]:
    """Return the runs of one choice, in the same order for each choice."""
    return tuple(run for task, run in found.items() if (task.comparison, task.choice) == (comparison, choice))


def document(comparisons: Sequence[str], found: Mapping[Task, Measured]) -> dict[str, object]:
    """Return what `--json` prints."""
    return {"comparisons": {name: _comparison(name, found) for name in comparisons}}


def _comparison(name: str, found: Mapping[Task, Measured]) -> dict[str, object]:
    rows = summary(name, found)
    return {
        "about": COMPARISONS[name].about,
        "runs": len(runs_of(found, name, next(iter(rows)))),
        "choices": {choice: _choice(row) for choice, row in rows.items()},
    }


def _choice(row: ChoiceRow) -> dict[str, object]:
    return {
        "in_use_pct": 100 * row.in_use,
        "overhead_gpu_h": row.overhead_gpu_h,
        "groups": {name: _group(group) for name, group in row.groups.items()},
    }


def _group(row: GroupRow) -> dict[str, object]:
    return {
        "jobs": row.jobs,
        "wait_s": _spread(row.wait_s),
        "completion_s": _spread(row.completion_s),
        "completion_change": None if row.change is None else _estimate(row.change),
        "unfinished": row.unfinished,
        "stops": row.stops,
        "stopped": row.stopped,
        "moves": row.moves,
        "lost_gpu_h": row.lost_gpu_h,
        "held_gpus": _estimate(row.held_gpus),
        "by_weight_gpus": row.by_weight_gpus,
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"mean": spread.mean, "p90": spread.p90, "p99": spread.p99}


def _estimate(value: Estimate) -> dict[str, float]:
    return {"mean": value.mean, "half_width": value.half_width}


def _row(name: str, first: Sequence[Measured], runs: Sequence[Measured]) -> GroupRow:
    groups = [run.groups[name] for run in runs if name in run.groups]
    return GroupRow(
        jobs=_mean(groups, lambda group: len(group.wait_s)),
        wait_s=_spread_of([group.wait_s for group in groups]),
        completion_s=_spread_of([group.completion_s for group in groups]),
        change=_change(name, first, runs),
        unfinished=_mean(groups, lambda group: group.unfinished),
        stops=_mean(groups, lambda group: group.stops),
        stopped=_mean(groups, lambda group: group.stopped),
        moves=_mean(groups, lambda group: group.moves),
        lost_gpu_h=_mean(groups, lambda group: group.lost_gpu_s / HOUR_S),
        held_gpus=estimate([group.mean_gpus for group in groups]),
    )


def _weighed(rows: Mapping[str, GroupRow], weights: Mapping[str, float]) -> dict[str, GroupRow]:
    """Return the rows with what the weights make of all that was held."""
    whole = rows[ALL].held_gpus.mean / sum(weights.values()) if weights else 0.0
    return {
        name: replace(row, by_weight_gpus=weights[name] * whole) if name in weights else row
        for name, row in rows.items()
    }


def _change(name: str, first: Sequence[Measured], other: Sequence[Measured]) -> Estimate | None:
    """Return the relative change of the mean completion between runs with the same arrivals."""
    if first is other:
        return None
    both = [(one.groups[name], two.groups[name]) for one, two in zip(first, other, strict=True) if name in one.groups]
    return estimate([float(two.completion_s.mean() / one.completion_s.mean()) - 1 for one, two in both])


def _spread_of(runs: Sequence[NDArray[np.float64]]) -> Spread:
    return Spread(
        *(float(np.mean([measure(run) for run in runs])) for measure in (np.mean, _quantile(0.9), _quantile(0.99)))
    )


def _quantile(share: float) -> Callable[[NDArray[np.float64]], np.float64]:
    return lambda values: np.quantile(values, share)


def _mean(items: Sequence[_Item], of: Callable[[_Item], float]) -> float:
    return float(np.mean([of(item) for item in items]))
