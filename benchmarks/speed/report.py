"""Results of the planner's benchmark: percentiles, as a document for programs and as rows for people."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.speed.measure import CycleTimes, Measured, Taken

Part = Callable[[CycleTimes], Taken]
PARTS: dict[str, Part] = {
    "snapshot": lambda cycle: cycle.snapshot,
    "plan": lambda cycle: cycle.plan,
    "together": lambda cycle: cycle.snapshot + cycle.plan,
    "reconcile": lambda cycle: cycle.reconcile,
    "journal": lambda cycle: cycle.journal,
}


def document(found: Measured) -> dict[str, object]:
    """Return what `--json` prints: milliseconds a cycle, seconds for cold plans; by the wall and in processor time."""
    empty, cold = found.empty[0] + found.empty[1], found.cold[0] + found.cold[1]
    return {
        "hosts": found.size.hosts,
        "gpus": found.size.gpus,
        "models": found.size.models,
        "running": found.running,
        "pending": found.pending,
        "cycles": len(found.cycles),
        "steady": {name: _percentiles(found.cycles, part) for name, part in PARTS.items()},
        "kinds": {kind: _percentiles(of_kind(found, kind), PARTS["together"]) for kind in kinds(found)},
        "cold": {
            "at_work": {"snapshot": _seconds(found.cold[0]), "plan": _seconds(found.cold[1]), **_seconds(cold)},
            "empty": {
                "jobs": found.size.running + found.size.pending,
                "started": found.started,
                "snapshot": _seconds(found.empty[0]),
                "plan": _seconds(found.empty[1]),
                **_seconds(empty),
                "placements_per_s": round(found.placed / max(found.empty[1].cpu_s, 1e-9), 1),
            },
        },
    }


def kinds(found: Measured) -> tuple[str, ...]:
    """Return the kinds of cycles measured, in the order of their first."""
    return tuple(dict.fromkeys(cycle.kind for cycle in found.cycles))


def of_kind(found: Measured, kind: str) -> list[CycleTimes]:
    """Return the cycles of one kind."""
    return [cycle for cycle in found.cycles if cycle.kind == kind]


def percentiles_ms(taken: Iterable[float]) -> tuple[float, float, float]:
    """Return p50, p99 and the worst of durations given in seconds, in milliseconds; zeros of none."""
    values = np.fromiter(taken, dtype=np.float64) * 1000.0
    if not len(values):
        return (0.0, 0.0, 0.0)
    p50, p99, worst = np.percentile(values, [50, 99, 100]).tolist()
    return (p50, p99, worst)


def _percentiles(cycles: Sequence[CycleTimes], part: Part) -> dict[str, object]:
    return {
        clock: dict(zip(("p50_ms", "p99_ms", "worst_ms"), _rounded(percentiles_ms(values)), strict=True))
        for clock, values in (
            ("wall", [part(cycle).wall_s for cycle in cycles]),
            ("cpu", [part(cycle).cpu_s for cycle in cycles]),
        )
    }


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _seconds(taken: Taken) -> dict[str, float]:
    return {"wall_s": round(taken.wall_s, 4), "cpu_s": round(taken.cpu_s, 4)}
