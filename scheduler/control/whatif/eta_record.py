"""How starts that were foretold came: what was said first of each job is kept, and corrects what is said next."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Final

from scheduler.control.whatif.answer import Spread
from scheduler.model.snapshot import Snapshot

if TYPE_CHECKING:
    from scheduler.control.whatif.etas import JobEta

KEPT: Final = 400
"""Starts that are remembered, the newest."""
ENOUGH: Final = 30
"""With fewer nothing is corrected."""
BOUNDS: Final = (0.5, 4.0)
"""A wait is stretched or shortened by no more than these factors."""
LEAST_WAIT_S: Final = 60.0
"""A shorter wait is no measure of another."""


@dataclass(slots=True)
class EtaRecord:
    """What was said, and what came.

    Attributes:
        errors_s: told each miss, seconds by which a start came later than p50.
    """

    errors_s: list[Callable[[float], None]] = field(default_factory=list)
    _said: dict[str, tuple[float, Spread]] = field(default_factory=dict)
    _ratios: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def said(self, etas: "Mapping[str, JobEta]", at_s: float) -> None:
        """Take note of what is said of jobs at a moment, before it is corrected; the first word on each counts."""
        for job_id, eta in etas.items():
            if eta.start is not None:
                self._said.setdefault(job_id, (at_s, eta.start))

    def see(self, snapshot: Snapshot) -> None:
        """Take note of who has started, and forget who is gone."""
        for job_id in self.open:
            job = snapshot.by_id.get(job_id)
            if job is None:
                del self._said[job_id]
            elif job.state.holds_room and job.started_at_s is not None:
                self.came(job_id, job.started_at_s)

    @property
    def open(self) -> dict[str, float]:
        """When each job was first told its start, of those that have not started."""
        return {job_id: at_s for job_id, (at_s, _) in self._said.items()}

    def came(self, job_id: str, started_s: float) -> None:
        """Take note of when a job started that was told."""
        self._came(*self._said.pop(job_id), started_s)

    def corrected(self, etas: "Mapping[str, JobEta]", at_s: float) -> "dict[str, JobEta]":
        """Return what is said of jobs with waits as many times as long as those foretold turned out."""
        factors = self.factors
        return {
            job_id: eta if eta.start is None else replace(eta, start=_stretched(eta.start, at_s, factors))
            for job_id, eta in etas.items()
        }

    @property
    def factors(self) -> tuple[float, float]:
        """By what the waits until p50 and p90 are multiplied so that they would have held in half and nine of ten."""
        if len(self._ratios) < ENOUGH:
            return 1.0, 1.0
        halves, tenths = (sorted(column) for column in zip(*self._ratios, strict=True))
        low, high = BOUNDS
        middle, late = halves[len(halves) // 2], tenths[min(len(tenths) - 1, int(0.9 * (len(tenths) + 1)))]
        return min(max(middle, low), high), min(max(late, low), high)

    def _came(self, at_s: float, said: Spread, started_s: float) -> None:
        if not isfinite(said.p90_s):
            return
        waited_s = max(0.0, started_s - at_s)
        pair = (waited_s / max(said.p50_s - at_s, LEAST_WAIT_S), waited_s / max(said.p90_s - at_s, LEAST_WAIT_S))
        self._ratios.append(pair)
        for told in self.errors_s:
            told(started_s - said.p50_s)


def _stretched(said: Spread, at_s: float, factors: tuple[float, float]) -> Spread:
    p50_s, p90_s = (
        at_s + max(0.0, moment_s - at_s) * factor
        for moment_s, factor in zip((said.p50_s, said.p90_s), factors, strict=True)
    )
    return Spread(p50_s, max(p50_s, p90_s))
