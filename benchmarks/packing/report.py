"""Results of the packing benchmark: means over seeds, as a document for programs and as cells for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.packing.contenders import CONTENDERS
from benchmarks.packing.protocol import MARKS, Outcome, churn, fill
from benchmarks.packing.workload import Fleet, Pods


@dataclass(frozen=True, slots=True)
class Result:
    """One contender.

    Attributes:
        filled: a run without departures per seed.
        churned: a run with departures per seed; empty when none was asked for.
    """

    filled: tuple[Outcome, ...]
    churned: tuple[Outcome, ...] = ()

    @property
    def allocated_pct(self) -> tuple[float, ...]:
        """Mean allocated share at each mark."""
        return tuple(_mean(shares) for shares in zip(*(run.allocated_pct for run in self.filled), strict=True))

    @property
    def failed_pods(self) -> float:
        """Mean number of pods without a seat, without departures."""
        return _mean([run.failed_pods for run in self.filled])

    @property
    def lost_demand_pct(self) -> float | None:
        """Mean share of the demand lost with departures."""
        lost = [run.lost_demand_pct for run in self.churned if run.lost_demand_pct is not None]
        return _mean(lost) if lost else None

    @property
    def placements_per_s(self) -> float:
        """Pods seated per second on a processor, learning included; refused ones cost time and count for nothing."""
        runs = (*self.filled, *self.churned)
        return sum(run.placed for run in runs) / max(sum(run.seconds for run in runs), 1e-9)


def measure(name: str, fleet: Fleet, pods: Pods, seeds: Sequence[int], load: float | None) -> Result:
    """Run one contender on every seed; with departures too when a load is given."""
    packer_of = CONTENDERS[name](fleet, pods)
    filled = tuple(fill(fleet, pods, packer_of, seed) for seed in seeds)
    churned = tuple(churn(fleet, pods, packer_of, load, seed) for seed in seeds) if load is not None else ()
    return Result(filled, churned)


def document(results: dict[str, Result]) -> dict[str, object]:
    """Return what `--json` prints."""
    return {"policies": {name: _entry(result) for name, result in results.items()}}


def _entry(result: Result) -> dict[str, object]:
    shares = zip(MARKS, result.allocated_pct, strict=True)
    entry: dict[str, object] = {
        "allocated_pct": {str(mark): round(share, 3) for mark, share in shares},
        "failed_pods": round(result.failed_pods, 1),
        "placements_per_s": round(result.placements_per_s, 1),
    }
    if result.lost_demand_pct is not None:
        entry["lost_demand_pct"] = round(result.lost_demand_pct, 3)
    return entry


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
