"""Models whose replicas do not get ready are given up for a while: no room is taken for what cannot start.

The rule: a replica that has been starting for `LATE_AFTER` warm-ups (a wall minute at least) is late. Its host is then
avoided by the model, and another one is tried. When replicas were late on `HOSTS_TRIED` hosts, or no other one may take
them, or one is late twice over as nobody made room elsewhere, or the model was refused `REFUSED` times in a row, it is
given up: it gets no new replica, and what starts is stopped; those that are ready stay. It is tried again after a pause
of `FIRST_S`, then twice as long each time, up to `LONGEST_S`, until one is ready. A host is avoided for longer, so that
the next try goes elsewhere.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.model.errors import Unreachable
from scheduler.model.hosts import Host
from scheduler.model.ledger import Ledger
from scheduler.model.observation import Observation
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel

LATE_AFTER: Final = 3.0
"""Warm-ups."""
LEAST_WALL_S: Final = 60.0
REFUSED: Final = 3
HOSTS_TRIED: Final = 2
FIRST_S: Final = 300.0
LONGEST_S: Final = 3600.0
HOST_FIRST_S: Final = 900.0
"""Wall seconds."""


@dataclass(slots=True)
class Warmups:
    """How the replicas of all models get ready, from turn to turn.

    Attributes:
        walls: remember which models are given up, and until when.
        measured: warm-ups as starts that came to their end have shown them; where one is longer than the declared, it
            counts.
    """

    walls: Bulkheads
    measured: Mapping[str, float] = field(default_factory=dict)
    _late: dict[ReplicaId, int] = field(default_factory=dict)
    _ready: frozenset[ReplicaId] = frozenset()
    _refused: Counter[str] = field(default_factory=Counter)
    _hosts: dict[str, set[str]] = field(default_factory=dict)
    """On which hosts replicas of each model were late."""

    def limited(self, models: Sequence[ServingModel], seen: Observation) -> tuple[ServingModel, ...]:
        """Return the models as they are to be planned.

        Those that are given up have what is ready and no more, others avoid hosts on which they do not get ready.
        What is judged is the revision that serves; one on trial is its rollout's to judge.
        """
        ready = Counter(one.model for one in seen.replicas if one.state is ReplicaState.READY)
        judged = {model.revised for model in models if not model.of}
        for one in seen.replicas:
            if (
                (one.model, one.revision) in judged
                and one.state is ReplicaState.READY
                and one.replica_id not in self._ready
            ):
                self._works(one)
        late = self._late_now(models, seen)
        for model in models:
            new = [one for one, times in late.get(model.name, ()) if times > self._late.get(one.replica_id, 0)]
            if new:
                self._judge(model, new, dict(late[model.name]), seen)
        self._late = {one.replica_id: times for some in late.values() for one, times in some}
        self._ready = frozenset(one.replica_id for one in seen.replicas if one.state is ReplicaState.READY)
        return tuple(self._limited(model, ready[model.name], seen.hosts) for model in models)

    def refused(self, model: str, reason: str) -> None:
        """Take note that the cluster refused to start a replica of a model."""
        self._refused[model] += 1
        if self._refused[model] >= REFUSED and not self.walls.is_cut_off(part_of(model)):
            self._give_up(model, reason)

    def _give_up(self, model: str, reason: str) -> None:
        self.walls.failed(part_of(model), Unreachable(reason), FIRST_S, LONGEST_S)

    def _works(self, replica: Replica) -> None:
        self._refused.pop(replica.model, None)
        self.walls.works(part_of(replica.model))
        self.walls.works(part_on(replica.model, replica.slot.host))

    def _late_now(self, models: Sequence[ServingModel], seen: Observation) -> dict[str, list[tuple[Replica, int]]]:
        """Return the late replicas of each model, and how many times over each is."""
        least_s = LEAST_WALL_S * self.walls.speed
        late_s = {
            one.revised: max(least_s, LATE_AFTER * max(one.warm_up_s, self.measured.get(one.name, 0.0)))
            for one in models
            if not one.of
        }
        late: dict[str, list[tuple[Replica, int]]] = {}
        for one in seen.replicas:
            revised = one.model, one.revision
            if one.state is ReplicaState.STARTING and revised in late_s:
                since_s = seen.taken_at_s - one.since_s
                if since_s > late_s[revised]:
                    late.setdefault(one.model, []).append((one, int(since_s // late_s[revised])))
        return late

    def _judge(
        self, model: ServingModel, new: Sequence[Replica], late: Mapping[Replica, int], seen: Observation
    ) -> None:
        """Have a model avoid the hosts of replicas that are late since this turn, or give it up."""
        for host in sorted({one.slot.host for one in new if late[one] == 1}):
            self._hosts.setdefault(model.name, set()).add(host)
            reason = Unreachable(_reason(model.name, host, seen))
            self.walls.failed(part_on(model.name, host), reason, HOST_FIRST_S, LONGEST_S)
        tried = self._avoided(model)
        twice = any(late[one] > 1 for one in new)
        if twice or len(tried) >= HOSTS_TRIED or not self._others(model, seen.hosts):
            hosts = ", ".join(sorted(tried | {one.slot.host for one in new}))
            self._give_up(model.name, f"{_reason(model.name, new[0].slot.host, seen)}, tried on {hosts}")

    def _avoided(self, model: ServingModel) -> frozenset[str]:
        were_late = self._hosts.get(model.name, ())
        return frozenset(host for host in were_late if self.walls.is_cut_off(part_on(model.name, host)))

    def _others(self, model: ServingModel, hosts: Sequence[Host]) -> frozenset[str]:
        """Return the hosts that may take the model and are not avoided; what else is on them does not count."""
        units = Ledger.of(hosts).units(model.shape)
        able = frozenset(host.name for host, count in zip(hosts, units.tolist(), strict=True) if count)
        return able - self._avoided(model)

    def _limited(self, model: ServingModel, ready: int, hosts: Sequence[Host]) -> ServingModel:
        if self.walls.is_cut_off(part_of(model.name)):
            least = min(model.min_replicas, ready)
            most = min(model.max_replicas, ready)
            return replace(model, min_replicas=least, max_replicas=most, survive_host_losses=0)
        avoided = self._avoided(model)
        return replace(model, avoids=avoided) if avoided and self._others(model, hosts) else model


def part_of(model: str) -> Part:
    """Return the starting of a model's replicas as something that may fail."""
    return Part(f"starting replicas of {model}", model, "none is started for a while, those that are ready serve")


def part_on(model: str, host: str) -> Part:
    """Return the starting of a model's replicas on one host as something that may fail."""
    return Part(f"starting {model} on {host}", model, "other hosts are tried")


def _reason(model: str, host: str, seen: Observation) -> str:
    """Return why replicas of a model do not get ready on a host, in the cluster's words where it has some."""
    about = [fault for fault in seen.faults if fault.split("@", 1)[0].split(" ", 1)[0] == model]
    there = [fault for fault in about if host in fault]
    return next(iter((*there, *about)), f"not ready after {LATE_AFTER:g} times the warm-up")
