"""How long a cluster is given, and how often a start is tried; loads nothing, for configurations state it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the cluster is given, and how often a start is tried.

    Attributes:
        start_s: an attempt that the cluster has not shown this long after it was decided never started.
        backoff_s: pause after the first failed start; doubles with each further one.
        backoff_most_s: longest pause.
        starts: failed starts in a row after which the job is Failed.
        lost_s: an attempt with a host that has been silent for so long is given up, and started elsewhere.
    """

    start_s: float = 60.0
    backoff_s: float = 30.0
    backoff_most_s: float = 600.0
    starts: int = 8
    lost_s: float = 300.0

    def pause_s(self, failures: int) -> float:
        """Return the pause after `failures` failed starts in a row; 0 after none."""
        return min(self.backoff_s * 2.0 ** (failures - 1), self.backoff_most_s) if failures else 0.0
