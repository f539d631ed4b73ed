"""What work has asked for, as watched by whoever drives the planner: what policies may learn from."""

from dataclasses import dataclass
from typing import Final

from scheduler.model.resources import Shape


@dataclass(frozen=True, slots=True)
class WorkSeen:
    """Workers and replicas by shape; old ones count less and less.

    Attributes:
        shapes: each once.
        seen: how many of each were asked for.
        started: how many of these were ever started.
        running: how many of them run now.
        usual: (shape, how many) pairs: what was seen when there was last much to learn. It changes seldom, so that what
            takes long to work out may follow it, and what is quick the counts of the moment.
    """

    shapes: tuple[Shape, ...] = ()
    seen: tuple[int, ...] = ()
    started: tuple[int, ...] = ()
    running: tuple[int, ...] = ()
    usual: tuple[tuple[Shape, int], ...] = ()

    def __hash__(self) -> int:
        """Go by the numbers, which is quick: policies keep what they worked out for the same work."""
        return hash((self.seen, self.started, self.running))


NOTHING_SEEN: Final = WorkSeen()
