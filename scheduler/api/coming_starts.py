"""When jobs that somebody asks about may start, and which sizes could: worked out once a plan for all who ask."""

from threading import Lock

from scheduler.control.expected_start import ExpectedStart, expected_start
from scheduler.control.reports.board import Report
from scheduler.control.whatif.sizes import Size, sizes_of
from scheduler.model.policy import Policy


class ComingStarts:
    """Answers of one report; a new report begins with none."""

    def __init__(self, policy: Policy) -> None:
        """Know nothing yet."""
        self._policy, self._lock = policy, Lock()
        self._report: Report | None = None
        self._known: dict[str, ExpectedStart | None] = {}
        self._sizes: tuple[Report, tuple[Size, ...]] | None = None

    def of(self, report: Report, job_id: str) -> ExpectedStart | None:
        """Return when a waiting job may be expected to start; None where nothing is known of it."""
        with self._lock:
            if self._report is not report:
                self._report, self._known = report, {}
            known = self._known
        if job_id not in known:
            known[job_id] = expected_start(report.cycle, self._policy, report.run_times, job_id)
        return known[job_id]

    def sizes(self, report: Report) -> tuple[Size, ...]:
        """Return the largest size of job that could start now, and the next larger one."""
        known = self._sizes
        if known is None or known[0] is not report:
            known = self._sizes = report, sizes_of(report.cycle, self._policy)
        return known[1]
