"""Which waiting job is tried first."""

from collections.abc import Collection

from policies.length import takes_s
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob


def by_priority(snapshot: Snapshot, _placed: Collection[str] = ()) -> tuple[TrainingJob, ...]:
    """Order by priority, higher first; equals by age, older first."""
    return tuple(sorted(fifo(snapshot), key=lambda job: -job.priority))


def fifo(snapshot: Snapshot, _placed: Collection[str] = ()) -> tuple[TrainingJob, ...]:
    """Order by submission, whatever the priority; snapshots list their jobs so."""
    return snapshot.waiting


def shortest_first(snapshot: Snapshot, _placed: Collection[str] = ()) -> tuple[TrainingJob, ...]:
    """Order by priority, then by when each would be over had it never waited: the short ones first, with ageing.

    A later job goes first only while it was submitted less than this one's run, past and expected, after it. So nobody
    waits for ever, and how long is in proportion to what is asked for.
    """
    return tuple(sorted(fifo(snapshot), key=lambda job: (-job.priority, _over_s(job))))


def _over_s(job: TrainingJob) -> float:
    return job.submitted_at_s + job.ran_before_s + takes_s(job)
