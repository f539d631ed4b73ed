"""The output of attempts, line by line, for the API."""

import time
from collections.abc import Iterator

from scheduler.control.ports import Backend
from scheduler.control.service.service import ControlService
from scheduler.model.errors import NotFound
from scheduler.model.workloads import JobId

POLL_S = 0.5
"""Wall seconds between looks at an attempt that is followed."""


class AttemptLogs:
    """Reads what attempts print.

    Args:
        cluster: where they run, or ran.
        service: knows when they are over.
    """

    def __init__(self, cluster: Backend, service: ControlService) -> None:
        self._cluster, self._service = cluster, service

    def __call__(self, job_id: JobId, attempt: int, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield an attempt's lines without their ends; with `follow` until the attempt is over.

        Raises:
            Unreachable: the cluster does not answer.
            NotFound: nothing was kept of that attempt.
        """
        over = self._is_over(job_id, attempt)
        text = self._cluster.logs(job_id, attempt)
        if over and not text and not follow:
            raise NotFound(f"attempt {attempt} of job {job_id} printed nothing that was kept")
        lines = text.splitlines()
        yield from lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]
        if follow:
            yield from self._rest(job_id, attempt, len(lines), over=over)

    def _rest(self, job_id: JobId, attempt: int, seen: int, *, over: bool) -> Iterator[str]:
        while not over:
            time.sleep(POLL_S)
            over = self._is_over(job_id, attempt)
            lines = self._cluster.logs(job_id, attempt).splitlines()
            yield from lines[seen:]
            seen = max(seen, len(lines))

    def _is_over(self, job_id: JobId, attempt: int) -> bool:
        return any(
            each.number == attempt and each.ended_at_s is not None for each in self._service.job(job_id).attempts
        )
