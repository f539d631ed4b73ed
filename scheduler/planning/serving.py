"""Keeping serving at the replicas demanded: start, move, stop, and take room from training when there is no other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import Demand
from scheduler.model.plan import Cause, StartReplica, StopReplica
from scheduler.model.workloads import Replica, ReplicaState
from scheduler.planning.draft import Draft, Grant
from scheduler.planning.fleet import Fleet, count_by_row, fleets, survival_need, survivors
from scheduler.planning.needs import Need
from scheduler.planning.placing import fewest_hosts, most_even
from scheduler.planning.room import Counted
from scheduler.planning.roster import Victim
from scheduler.planning.shrinking import victims_by_cost


@dataclass
class Served:
    """What serving was given.

    Attributes:
        starts: replicas that start now, most important model first.
        stops: replicas that are not needed (any more) where they are.
        fleets: what there was before, in the same order.
    """

    starts: list[StartReplica] = field(default_factory=list)
    stops: list[StopReplica] = field(default_factory=list)
    fleets: tuple[Fleet, ...] = ()


def keep_serving(draft: Draft, demand: Demand) -> Served:
    """Start what is missing, most important model first, and stop what is not needed."""
    served = Served(fleets=fleets(draft.snapshot, demand.models))
    for fleet in served.fleets:
        served.stops.extend(_stop_surplus(fleet, draft))
    for fleet in served.fleets:
        _Supply(fleet, draft, served).secure()
    return served


class _Supply:
    """The search for room for one model's missing replicas."""

    def __init__(self, fleet: Fleet, draft: Draft, served: Served) -> None:
        self.fleet, self.draft, self.served = fleet, draft, served
        self.name, self.shape = fleet.model.name, fleet.model.shape
        self.counts = count_by_row(fleet.staying, draft.room.now.table.rows)
        self.promised = draft.promises.lift(self.name)

    def secure(self) -> None:
        """Find room for the replicas wanted, and then for those that make up for lost hosts."""
        missing = self.fleet.wanted - int(self.counts.sum())
        if missing > 0:
            limit = np.maximum(self.fleet.max_per_host - self.counts, 0)
            missing = self._find_room(Need(self.shape, missing, limit))
        if missing <= 0 and self.fleet.model.survive_host_losses:
            room = self.draft.roster.units_if_all_stopped(self.draft.room.coming, self.shape)
            if need := survival_need(self.fleet, self.counts, room):
                self._find_room(need)

    def _find_room(self, need: Need) -> int:
        """Start in free room, then in room promised to the less important, then have room freed; return what misses.

        What was promised to others comes after all that is free, but before anybody is preempted: stopping more
        training would lose work to keep a promise of room that nobody uses yet.
        """
        need = self._start(need)
        if need.count:
            lifted = self.draft.promises.lift_all_but(self._more_important())
            need = self._promise_or_preempt(self._start(need))
            self.draft.promises.restore(lifted)
        return need.count

    def _promise_or_preempt(self, before: Need) -> Need:
        need = self._promise(before)
        victims = self._preempt(need)
        need = self._promise(need)
        if victims and not self.fleet.model.survive_host_losses:
            whole = replace(before, count=before.count - need.count)
            self.draft.grants.append(Grant(self.name, whole, victims, Cause.SERVING))
        return need

    def _more_important(self) -> tuple[str, ...]:
        names = [fleet.model.name for fleet in self.served.fleets]
        return tuple(names[: names.index(self.name)])

    def _start(self, need: Need) -> Need:
        rows = self._rows(need, self.draft.room.now)
        slots = self.draft.room.start(rows, self.shape)
        self.served.starts.extend(StartReplica(self.name, slot) for slot in slots)
        return self._less(need, rows)

    def _promise(self, need: Need) -> Need:
        """Promise what is being freed, where it was promised before if that still holds."""
        row_of = self.draft.room.now.table.rows
        for slot in self.promised if need.count else ():
            row = row_of.get(slot.host)
            if row is not None and need.count and need.limit_on(row) and self.draft.promises.renew(self.name, (slot,)):
                need = self._less(need, [row])
        self.promised = ()
        rows = self._rows(need, self.draft.room.coming)
        self.draft.promises.promise(self.name, rows)
        return self._less(need, rows)

    def _preempt(self, need: Need) -> tuple[Victim, ...]:
        """Have training stopped for as many of the missing replicas as that can make room for."""
        room, roster = self.draft.room.coming, self.draft.roster
        possible = int(need.fitting(roster.units_if_all_stopped(room, self.shape)).sum())
        attainable = replace(need, count=min(need.count, possible))
        victims = victims_by_cost(attainable, self.draft, roster) or ()
        self.draft.stop(victims, Cause.SERVING, self.name)
        return victims

    def _rows(self, need: Need, ledger: Counted) -> Sequence[int]:
        units = need.fitting(ledger.units(self.shape))
        count = min(need.count, int(units.sum()))
        if not count:
            return ()
        if self.fleet.model.survive_host_losses:
            return most_even(units, count, ledger.scores(self.shape, self.draft.scorer), self.counts)
        return fewest_hosts(units, count, ledger.score(self.shape, self.draft.scorer))

    def _less(self, need: Need, rows: Sequence[int]) -> Need:
        added = np.bincount(np.array(rows, dtype=np.int64), minlength=len(self.counts))
        self.counts = self.counts + added
        return replace(need, count=need.count - len(rows), limit=np.maximum(need.limit - added, 0))


def _stop_surplus(fleet: Fleet, draft: Draft) -> list[StopReplica]:
    """Stop replicas one by one as long as enough stay, those that must move first."""
    remaining = _Remaining(fleet, draft)
    stops = []
    for replica, cause in fleet.leaving:
        if remaining.can_spare_leaving(replica):
            stops.append(remaining.stop(replica, cause))
    while candidates := [replica for replica in remaining.staying if remaining.can_spare(replica)]:
        stops.append(remaining.stop(min(candidates, key=remaining.stop_rank), Cause.SURPLUS))
    return stops


class _Remaining:
    """The replicas left while surplus ones are stopped; those this plan starts do not count yet."""

    def __init__(self, fleet: Fleet, draft: Draft) -> None:
        self.fleet, self.room = fleet, draft.room
        self.staying = list(fleet.staying)
        self.ready = sum(r.state is ReplicaState.READY for r in [*self.staying, *(r for r, _ in fleet.leaving)])

    def can_spare_leaving(self, replica: Replica) -> bool:
        """Whether enough are ready without it; one that only starts goes when its replacement has been started."""
        if replica.state is ReplicaState.STARTING:
            return len(self.staying) >= self.fleet.wanted
        return self.ready > self.fleet.wanted

    def can_spare(self, replica: Replica) -> bool:
        """Whether as many as wanted stay, and are ready, without it, and as many outlive lost hosts."""
        if len(self.staying) <= self.fleet.wanted:
            return False
        if replica.state is ReplicaState.READY and self.ready <= self.fleet.wanted:
            return False
        return not self.fleet.model.survive_host_losses or self._still_survives(replica)

    def stop_rank(self, replica: Replica) -> tuple[bool, int, str]:
        """Order of stopping: those that only start, then those on the emptiest host (it frees the largest hole)."""
        row = self.room.coming.row(replica.slot.host)
        gpu_milli = self.room.coming.gpu_milli[row]
        free = int(gpu_milli[gpu_milli > 0].sum()) or int(self.room.coming.cpu_milli[row])
        return (replica.state is not ReplicaState.STARTING, -free, replica.replica_id)

    def stop(self, replica: Replica, cause: Cause) -> StopReplica:
        """Count it as gone."""
        self.staying = [other for other in self.staying if other is not replica]
        self.ready -= replica.state is ReplicaState.READY
        self.room.expect((replica.slot,), self.fleet.model.shape)
        return StopReplica(replica.replica_id, replica.model, replica.slot, cause)

    def _still_survives(self, replica: Replica) -> bool:
        peers = self.staying
        if replica.state is ReplicaState.READY:
            peers = [other for other in peers if other.state is ReplicaState.READY]
        others = [other for other in peers if other is not replica]
        losses = self.fleet.model.survive_host_losses
        before, after = (survivors(self._counts(replicas), losses) for replicas in (peers, others))
        return after >= min(self.fleet.needed, before)

    def _counts(self, replicas: Sequence[Replica]) -> NDArray[np.int64]:
        return count_by_row(replicas, self.room.coming.table.rows)
