"""Scores over several series: means of what was measured on each, and shares of all windows."""

from collections.abc import Mapping, Sequence
from typing import Any

_SHARES = "peak_coverage"
"""The score that is a share of windows: it counts each window alike, the others count each series alike."""


def pooled(reports: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one report for all series, and theirs under "series".

    Args:
        reports: what `scores.report` said of each series, by the series' name; all of the same models.
    """
    counts = [report["origins"] for report in reports.values()]
    models = {
        name: _pooled([report["models"][name] for report in reports.values()], counts)
        for name in next(iter(reports.values()))["models"]
    }
    return {"origins": sum(counts), "models": models, "series": dict(reports)}


def ratios(report: dict[str, Any], own: str) -> dict[str, dict[str, float]]:
    """Return for every other model what `own` scores over what it scores: below 1 is better."""
    mine = _flat(report["models"][own])
    others = {name: _flat(said) for name, said in report["models"].items() if name != own}
    return {name: {key: _over(mine[key], said[key]) for key in mine} for name, said in others.items()}


def _pooled(scores: Sequence[dict[str, Any]], counts: Sequence[int]) -> dict[str, Any]:
    alike = [1.0] * len(counts)
    return {key: _mean([score[key] for score in scores], counts if key == _SHARES else alike) for key in scores[0]}


def _mean(values: Sequence[Any], weights: Sequence[float]) -> Any:
    """Return the weighted mean of numbers, or of each number inside dictionaries of the same keys."""
    if isinstance(values[0], dict):
        return {key: _mean([value[key] for value in values], weights) for key in values[0]}
    return sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)


def _flat(scores: dict[str, Any]) -> dict[str, float]:
    """Return the scores that are the better the smaller, as "peak_wql 24h"."""
    found = {"mase_24h": scores["mase_24h"], "cpu": scores["cpu_s_per_origin"]}
    for key in ("wql", "peak_wql", "op5"):
        found |= {f"{key} {window}": value for window, value in scores[key].items()}
    return found


def _over(one: float, other: float) -> float:
    return one / other if other else float("nan")
