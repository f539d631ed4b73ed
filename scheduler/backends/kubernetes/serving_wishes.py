"""Replicas that were asked for and that have no host yet: kube-scheduler places them, what was asked is a wish."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from scheduler.model.resources import Slot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState

PATIENCE_S: Final = 90.0
"""Seconds of the world after which a replica without a host is not counted any more, so that it is planned anew."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A replica that was asked for.

    Attributes:
        replica_id: by which it is known until it has a host.
        slot: where its room was planned.
        since_s: when it was asked for, epoch seconds.
        revision: of its model.
    """

    replica_id: ReplicaId
    slot: Slot
    since_s: float
    revision: int

    def as_replica(self, model: str) -> Replica:
        """Return it as a replica that starts."""
        return Replica(self.replica_id, model, self.slot, ReplicaState.STARTING, self.since_s, revision=self.revision)


@dataclass
class Wishes:
    """The wishes of all models, oldest first; they are forgotten with the process, and asked for again then."""

    _of: dict[str, list[Wish]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def of(self, model: str) -> tuple[Wish, ...]:
        """Return those of a model."""
        return tuple(self._of.get(model, ()))

    def add(self, model: str, slot: Slot, now_s: float, revision: int) -> None:
        """Take down another one."""
        made = Wish(ReplicaId(f"{model}/wish-{next(self._numbers)}"), slot, now_s, revision)
        self._of.setdefault(model, []).append(made)

    def take_back(self, replica_id: ReplicaId) -> bool:
        """Forget one; returns whether it was there."""
        for wishes in self._of.values():
            for wish in wishes:
                if wish.replica_id == replica_id:
                    wishes.remove(wish)
                    return True
        return False

    def keep(self, without_host: Mapping[str, int], now_s: float) -> None:
        """Keep of each model as many as it has replicas without a host, and none for longer than patience lasts."""
        for model, wishes in self._of.items():
            young = [wish for wish in wishes if now_s - wish.since_s <= PATIENCE_S]
            count = without_host.get(model, 0)
            self._of[model] = young[-count:] if count else []
