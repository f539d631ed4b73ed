"""What owners say of how long their jobs take at most, with the error that people make."""

import math
from typing import Final

from scheduler.config.scenario import Training
from simulations.chance import chance
from simulations.work import Work

TWICE: Final = 2.0
"""What careful owners say, times the real time."""


class Words:
    """The words of one stream or trace: of equal seeds the same, and each drawn apart from all other chance."""

    def __init__(self, origin: Training, seed: int, purpose: str) -> None:
        """Begin with no owner known."""
        self._origin, self._seed, self._purpose = origin, seed, purpose
        self._rng = chance(seed, f"words {purpose}")
        self._habits: dict[str, float] = {}

    def said_s(self, work: Work, owner: str, requested_s: float = math.nan) -> float | None:
        """Return how long a job is said to take at most; None when nothing is said.

        Nobody says less than the job takes, as it is stopped then. With an error s it is e^(s |z|) times that, z being
        normal; half of its variance is a habit of the owner, where there is one, and half is by chance.

        Args:
            work: what it really needs.
            owner: whose habit counts; "" for nobody's.
            requested_s: what is known to have been asked for; NaN when nothing is.
        """
        takes_s, error = work.duration_s + work.start_up_s, self._origin.runtime_error
        if error is not None:
            return takes_s * math.exp(error * abs(self._drawn(owner)))
        if not math.isnan(requested_s):
            return max(requested_s, takes_s)
        return TWICE * takes_s if self._origin.says_runtime else None

    def _drawn(self, owner: str) -> float:
        own = float(self._rng.standard_normal())
        if not owner:
            return own
        if owner not in self._habits:
            habits = chance(self._seed, f"habits of {owner} {self._purpose}")
            self._habits[owner] = float(habits.standard_normal())
        return (self._habits[owner] + own) / math.sqrt(2.0)
