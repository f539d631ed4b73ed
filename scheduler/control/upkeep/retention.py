"""For how long what is over is kept, and the seams through which pruning reads and drops it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from scheduler.model.workloads import JobId


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds of the world's clock for which what is over is kept; 0 for ever. What is open is always kept.

    Attributes:
        jobs_s: jobs that ended, with their attempts.
        events_s: events; those of open jobs stay.
        logs_s: what the attempts of jobs that ended have printed.
        checkpoints_s: checkpoints of jobs that ended.
        packages_s: packages, and the folders they are unpacked in, since they came and the last job that names one
            ended.
        artifacts_s: what jobs published and no revision needs, since it came or was last deployed.
    """

    jobs_s: float
    events_s: float
    logs_s: float
    checkpoints_s: float
    packages_s: float
    artifacts_s: float

    @property
    def first_of_job_s(self) -> float:
        """After how long the first thing of a job that ended goes; 0 for never."""
        return min((age_s for age_s in (self.jobs_s, self.logs_s, self.checkpoints_s) if age_s), default=0.0)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over.

    Attributes:
        job_id: which.
        ended_at_s: epoch seconds.
        attempts: their numbers.
    """

    job_id: JobId
    ended_at_s: float
    attempts: tuple[int, ...]


class Archive(Protocol):
    """What a store holds of what is over. Every call is one short transaction.

    Every call may raise `Unreachable`; every one that drops something, `Superseded`: nothing is dropped then.
    """

    def ended(self, before_s: float, after: int, limit: int) -> tuple[Ended, ...]:
        """Return at most `limit` jobs that ended before an epoch second, with numbers above `after`, by number."""

    def drop_jobs(self, job_ids: Sequence[JobId], before_s: float, now_s: float) -> int:
        """Drop those of these jobs that ended before an epoch second, with their attempts; return how many.

        The job with the highest number stays, and so does one whose submission may still be sent again (at `now_s`).
        """

    def drop_events(self, before_s: float, after: int, limit: int) -> tuple[int, int]:
        """Look at most at `limit` events with ids above `after`; drop those from before an epoch second.

        Returns:
            How many were dropped, and the id to go on after; 0 when nothing older is left.
        """

    def is_named(self, text: str, since_s: float | None = None) -> bool:
        """Whether a job that is open (or ended at an epoch second or later) has a text anywhere in what it asks for."""


class Remains(Protocol):
    """What runs have left in files."""

    def drop_logs(self, ended: Ended) -> int:
        """Drop what the attempts of a job have printed; return how many files.

        Raises:
            OSError: one of them cannot be dropped.
        """

    def has_checkpoints(self, job_id: JobId) -> bool:
        """Whether there is a folder of checkpoints."""

    def drop_checkpoints(self, job_id: JobId) -> None:
        """Drop the checkpoints of a job.

        Raises:
            OSError: they cannot be dropped.
        """
