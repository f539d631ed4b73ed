"""What the numbers of the last day are counted from."""

from scheduler.api.presenting.capacity import Past
from scheduler.api.site import Parts

NEWEST = 1000
"""Jobs that are looked at for what ended lately; open ones are looked at however old they are."""


def past_of(parts: Parts) -> Past:
    """Return the history, every open job and the newest that have ended, oldest first."""
    newest = parts.desk.jobs(open_only=False, limit=NEWEST)
    jobs = {job.job_id: job for job in (*newest, *parts.desk.jobs(open_only=True))}
    return Past(tuple(parts.board.history), tuple(sorted(jobs.values(), key=lambda job: job.submitted_at_s)))
