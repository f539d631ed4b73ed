"""The choices of a site, as functions and numbers in one frozen value."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduler.model.ledger import Ledger
from scheduler.model.plan import Consolidation
from scheduler.model.resources import Shape
from scheduler.model.running import Running
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import WorkSeen
from scheduler.model.workloads import TrainingJob

HOUR_S: Final = 3600.0

QueueOrder: TypeAlias = Callable[[Snapshot, Collection[str]], Iterable[TrainingJob]]
"""All jobs with `state.is_waiting`, each once, in the order in which they are tried.

The next job is asked for only when the one before has been decided on: by then the ids of those that start, or have
room reserved, are in the second argument, which the order may look at but not change.
"""
Scorer: TypeAlias = Callable[[Ledger, NDArray[np.int64], Shape], NDArray[np.float64]]
"""Scores, float64 (N,), of putting one unit of a shape on each of N host rows (it fits on all of them); the lowest
wins, ties go to the first row.

A row's score depends on that row's host, on what is free there and on the shape only, so that it may be remembered
until the row changes.
"""
PlacementScore: TypeAlias = Callable[[Ledger, WorkSeen], Scorer]
"""Called once a plan, with the ledger that the plan starts from and the work that the site was seen to run: what
depends on the whole site, such as what is scarce, is worked out here. Ledgers of the scores asked for have the same
hosts."""
VictimCost: TypeAlias = Callable[[Running, float], NDArray[np.float64]]
"""What stopping each of J running jobs at the given epoch second costs, in GPU-seconds, float64 (J,), none below 0."""
MayPreempt: TypeAlias = Callable[[TrainingJob, TrainingJob], bool]
"""Whether the first job may have the second one stopped for it.

It may look at priority and queue only: it is asked once for all jobs that agree in these. Whether the second
job is preemptible at all, and old enough, has been seen to before.
"""
MayDisplace: TypeAlias = Callable[[TrainingJob, Running, float], NDArray[np.bool_]]
"""Which of J running jobs a waiting job of the same priority and queue may have stopped for its size, at the given
epoch second, bool (J,): the gain must exceed the cost. That they are equals, preemptible and long enough undisturbed
has been seen to before."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a site decides; built from names by `policies.registry`.

    Attributes:
        queue_order: which waiting job is tried first.
        placement_score: which host is best.
        victim_cost: which running job is cheapest to stop.
        may_preempt: who may have whom stopped.
        may_displace: who may have an equal stopped for its size; None for nobody.
        min_runtime_s: an attempt younger than this is not preempted for another job (for serving it is).
        reservation_s: how long freed room is kept for its holder, from when all of it is free.
        max_backfill: how many blocked jobs may be passed over in one plan.
        bookings: for how many of the first blocked jobs room is booked ahead, which nobody behind them may delay; 0 for
            none: then whatever fits goes first.
        ageing_per_hour: points by which each hour of waiting raises a job's priority while it runs, so that those whom
            it overtook in the queue do not preempt it; the order of the queue has its own.
        ageing_most: points that a job gains so at most.
        consolidation: see `Consolidation`.
        moves_per_hour: most jobs moved by it in any hour.
        move_again_after_s: a job that was moved stays for so long.
        grow_after_s: a job is given more workers only when its attempt is as old as this, and only if that pays for
            itself in as long again.
    """

    queue_order: QueueOrder
    placement_score: PlacementScore
    victim_cost: VictimCost
    may_preempt: MayPreempt
    may_displace: MayDisplace | None
    min_runtime_s: float
    reservation_s: float
    bookings: int
    ageing_per_hour: float
    ageing_most: float
    consolidation: Consolidation
    moves_per_hour: int
    move_again_after_s: float
    grow_after_s: float
    max_backfill: int = 10_000

    @property
    def moves_remembered_s(self) -> float:
        """How far back moves matter."""
        return max(HOUR_S, self.move_again_after_s)
