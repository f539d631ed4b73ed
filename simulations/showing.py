"""What attempts show of themselves, made anew only when that changes: most of them look as they did a turn ago."""

from typing import Final

from scheduler.model.observation import Run
from scheduler.model.workloads import JobId
from simulations.work import Attempt

_MARGIN_S: Final = 1e-3
"""So long before a change it is looked at closely: sums of times are not exact."""


class Showing:
    """The runs that attempts appear as."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[tuple[JobId, int], tuple[Attempt, Run, float]] = {}

    def of(self, attempt: Attempt, now_s: float) -> Run:
        """Return an attempt as the cluster shows it: the same object as long as it is the same."""
        known = self._known.get(attempt.key)
        if known is not None and known[0] is attempt and now_s < known[2]:
            return known[1]
        run = attempt.seen_at(now_s)
        self._known[attempt.key] = attempt, run, attempt.seen_until_s(now_s) - _MARGIN_S
        return run

    def forget(self, key: tuple[JobId, int]) -> None:
        """Drop an attempt."""
        self._known.pop(key, None)
