"""When a waiting job may be expected to start: not one time but a distribution, as run times are learned as one.

Many times over the ends of what runs are drawn from how long jobs like it took, given how long it has run already, and
the bookings are made that a plan would make then. Where serving will need more or less, that is played through: a rise
takes room from training, which then waits, too. It is the queue as it is now: nobody knows who comes meanwhile.
"""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from scheduler.control.records import CycleRecord
from scheduler.control.runtimes import LEAST_LEFT_S, RunTimes
from scheduler.model.plan import StartJob
from scheduler.model.policy import Policy
from scheduler.model.workloads import TrainingJob
from scheduler.planning.planner import decide
from scheduler.planning.start_estimates.estimate import StartEstimate

DRAWS: Final = (21, 101)
"""Draws on the largest sites and on small ones."""
PLAYED: Final = (4, 21)
"""Likewise where serving's room will change meanwhile: to play that through takes longer."""
PLAYED_JOBS: Final = 4000
HIGH_EVERY: Final = 4
"""Of so many draws, serving needs the high quantile of its forecast in one, and the middle in the others."""
DRAWN_JOBS: Final = 20_000
"""Ends of running jobs drawn in all, as far as `DRAWS` allows."""


class Alike(Protocol):
    """Knows how long jobs took."""

    def of_like(self, job: TrainingJob) -> NDArray[np.float64]:
        """Return how long jobs like it took, float64 (N,), seconds, ascending; none when too few are known."""


@dataclass(frozen=True, slots=True)
class ExpectedStart:
    """Quantiles of when a job starts, epoch seconds; infinity where training that ends does not leave enough room."""

    p50_s: float
    p90_s: float


def expected_start(cycle: CycleRecord, policy: Policy, run_times: RunTimes, job_id: str) -> ExpectedStart | None:
    """Return when a job may be expected to start; None for who does not wait, starts now, or when nothing can be said.

    Args:
        cycle: the last turn.
        policy: by which it planned.
        run_times: how long jobs took.
        job_id: of any job.
    """
    job = cycle.snapshot.by_id.get(job_id)
    if job is None or not job.state.is_waiting or _starts(cycle, job_id):
        return None
    if any(one.holder == job_id for one in cycle.plan.reservations):
        why = cycle.plan.reason_for(job_id)
        return ExpectedStart(why.until_s, why.until_s) if why and why.until_s else None
    prospect = StartEstimate.of(decide(cycle.snapshot, cycle.demand, policy), job)
    return _drawn(prospect, cycle, run_times) if prospect else None


def _starts(cycle: CycleRecord, job_id: str) -> bool:
    return any(isinstance(action, StartJob) and action.job_id == job_id for action in cycle.plan.actions)


def _drawn(prospect: StartEstimate, cycle: CycleRecord, run_times: RunTimes) -> ExpectedStart | None:
    running, now_s = cycle.snapshot.running.jobs, cycle.at_s
    (least, most), drawn = (PLAYED, PLAYED_JOBS) if prospect.tides else (DRAWS, DRAWN_JOBS)
    count = min(max(least, drawn // max(1, len(running))), most)
    chance = np.random.default_rng(cycle.number)
    ends_s = np.empty((count, len(running)))
    for number, job in enumerate(running):
        ends_s[:, number] = now_s + left_s(job, now_s, run_times, chance.random(count))
    waiting = (*prospect.ahead, *(job for job, _ in prospect.placed))
    lengths_s = {job.job_id: left_s(job, now_s, run_times, chance.random(count)) for job in waiting}
    starts_s, known = np.empty(count), dict[bytes, float]()
    for draw in range(count):
        lengths, high = {str(name): float(each[draw]) for name, each in lengths_s.items()}, draw % HIGH_EVERY == 0
        key = np.append(ends_s[draw], (*lengths.values(), high)).tobytes()
        if key not in known:
            known[key] = prospect.start_s(ends_s[draw], lengths, high=high)
        starts_s[draw] = known[key]
    p50_s, p90_s = np.quantile(starts_s, (0.5, 0.9), method="higher")
    return ExpectedStart(float(p50_s), float(p90_s)) if isfinite(p50_s) else None


def left_s(job: TrainingJob, now_s: float, run_times: Alike, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles of how long a job still holds its room, or will once it starts, float64 (K,), in seconds.

    Of jobs like it those count that took longer than it has; between them the quantiles are interpolated, beyond the
    longest they go on exponentially with the mean of what those had left. Where none took longer, or none is known, it
    runs with even chance for as long again as it has run beyond what was known of it: P(more than t) = T / (T + t).
    Nobody is expected to run for longer than it says; who saves what it does goes on from there after a stop.

    Args:
        job: runs or waits.
        now_s: epoch seconds.
        run_times: how long jobs took.
        levels: float64 (K,), of the quantiles, 0 to 1 (not 1 itself).
    """
    held_s = now_s - job.started_at_s if job.state.holds_room and job.started_at_s is not None else 0.0
    took_s = run_times.of_like(job)
    ran_s = held_s + job.ran_before_s
    most_s = _said_left_s(job, held_s)
    longer_s = took_s[took_s > ran_s] - ran_s
    if len(longer_s):
        clipped: NDArray[np.float64] = np.clip(
            _interpolated(longer_s, levels), LEAST_LEFT_S, most_s if most_s > 0 else inf
        )
        return clipped
    if 0 < most_s < inf:
        return np.full(len(levels), most_s)
    if not job.state.holds_room:
        return np.full(len(levels), inf if not len(took_s) else LEAST_LEFT_S)
    beyond_s = max(-most_s if isfinite(most_s) else ran_s - took_s.max(initial=0.0), LEAST_LEFT_S)
    left: NDArray[np.float64] = beyond_s * levels / (1.0 - levels) + 1.0
    return left


def _said_left_s(job: TrainingJob, held_s: float) -> float:
    """Return how long a job still runs at most by its own word; infinity when it does not say.

    That is its word on one attempt, less what it did in earlier ones if it saves: unless those took all of it.
    """
    if job.max_runtime_s is None:
        return inf
    left_s, done_s = job.max_runtime_s - held_s, job.ran_before_s if job.checkpoint_interval_s else 0.0
    return left_s - done_s if left_s > done_s else left_s


def _interpolated(values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles of M ascending values, the i-th standing at i / (M + 1), with an exponential tail."""
    size = len(values) + 1
    inside = np.interp(levels * size, np.arange(size), np.concatenate([[0.0], values]))
    beyond = np.maximum(-np.log((1.0 - levels) * size), 0.0) * values.mean()
    quantiles: NDArray[np.float64] = inside + beyond
    return quantiles
