"""Results of the preemption benchmark: every way of choosing on every case, beside the exact optimum."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import process_time
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.preemption.cases import Case
from benchmarks.preemption.optimum import cheapest
from benchmarks.preemption.peers import lyra, newest_first
from scheduler.model.errors import InvariantBroken
from scheduler.planning.preemption.victims import victims_for

Choice = Callable[[Case], tuple[int, ...]]
"""Whom to stop, as places in the case's candidates."""
OPTIMUM: Final = "optimum"
SAME: Final = 1e-9
"""Ratios above 1 by less are rounding."""


def ours(case: Case) -> tuple[int, ...]:
    """Choose as the planner does."""
    victims = victims_for(case.need, case.coming, case.candidates)
    if victims is None:
        raise InvariantBroken("a case was asked whose need cannot be met")
    return tuple(victim.index for victim in victims)


CHOICES: Final[Mapping[str, Choice]] = MappingProxyType(
    {OPTIMUM: cheapest, "headroom": ours, "lyra": lyra, "newest-first": newest_first}
)


@dataclass(frozen=True, eq=False)
class Result:
    """One way of choosing on n cases.

    Attributes:
        lost_gpu_s: float64 (n,), GPU-seconds of work that its victims lose.
        victims: int64 (n,), how many they are.
        seconds: float64 (n,), CPU time of choosing.
    """

    lost_gpu_s: NDArray[np.float64]
    victims: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def ratios(self, best: "Result") -> NDArray[np.float64]:
        """Return the lost work over that of the optimum, float64 (n,)."""
        return self.lost_gpu_s / best.lost_gpu_s


def measure(cases: Iterable[Case], told: Callable[[int], None]) -> dict[str, Result]:
    """Let every way choose on every case; `told` is called with the number of cases done."""
    rows: dict[str, list[tuple[float, int, float]]] = {name: [] for name in CHOICES}
    for done, case in enumerate(cases, start=1):
        for name, choice in CHOICES.items():
            rows[name].append(_timed(choice, case))
        told(done)
    return {name: _result(found) for name, found in rows.items()}


def document(results: Mapping[str, Result], seed: int) -> dict[str, object]:
    """Return what `--json` prints."""
    best = results[OPTIMUM]
    return {
        "cases": len(best.lost_gpu_s),
        "seed": seed,
        "policies": {name: summary(result, best) for name, result in results.items()},
    }


def summary(result: Result, best: Result) -> dict[str, float]:
    """Return the numbers of one way of choosing."""
    ratios = result.ratios(best)
    return {
        "mean_ratio": float(ratios.mean()),
        "p99_ratio": float(np.quantile(ratios, 0.99)),
        "worst_ratio": float(ratios.max()),
        "optimal_pct": float(100 * (ratios <= 1 + SAME).mean()),
        "lost_gpu_s": float(result.lost_gpu_s.mean()),
        "victims": float(result.victims.mean()),
        "cpu_ms": float(1000 * result.seconds.mean()),
    }


def _timed(choice: Choice, case: Case) -> tuple[float, int, float]:
    began_s = process_time()
    chosen = choice(case)
    took_s = process_time() - began_s
    return float(case.candidates.cost[list(chosen)].sum()), len(chosen), took_s


def _result(rows: list[tuple[float, int, float]]) -> Result:
    lost, victims, seconds = zip(*rows, strict=True)
    return Result(np.array(lost), np.array(victims), np.array(seconds))
