"""What was last told of the state of things: one event for one state, however many turns it lasts."""

from collections import deque
from typing import Final

MOST_TOLD: Final = 4
"""Changes of one thing that are told within `WINDOW_S`; what goes to and fro more often is told more rarely."""
WINDOW_S: Final = 1800.0


class States:
    """States by the name of what is in them. A state has no numbers in it that change while it lasts."""

    def __init__(self) -> None:
        """Know nothing."""
        self._told: dict[str, str] = {}
        self._times: dict[str, deque[float]] = {}

    def told(self, name: str) -> str:
        """Return the state that was told last; "" when none was."""
        return self._told.get(name, "")

    def is_news(self, name: str, state: str, now_s: float) -> bool:
        """Return whether a state is to be told now, and take it as told.

        What is held back because it changes too often is news later, if it is still so.
        """
        if self.told(name) == state:
            return False
        times = self._times.setdefault(name, deque(maxlen=MOST_TOLD))
        if len(times) == MOST_TOLD and 0 <= now_s - times[0] < WINDOW_S:
            return False
        times.append(now_s)
        self._told[name] = state
        return True

    def gone(self, known: frozenset[str]) -> tuple[str, ...]:
        """Return the names of what is in a state and is not among the known, in order."""
        return tuple(sorted(name for name, state in self._told.items() if state and name not in known))
