"""What the numbers of the last day are counted from."""

from scheduler.api.presenting.capacity import Past
from scheduler.api.site import Parts


def past_of(parts: Parts) -> Past:
    """Return the history, every open job and the newest that have ended, oldest first."""
    return Past(tuple(parts.board.history), parts.recent.jobs())
