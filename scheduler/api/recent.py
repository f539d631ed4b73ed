"""What the page and the lists of the moment show of the store; they answer from memory while it is silent."""

from typing import Final

from scheduler.control.records import EventRecord, HostMark, JobRecord
from scheduler.control.service.service import ControlService
from scheduler.control.upkeep.remembered import Remembered

NEWEST: Final = 1000
"""Jobs that are looked at for what ended lately; open ones are looked at however old they are."""
EVENTS_SHOWN: Final = 8
"""Events on the page."""
ALL_EVENTS: Final = 500
"""Events on a page of their own."""


class Recent:
    """Questions whose last answers are kept.

    Attributes:
        jobs: every open job and the newest that have ended, oldest first.
        events: the newest `EVENTS_SHOWN`, oldest first.
        all_events: the newest `ALL_EVENTS`, likewise.
        host_marks: what operators said of hosts.
    """

    def __init__(self, service: ControlService) -> None:
        """Ask nothing yet."""
        self._service = service
        self.jobs = Remembered[tuple[JobRecord, ...]](self._jobs, ())
        self.events = Remembered[tuple[EventRecord, ...]](lambda: service.events(limit=EVENTS_SHOWN), ())
        self.all_events = Remembered[tuple[EventRecord, ...]](lambda: service.events(limit=ALL_EVENTS), ())
        self.host_marks = Remembered[tuple[HostMark, ...]](service.host_marks, ())

    def _jobs(self) -> tuple[JobRecord, ...]:
        newest = self._service.jobs(open_only=False, limit=NEWEST)
        jobs = {job.job_id: job for job in (*newest, *self._service.jobs(open_only=True))}
        return tuple(sorted(jobs.values(), key=lambda job: job.submitted_at_s))
