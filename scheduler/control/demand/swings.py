"""How often serving took room back that it had just given up: the more often, the longer it keeps what it needs not.

Load that jumps up and down would have training come and go with it: each time that room is given up jobs start in it,
and each time that it is taken back they are stopped. So replicas stay three times as long after the first time that
their model took room back, and three times longer each further time, four hours at most. What happened counts for half
a day, on all models of one kind of device, as one of them takes what another gave up. Pure.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from scheduler.model.plan import Cause, Plan, PreemptJob, StopReplica

REMEMBERED_S: Final = 12 * 3600.0
"""How long it counts that room was taken back."""
ONE_ROUND_S: Final = 600.0
"""What is taken back within this time counts once: a rise comes in steps."""
FACTOR: Final = 3.0
"""By how much longer replicas stay each time."""
LONGEST_S: Final = 4 * 3600.0
"""How long they stay at most, unless the site keeps them for longer anyhow."""


@dataclass(frozen=True, slots=True)
class Swings:
    """What serving gave up and took back.

    Attributes:
        given: models that gave up room since they last had training stopped for some.
        taken: (kind of device, epoch seconds) of each round in which a model took back what it had given up.
    """

    given: frozenset[str] = frozenset()
    taken: tuple[tuple[Hashable, float], ...] = ()

    def after(self, made: Plan, kinds: Mapping[str, Hashable], now_s: float) -> Self:
        """Return what is known after a plan.

        Args:
            made: the plan.
            kinds: the kind of device of each model.
            now_s: epoch seconds.
        """
        serving = [stop for stop in made.actions if isinstance(stop, PreemptJob) and stop.cause is Cause.SERVING]
        takers = {stop.beneficiary for stop in serving}
        givers = {stop.model for stop in made.actions if isinstance(stop, StopReplica) and stop.cause is Cause.SURPLUS}
        taken = [each for each in self.taken if each[1] > now_s - REMEMBERED_S]
        for kind in dict.fromkeys(kinds[model] for model in sorted(takers & self.given & kinds.keys())):
            if all(other != kind or now_s - at_s >= ONE_ROUND_S for other, at_s in taken):
                taken.append((kind, now_s))
        return type(self)((self.given - takers) | givers, tuple(taken))

    def stay_s(self, kind: Hashable, usual_s: float, now_s: float) -> float:
        """Return for how long replicas stay that are not needed, where `usual_s` is how long they do after calm."""
        rounds = sum(other == kind and at_s > now_s - REMEMBERED_S for other, at_s in self.taken)
        return max(usual_s, min(usual_s * FACTOR**rounds, LONGEST_S))
