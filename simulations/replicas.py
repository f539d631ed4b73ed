"""The replicas of the simulated cluster: they warm up, answer, and stop."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

from scheduler.model.errors import ActionFailed
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.workloads import FIRST_REVISION, Replica, ReplicaId, ReplicaState, ServingModel
from simulations.engine import Engine
from simulations.faults import StartFaults
from simulations.room import Room
from simulations.usage import Meter, Steps, Use

STOPPING_S = 5.0
"""Time a replica needs to answer what it has."""


class Replicas:
    """All replicas that hold room, and how many of each model were ready at any time.

    Attributes:
        ready: steps of ready replicas by model, from the first change on.
        broken: revisions of models whose replicas never get ready: each says so after its warm-up.
        faults: what goes wrong with starts.
    """

    def __init__(self, engine: Engine, room: Room, meter: Meter, models: Iterable[ServingModel]) -> None:
        """Start with none."""
        self._engine = engine
        self._room = room
        self._meter = meter
        self._models = {model.revised: model for model in models if not model.of}
        self._replicas: dict[ReplicaId, Replica] = {}
        self._ids = itertools.count(1)
        self.ready = {name: Steps() for name, _ in self._models}
        self.broken: set[tuple[str, int]] = set()
        self.faults = StartFaults()

    @property
    def all(self) -> tuple[Replica, ...]:
        """Every replica that holds room, oldest first."""
        return tuple(self._replicas.values())

    def declare(self, models: Iterable[ServingModel]) -> None:
        """Know other models, or other revisions, from now on; those that have replicas stay known."""
        kept = {(one.model, one.revision) for one in self._replicas.values()}
        there = {revised: model for revised, model in self._models.items() if revised in kept}
        self._models = there | {model.revised: model for model in models}
        for name, _ in self._models:
            self.ready.setdefault(name, Steps())

    def start(self, model: str, slot: Slot, revision: int = FIRST_REVISION) -> None:
        """Start one replica; where one of that revision sits on these very devices already, it stays.

        Raises:
            ActionFailed: there is no such model, or no room.
        """
        served = self._models.get((model, revision))
        if served is None:
            raise ActionFailed(f"there is no model {model} of revision {revision}")
        if slot.devices and self._sits(served, slot) and self._room.missing(slot, served.shape):
            return
        self._room.take((slot,), served.shape)
        replica_id = self._new_id(model)
        now_s = self._engine.now_s()
        self._replicas[replica_id] = Replica(
            replica_id, model, slot, ReplicaState.STARTING, now_s, served.shape, revision=revision
        )
        self._meter.add(Use.STARTING, _gpus(self._replicas[replica_id]), now_s)
        self._engine.after(served.warm_up_s * self.faults.warm_up(replica_id), lambda: self._warmed_up(replica_id))

    def settle(self, replica: Replica) -> None:
        """Let a replica be there as it is: one that warms up goes on doing so, one that stops is gone in a while.

        Raises:
            ActionFailed: there is no such model, or no room.
        """
        served = self._models.get((replica.model, replica.revision)) or self._any(replica.model)
        if served is None:
            raise ActionFailed(f"there is no model {replica.model}")
        replica = replace(replica, shape=replica.shape or served.shape)
        self._room.take((replica.slot,), replica.shape or served.shape)
        self._replicas[replica.replica_id] = replica
        self._count(replica, 1)
        warm_s = replica.since_s + served.warm_up_s
        if replica.state is ReplicaState.STARTING:
            self._engine.at(warm_s, lambda: self._warmed_up(replica.replica_id))
        elif replica.state is ReplicaState.STOPPING:
            self._engine.after(STOPPING_S, lambda: self._gone(replica.replica_id))

    def stop(self, replica_id: ReplicaId) -> None:
        """Let a replica finish what it has; one that stops or is gone stays so."""
        replica = self._replicas.get(replica_id)
        if replica is not None and replica.state is not ReplicaState.STOPPING:
            self._move(replica, ReplicaState.STOPPING)
            self._engine.after(STOPPING_S, lambda: self._gone(replica_id))

    def lose_host(self, host: str) -> None:
        """Take away every replica of a host at once."""
        for replica in [replica for replica in self.all if replica.slot.host == host]:
            self._gone(replica.replica_id)

    def _new_id(self, model: str) -> ReplicaId:
        """Return one that no replica has, of those that were there before the simulation began either."""
        named = (ReplicaId(f"{model}-{number}") for number in self._ids)
        return next(replica_id for replica_id in named if replica_id not in self._replicas)

    def _any(self, model: str) -> ServingModel | None:
        return next((served for (name, _), served in self._models.items() if name == model), None)

    def _sits(self, model: ServingModel, slot: Slot) -> bool:
        return any(
            (r.model, r.revision) == model.revised and r.slot == slot and r.state is not ReplicaState.STOPPING
            for r in self._replicas.values()
        )

    def _warmed_up(self, replica_id: ReplicaId) -> None:
        replica = self._replicas.get(replica_id)
        if replica is None or replica.state is not ReplicaState.STARTING:
            return
        if (replica.model, replica.revision) in self.broken or self.faults.fails(replica_id):
            self._replicas[replica_id] = replace(replica, fault="its constructor raised")
        else:
            self._move(replica, ReplicaState.READY)

    def _move(self, replica: Replica, state: ReplicaState) -> None:
        now_s = self._engine.now_s()
        self._count(replica, -1)
        moved = self._replicas[replica.replica_id] = replace(replica, state=state, since_s=now_s)
        self._count(moved, 1)

    def _gone(self, replica_id: ReplicaId) -> None:
        replica = self._replicas.pop(replica_id, None)
        if replica is not None:
            self._count(replica, -1)
            self._room.give((replica.slot,), replica.shape or Shape())

    def _count(self, replica: Replica, sign: int) -> None:
        now_s, is_ready = self._engine.now_s(), replica.state is ReplicaState.READY
        self._meter.add(Use.SERVING if is_ready else Use.STARTING, sign * _gpus(replica), now_s)
        if is_ready:
            self.ready[replica.model].add(sign, now_s)


def _gpus(replica: Replica) -> float:
    return (replica.shape or Shape()).total_gpu_milli / WHOLE_DEVICE_MILLI
