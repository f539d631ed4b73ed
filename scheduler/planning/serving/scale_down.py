"""Stopping replicas that are not needed where they are, one by one, as long as enough stay."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.model.plan import Cause, StopReplica
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState
from scheduler.planning.draft.draft import Draft
from scheduler.planning.serving.fleet import Fleet, count_by_row, survival_prospect, survivors

Rank = tuple[bool, int, str]
"""Order of stopping: those that only start, then those on the emptiest host (it frees the largest hole), then by id."""


def stop_surplus(fleet: Fleet, draft: Draft) -> list[StopReplica]:
    """Stop replicas as long as enough stay, those that must move first."""
    if not fleet.leaving and len(fleet.staying) <= fleet.wanted:
        return []
    remaining = _Remaining(fleet, draft)
    stops = []
    for replica, cause in fleet.leaving:
        if remaining.can_spare_leaving(replica, cause):
            stops.append(remaining.stop(replica, cause))
    remaining.rank()
    while (spare := remaining.first_to_spare()) is not None:
        stops.append(remaining.stop_staying(spare))
    return stops


class _Remaining:
    """The replicas left while surplus ones are stopped; those this plan starts do not count yet."""

    def __init__(self, fleet: Fleet, draft: Draft) -> None:
        self.fleet, self.draft, self.room = fleet, draft, draft.room
        self.staying = len(fleet.staying)
        self.ready = sum(r.state is ReplicaState.READY for r in (*fleet.staying, *(r for r, _ in fleet.leaving)))
        self._ranked: list[tuple[Rank, Replica]] = []
        self._by_row: dict[int, list[tuple[Rank, Replica]]] = {}
        self._stopped: set[ReplicaId] = set()

    def can_spare_leaving(self, replica: Replica, cause: Cause) -> bool:
        """Whether enough are ready without it; one that only starts goes when its replacement has been started.

        One of a revision that is withdrawn goes before that: it would hold its room in vain.
        """
        if replica.state is ReplicaState.STARTING:
            return self.staying >= self.fleet.wanted or replica.revision in self.fleet.model.withdrawn
        return self.ready > self.fleet.wanted and (cause is not Cause.ROLLOUT or self._is_outlived_without(replica))

    def rank(self) -> None:
        """Put those that may stay in the order of stopping."""
        if self.staying > self.fleet.wanted:
            rows = self.room.coming.table.rows
            for replica in self.fleet.staying:
                self._by_row.setdefault(rows[replica.slot.host], []).append((self._rank_of(replica), replica))
            self._ranked = sorted(pair for pairs in self._by_row.values() for pair in pairs)

    def first_to_spare(self) -> Replica | None:
        """Return the first without which as many as wanted stay, and are ready, and as many outlive lost hosts."""
        if self.staying <= self.fleet.wanted:
            return None
        losses = _Losses(self.fleet, [replica for _, replica in self._ranked], self.draft)
        for _, replica in self._ranked:
            if replica.state is ReplicaState.READY and self.ready <= self.fleet.wanted:
                return None
            if losses.are_outlived_without(replica):
                return replica
        return None

    def stop(self, replica: Replica, cause: Cause) -> StopReplica:
        """Count one as gone that leaves anyhow."""
        self.ready -= replica.state is ReplicaState.READY
        self._stopped.add(replica.replica_id)
        self.draft.stop_replica(replica.slot, replica.shape or self.fleet.model.shape)
        return StopReplica(replica.replica_id, replica.model, replica.slot, cause)

    def stop_staying(self, replica: Replica) -> StopReplica:
        """Count one as gone that might have stayed, and put those beside it where they belong now."""
        self.staying -= 1
        stopped = self.stop(replica, Cause.SURPLUS)
        row = self.room.coming.row(replica.slot.host)
        for pair in self._by_row[row]:
            del self._ranked[bisect_left(self._ranked, pair)]
        self._by_row[row] = [(self._rank_of(other), other) for _, other in self._by_row[row] if other is not replica]
        for pair in self._by_row[row]:
            insort(self._ranked, pair)
        return stopped

    def _is_outlived_without(self, replica: Replica) -> bool:
        """Whether as many ready ones outlive lost hosts when this one is gone, whatever the revision."""
        losses = self.fleet.model.survive_host_losses
        if not losses:
            return True
        rows, there = self.room.coming.table.rows, (*self.fleet.staying, *(one for one, _ in self.fleet.leaving))
        ready = [one for one in there if one.state is ReplicaState.READY and one.replica_id not in self._stopped]
        counts, others = count_by_row(ready, rows), count_by_row([one for one in ready if one is not replica], rows)
        return survivors(others, losses) >= min(self.fleet.needed, survivors(counts, losses))

    def _rank_of(self, replica: Replica) -> Rank:
        row = self.room.coming.row(replica.slot.host)
        gpu_milli = self.room.coming.gpu_milli[row]
        free = int(gpu_milli[gpu_milli > 0].sum()) or int(self.room.coming.cpu_milli[row])
        return (replica.state is not ReplicaState.STARTING, -free, replica.replica_id)


class _Losses:
    """Whether as many replicas outlive lost hosts without one of them; all on equally full hosts are alike.

    One that counts once more are started is not spared either: it would have to be started again.
    """

    def __init__(self, fleet: Fleet, staying: Sequence[Replica], draft: Draft) -> None:
        self._fleet, self._staying, self._rows = fleet, staying, draft.room.coming.table.rows
        self._draft = draft
        self._known: dict[tuple[bool, int, int, int], bool] = {}

    def are_outlived_without(self, replica: Replica) -> bool:
        """Say so of a replica; those that only start do not count for one that is ready."""
        if not self._fleet.model.survive_host_losses:
            return True
        ready, row = replica.state is ReplicaState.READY, self._rows[replica.slot.host]
        key = (ready, int(self._counts[row]), int(self._counts_ready[row]), int(self._units[row]))
        if key not in self._known:
            counts = self._counts_ready if ready else self._counts
            self._known[key] = self._enough_without_one_on(row, counts) and self._is_of_no_use_on(row)
        return self._known[key]

    @cached_property
    def _counts(self) -> NDArray[np.int64]:
        return count_by_row(self._staying, self._rows)

    @cached_property
    def _counts_ready(self) -> NDArray[np.int64]:
        return count_by_row([other for other in self._staying if other.state is ReplicaState.READY], self._rows)

    @cached_property
    def _units(self) -> NDArray[np.int64]:
        """How many replicas more each host could take if all training that may be stopped were gone."""
        return self._draft.stoppable.candidates.units_if_all_stopped(self._draft.room.coming, self._fleet.model.shape)

    def _enough_without_one_on(self, row: int, counts: NDArray[np.int64]) -> bool:
        losses, others = self._fleet.model.survive_host_losses, counts.copy()
        others[row] -= 1
        return survivors(others, losses) >= min(self._fleet.needed, survivors(counts, losses))

    def _is_of_no_use_on(self, row: int) -> bool:
        """Whether nothing must be added for it, and as many outlive lost hosts in the end."""
        others, units = self._counts.copy(), self._units.copy()
        others[row], units[row] = others[row] - 1, units[row] + 1
        without = survival_prospect(self._fleet, others, units)
        return without >= survival_prospect(self._fleet, self._counts, self._units)
