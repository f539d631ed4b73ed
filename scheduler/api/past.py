"""What the numbers of the last day are counted from."""

from scheduler.api.presenting.capacity import Past
from scheduler.api.site import Parts

JOBS_LOOKED_AT = 1000


def past_of(parts: Parts) -> Past:
    """Return the history and the newest jobs, those that have ended included."""
    return Past(tuple(parts.board.history), parts.desk.jobs(open_only=False, limit=JOBS_LOOKED_AT))
