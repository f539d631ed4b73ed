"""Models whose replicas do not get ready are given up for a while: no room is taken for what cannot start.

The rule: a replica that has been starting for `LATE_AFTER` warm-ups (a wall minute at least) is late. While a model has
late ones, or was refused `REFUSED` times in a row, it gets no new replica, and what starts is stopped; those that are
ready stay. It is tried again after a pause of `FIRST_S`, then twice as long each time, up to `LONGEST_S`, until one is
ready.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from scheduler.control.bulkheads import Bulkheads, Part
from scheduler.model.errors import Unreachable
from scheduler.model.observation import Observation
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel

LATE_AFTER: Final = 3.0
"""Warm-ups."""
LEAST_WALL_S: Final = 60.0
REFUSED: Final = 3
FIRST_S: Final = 300.0
LONGEST_S: Final = 3600.0
"""Wall seconds."""


@dataclass(slots=True)
class Warmups:
    """How the replicas of all models get ready, from turn to turn.

    Attributes:
        walls: remember which models are given up, and until when.
    """

    walls: Bulkheads
    _late: frozenset[ReplicaId] = frozenset()
    _ready: frozenset[ReplicaId] = frozenset()
    _refused: Counter[str] = field(default_factory=Counter)

    def limited(self, models: Sequence[ServingModel], seen: Observation) -> tuple[ServingModel, ...]:
        """Return the models as they are to be planned: those that are given up with what is ready, and no more."""
        starting = [one for one in seen.replicas if one.state is ReplicaState.STARTING]
        ready = Counter(one.model for one in seen.replicas if one.state is ReplicaState.READY)
        for model in {one.model for one in seen.replicas if _is_ready(one) and one.replica_id not in self._ready}:
            self._refused.pop(model, None)
            self.walls.works(part_of(model))
        late = [one for model in models for one in starting if _is_late(one, model, seen.taken_at_s, self.walls.speed)]
        for model in sorted({one.model for one in late if one.replica_id not in self._late}):
            self._give_up(model, _reason(model, seen))
        self._late = frozenset(one.replica_id for one in late)
        self._ready = frozenset(one.replica_id for one in seen.replicas if _is_ready(one))
        return tuple(self._limited(model, ready[model.name]) for model in models)

    def refused(self, model: str, reason: str) -> None:
        """Take note that the cluster refused to start a replica of a model."""
        self._refused[model] += 1
        if self._refused[model] >= REFUSED and not self.walls.is_cut_off(part_of(model)):
            self._give_up(model, reason)

    def _give_up(self, model: str, reason: str) -> None:
        self.walls.failed(part_of(model), Unreachable(reason), FIRST_S, LONGEST_S)

    def _limited(self, model: ServingModel, ready: int) -> ServingModel:
        if not self.walls.is_cut_off(part_of(model.name)):
            return model
        least = min(model.min_replicas, ready)
        return replace(model, min_replicas=least, max_replicas=min(model.max_replicas, ready), survive_host_losses=0)


def part_of(model: str) -> Part:
    """Return the starting of a model's replicas as something that may fail."""
    return Part(f"starting replicas of {model}", model, "none is started for a while, those that are ready serve")


def _is_ready(replica: Replica) -> bool:
    return replica.state is ReplicaState.READY


def _is_late(replica: Replica, model: ServingModel, now_s: float, speed: float) -> bool:
    allowed_s = max(LEAST_WALL_S * speed, LATE_AFTER * model.warm_up_s)
    return replica.model == model.name and now_s - replica.since_s > allowed_s


def _reason(model: str, seen: Observation) -> str:
    """Return why replicas of a model do not get ready, in the cluster's words where it has some."""
    said: Iterable[str] = (fault for fault in seen.faults if fault.split("@", 1)[0].split(" ", 1)[0] == model)
    return next(iter(said), f"not ready after {LATE_AFTER:g} times the warm-up")
