"""What is expected of every job: the coming days played as they are until the queue of now is done, again and again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

import numpy as np

from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.etas import RISK_WITHIN_S, Etas, JobEta
from scheduler.control.whatif.question import Question
from scheduler.model.workloads import JobId, TrainingJob
from simulations.whatif.coming import Coming, Paths
from simulations.whatif.counting import JobRun, Run, counted
from simulations.whatif.moment import Moment
from simulations.whatif.playing import play

HORIZON_S: Final = 7 * 86_400.0
RUNS: Final = 20


@dataclass(slots=True)
class Estimated:
    """One estimate, and how far it is.

    Attributes:
        moment: of which it is.
        question: nothing otherwise, for as long as is looked ahead.
        coming: what serving needs.
        runs: that came out.
    """

    moment: Moment
    question: Question
    coming: Coming
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def of(cls, moment: Moment, horizon_s: float = HORIZON_S, runs: int = RUNS) -> "Estimated":
        """Draw all paths of traffic; chance is another one every turn."""
        question = Question(horizon_s, runs, seed=moment.number)
        return cls(moment, question, Coming(moment, question, Paths.drawn(moment, question, runs)))

    def play(self) -> None:
        """Play one more run, until the jobs there are are over."""
        path, jobs = len(self.runs), frozenset(JobId(job.job_id) for job in self.moment.snapshot.jobs)
        played = play(self.moment, self.question, self.coming, path, until_over=jobs)
        self.runs.append(counted(played, self.coming, path, self.moment.now_s))

    def etas(self) -> Etas:
        """Return what is expected by the runs that were played."""
        jobs = [job for job in self.moment.snapshot.jobs if "." not in job.job_id]
        found = {str(job.job_id): self._eta(job) for job in jobs if job.state.is_waiting or job.state.holds_room}
        return Etas(self.moment.now_s, found, len(self.runs))

    def _eta(self, job: TrainingJob) -> JobEta:
        runs, until_s = [run.jobs[job.job_id] for run in self.runs], self.moment.now_s + RISK_WITHIN_S
        stopped = [run for run in runs if run.stop_s <= until_s]
        return JobEta(
            _spread([run.start_s for run in runs]) if job.state.is_waiting else None,
            _spread([run.end_s for run in runs]),
            len(stopped) / len(runs) if job.state.holds_room else 0.0,
            _mean_lost(stopped),
        )


def _mean_lost(runs: Sequence[JobRun]) -> float:
    return sum(run.lost_gpu_s for run in runs) / len(runs) if runs else 0.0


def _spread(values: Sequence[float]) -> Spread:
    """Return quantiles that the next one keeps to as often as they say: of n values the k-th holds k / (n + 1)."""
    ordered, size = sorted(values), len(values)
    p50_s, p90_s = (ordered[min(size - 1, max(0, int(np.ceil(q * (size + 1))) - 1))] for q in (0.5, 0.9))
    return Spread(p50_s, p90_s if isfinite(p50_s) else p50_s)
