"""The jobs that are not final, as the one process that writes to a store has read or written them last.

A turn of the control loop asks for all of them; reading tens of thousands from the database each time would take longer
than everything else in it. A job that has not changed stays the same object, so that others see at once that it has
not.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from scheduler.control.records import JobRecord
from scheduler.model.workloads import JobId


class OpenJobs:
    """Read once, then kept up to date by what is written."""

    def __init__(self, read: Callable[[], Iterable[JobRecord]]) -> None:
        """Read with `read`, which returns all of them, oldest first, when they are first asked for."""
        self._read = read
        self._known: dict[JobId, JobRecord] | None = None
        self._listed: tuple[JobRecord, ...] | None = None
        self._lock = threading.RLock()

    def all(self) -> tuple[JobRecord, ...]:
        """Return them all, oldest first; while a write is under way, as they were before it."""
        listed = self._listed
        if listed is not None:
            return listed
        with self._lock:
            if self._known is None:
                self._known = {job.job_id: job for job in self._read()}
            self._listed = tuple(self._known.values())
            return self._listed

    def get(self, job_id: JobId) -> JobRecord | None:
        """Return a job, or None when it is not known to be open."""
        known = self._known
        return None if known is None else known.get(job_id)

    @contextmanager
    def written(self) -> Iterator[list[JobRecord]]:
        """Take in the jobs that a write puts on the list, in the order of the writes.

        When the block raises, nobody knows what was written: everything is read again.
        """
        with self._lock:
            jobs: list[JobRecord] = []
            try:
                yield jobs
            except BaseException:
                self._known = self._listed = None
                raise
            for job in jobs:
                self._put(job)
            if jobs:
                self._listed = None if self._known is None else tuple(self._known.values())

    def _put(self, job: JobRecord) -> None:
        if self._known is None:
            return
        if job.state.is_final:
            self._known.pop(job.job_id, None)
        elif job.job_id in self._known or not self._known or int(job.job_id) > int(next(reversed(self._known))):
            self._known[job.job_id] = job
        else:
            self._known = None  # open again, it belongs among older ones
