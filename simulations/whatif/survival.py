"""How long jobs alike take, by those that run still as well: who only looks at what has ended takes jobs for short.

The estimator of Kaplan and Meier (Journal of the American Statistical Association 53, 1958). What is left beyond the
longest that is known goes on as T / (T + t), T being that.
"""

from collections.abc import Hashable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.control.runtimes import KEPT, RunTimes, kinds_of
from scheduler.model.workloads import TrainingJob

Floats = NDArray[np.float64]

LEVELS: Final = 100
"""A distribution is given as so many equally likely times."""
LONGEST: Final = 20.0
"""Times the longest that is known; nobody is taken to run for longer."""


class Survival:
    """Run times of jobs that ended and of those that run; it knows as much as one moment."""

    def __init__(self, run_times: RunTimes, running: Iterable[TrainingJob], now_s: float) -> None:
        """Take what is known of ended jobs, and those that run."""
        self._run_times = run_times
        self._so_far = dict[Hashable, list[float]]()
        self._known = dict[Hashable, Floats]()
        for job in running:
            held_s = now_s - job.started_at_s if job.started_at_s is not None else 0.0
            for kind, _ in kinds_of(job):
                self._so_far.setdefault(kind, []).append(held_s + job.ran_before_s)

    def of_like(self, job: TrainingJob) -> Floats:
        """Return equally likely run times of jobs like it, ascending; none when too few have ended.

        Where as many have ended as are remembered, those that ran before the oldest of them are forgotten. Then who
        runs for longer than any of them stands for many that nobody remembers, and does not count.
        """
        found = self._run_times.sample_of(job)
        if found is None:
            return np.empty(0)
        kind, took_s = found
        if kind not in self._known:
            so_far = np.array(self._so_far.get(kind, ()))
            if len(took_s) >= KEPT:
                so_far = so_far[so_far <= max(took_s)]
            self._known[kind] = equally_likely(np.array(took_s), so_far)
        return self._known[kind]


def equally_likely(ended_s: Floats, so_far_s: Floats) -> Floats:
    """Return equally likely run times from some that ended, (N,), and some that had not by then, (M,); ascending."""
    if not len(so_far_s):
        return np.sort(ended_s)
    times_s = np.unique(ended_s)
    everybody = np.concatenate([ended_s, so_far_s])
    at_risk = np.array([(everybody >= at_s).sum() for at_s in times_s])
    over = np.array([(ended_s == at_s).sum() for at_s in times_s])
    cumulated = 1.0 - np.cumprod(1.0 - over / at_risk)
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    place = np.searchsorted(cumulated, levels, side="left")
    longest_s = float(everybody.max())
    left = np.clip((1.0 - levels) / max(1.0 - cumulated[-1], 1e-12), 1.0 / LONGEST, 1.0)
    return np.sort(np.where(place < len(times_s), times_s[np.minimum(place, len(times_s) - 1)], longest_s / left))
