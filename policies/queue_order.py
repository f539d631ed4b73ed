"""Which waiting job is tried first."""

from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob


def by_priority(snapshot: Snapshot) -> tuple[TrainingJob, ...]:
    """Order by priority, higher first; equals by age, older first."""
    return tuple(sorted(fifo(snapshot), key=lambda job: -job.priority))


def fifo(snapshot: Snapshot) -> tuple[TrainingJob, ...]:
    """Order by submission, whatever the priority; snapshots list their jobs so."""
    return snapshot.waiting
