"""How long replicas really take to start, by model and kind of host, and the warm-up to plan by.

From the decision to start a replica until it answers. The warm-up to plan by is the 90 % quantile of the newest starts,
with the declared one as a prior that counts like `PRIOR` of them: one slow start widens it at once, and it takes many
quick ones to narrow it. A replica that is starting for longer than that already counts as it stands, up to the moment
at which it is late: then it is broken rather than slow (`scheduler.control.isolation.warmups`).
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from scheduler.control.isolation.warmups import LATE_AFTER
from scheduler.control.records import STARTS_KEPT, StartRecord
from scheduler.control.reports.board import MeasuredWarmUp
from scheduler.control.settings import Served
from scheduler.model.observation import Observation
from scheduler.model.plan import Action, StartReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel

PRIOR: Final = 5
"""Starts that the declared warm-up counts for."""
QUANTILE: Final = 0.9
FORGOTTEN_S: Final = 3600.0
"""A decision of which nothing has come for so long is forgotten."""
Kind = tuple[str, str]
"""A model and the GPU model of a host, "" for one without GPUs."""


def planned_by(declared_s: float, took_s: Iterable[float]) -> float:
    """Return the warm-up to plan by from the declared one and starts of one kind."""
    values = sorted((*[declared_s] * PRIOR, *took_s))
    return values[math.ceil(QUANTILE * len(values) - 1e-9) - 1]


def planned(served: Iterable[Served], measured: Iterable[MeasuredWarmUp]) -> tuple[Served, ...]:
    """Return served models with the warm-ups to plan by."""
    by_model = {one.model: one.planned_s for one in measured}
    return tuple(_with(one, by_model.get(one.model.name, one.model.warm_up_s)) for one in served)


def _with(served: Served, warm_up_s: float) -> Served:
    if served.model.warm_up_s == warm_up_s:
        return served
    return replace(served, model=replace(served.model, warm_up_s=warm_up_s))


class _Decision(NamedTuple):
    """A replica that was ordered; `at_s` is when."""

    model: str
    slot: Slot
    at_s: float


@dataclass(slots=True)
class StartTimes:
    """Watches replicas from turn to turn; begins with what a store remembers.

    Attributes:
        past: starts that were recorded, oldest first.
    """

    past: Sequence[StartRecord] = ()
    _took: dict[Kind, deque[float]] = field(default_factory=dict)
    _decided: list[_Decision] = field(default_factory=list)
    _starting: dict[ReplicaId, float] = field(default_factory=dict)
    """When those that are not ready yet were decided."""
    _ready: frozenset[ReplicaId] | None = None

    def __post_init__(self) -> None:
        for start in self.past:
            self._keep(start)

    def decided(self, actions: Iterable[Action], now_s: float) -> None:
        """Take note of replicas that are ordered now."""
        kept = [one for one in self._decided if now_s - one.at_s < FORGOTTEN_S]
        new = (_Decision(one.model, one.slot, now_s) for one in actions if isinstance(one, StartReplica))
        self._decided = [*kept, *new]

    def see(self, seen: Observation) -> tuple[StartRecord, ...]:
        """Return the starts that have come to their end since the last look."""
        kinds = {host.name: host.gpu_model for host in seen.hosts}
        records, there = list[StartRecord](), {one.replica_id for one in seen.replicas}
        before = frozenset(r.replica_id for r in seen.replicas) if self._ready is None else self._ready
        for one in seen.replicas:
            if one.state is ReplicaState.STARTING:
                self._starting.setdefault(one.replica_id, self._decision(one, one.since_s))
            elif one.state is ReplicaState.READY and one.replica_id not in before:
                known_s = self._starting.pop(one.replica_id, None)
                began_s = self._decision(one, math.inf) if known_s is None else known_s
                if began_s <= one.since_s:
                    records.append(_start(one, kinds.get(one.slot.host, ""), began_s))
        self._starting = {key: at_s for key, at_s in self._starting.items() if key in there}
        self._ready = frozenset(one.replica_id for one in seen.replicas if one.state is ReplicaState.READY)
        for start in records:
            self._keep(start)
        return tuple(records)

    def measured(self, models: Iterable[ServingModel], seen: Observation) -> tuple[MeasuredWarmUp, ...]:
        """Return the warm-ups of models of which a start was ever seen; the longest where kinds of hosts differ."""
        kinds = {host.name: host.gpu_model for host in seen.hosts}
        waits: dict[Kind, list[float]] = {}
        for one in seen.replicas:
            if one.replica_id in self._starting:
                age_s = seen.taken_at_s - self._starting[one.replica_id]
                waits.setdefault((one.model, kinds.get(one.slot.host, "")), []).append(age_s)
        found = (self._measured(model, waits) for model in models)
        return tuple(one for one in found if one is not None)

    def _measured(self, model: ServingModel, waits: Mapping[Kind, Sequence[float]]) -> MeasuredWarmUp | None:
        declared_s, longest, usual = model.warm_up_s, list[float](), list[float]()
        starts = {kind: took for kind, took in self._took.items() if kind[0] == model.name}
        for kind in sorted({*starts, *(kind for kind in waits if kind[0] == model.name)}):
            took = starts.get(kind, ())
            usual_s = planned_by(declared_s, took)
            slow = (age_s for age_s in waits.get(kind, ()) if usual_s < age_s <= LATE_AFTER * max(declared_s, usual_s))
            longest.append(planned_by(declared_s, (*took, *slow)))
            usual.append(usual_s)
        count = sum(map(len, starts.values()))
        slow_now = bool(longest) and max(longest) != declared_s
        return MeasuredWarmUp(model.name, max(longest), count, max(usual)) if count or slow_now else None

    def _decision(self, replica: Replica, otherwise_s: float) -> float:
        """Return when a replica that is new here was decided: in its slot, else the oldest of its model."""
        mine = [one for one in self._decided if one.model == replica.model]
        found = next((one for one in mine if one.slot == replica.slot), mine[0] if mine else None)
        if found is None:
            return otherwise_s
        self._decided.remove(found)
        return min(found.at_s, otherwise_s)

    def _keep(self, start: StartRecord) -> None:
        self._took.setdefault((start.model, start.kind), deque(maxlen=STARTS_KEPT)).append(start.took_s)


def _start(replica: Replica, kind: str, began_s: float) -> StartRecord:
    return StartRecord(replica.model, kind, began_s, round(replica.since_s - began_s, 3))
