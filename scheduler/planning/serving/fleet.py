"""The replicas of one model as the planner counts them, and how many more it takes to outlive lost hosts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import ModelDemand
from scheduler.model.hosts import HostState
from scheduler.model.plan import Cause
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Replica, ReplicaState, ServingModel
from scheduler.planning.placement.need import Need
from scheduler.planning.placement.placing import NO_LIMIT, capped


@dataclass(frozen=True, eq=False)
class Fleet:
    """Living replicas of a model: starting or ready, on hosts that answer.

    Attributes:
        model: the model.
        demand: what it needs.
        staying: replicas where they may stay.
        leaving: replicas that must move once others have taken over, and why.
    """

    model: ServingModel
    demand: ModelDemand
    staying: tuple[Replica, ...]
    leaving: tuple[tuple[Replica, Cause], ...]

    @property
    def wanted(self) -> int:
        """Replicas to keep, within the model's limits."""
        return min(max(self.demand.replicas_wanted, self.model.min_replicas), self.most)

    @property
    def most(self) -> int:
        """The model's limit, or what the cluster's own controllers want while that is more: a rollout is no surplus."""
        return max(self.model.max_replicas, self.demand.replicas_asked)

    @property
    def replaced(self) -> tuple[Replica, ...]:
        """Replicas of other revisions: they answer until those of the one that is wanted have taken over."""
        return tuple(replica for replica, cause in self.leaving if cause is Cause.ROLLOUT)

    @property
    def may_start(self) -> int:
        """Replicas that may start now: all, but while others are replaced no more than the surge, or than miss."""
        missing, replaced = self.wanted - len(self.staying), len(self.replaced)
        if not replaced:
            return NO_LIMIT
        starting = sum(replica.state is ReplicaState.STARTING for replica in self.staying)
        return max(self.model.surge - starting, missing - replaced, 0)

    @property
    def needed(self) -> int:
        """Replicas for the load of this moment, within what is wanted."""
        return min(self.demand.replicas_now, self.wanted)

    @property
    def is_ready(self) -> bool:
        """Whether as many answer as are wanted."""
        living = (*self.staying, *(replica for replica, _ in self.leaving))
        return sum(replica.state is ReplicaState.READY for replica in living) >= self.wanted

    @property
    def max_per_host(self) -> int:
        """Most replicas on one host."""
        return self.model.max_per_host or NO_LIMIT


def fleets(snapshot: Snapshot, demands: Sequence[ModelDemand]) -> tuple[Fleet, ...]:
    """Return the fleet of every model that is served here and has a demand, in the order of the demand."""
    models, table = {model.name: model for model in snapshot.models if not model.elsewhere}, snapshot.ledger.table
    states = {table.hosts[row].name: table.hosts[row].state for row in np.flatnonzero(table.leaving).tolist()}
    return tuple(
        _fleet(models[demand.model], demand, snapshot.living.get(demand.model, ()), states)
        for demand in demands
        if demand.model in models
    )


def _fleet(
    model: ServingModel, demand: ModelDemand, living: tuple[Replica, ...], leaving: Mapping[str, HostState]
) -> Fleet:
    """Return the fleet of a model; `leaving` has the states of all hosts that are draining or lost."""
    is_uniform = all(replica.revision == model.revision for replica in living)
    if is_uniform and not leaving and not model.max_per_host and not model.avoids:
        return Fleet(model, demand, living, ())
    staying: list[Replica] = []
    moving: list[tuple[Replica, Cause]] = []
    counts: dict[str, int] = {}
    for replica in living:
        host = replica.slot.host
        if host in leaving:
            moving += [(replica, Cause.DRAIN)] if leaving[host] is HostState.DRAINING else []
        elif replica.revision != model.revision:
            moving.append((replica, Cause.ROLLOUT))
        elif model.max_per_host and counts.get(host, 0) >= model.max_per_host:
            moving.append((replica, Cause.SPREAD))
        elif replica.state is ReplicaState.STARTING and host in model.avoids:
            moving.append((replica, Cause.LATE))
        else:
            staying.append(replica)
            counts[host] = counts.get(host, 0) + 1
    return Fleet(model, demand, tuple(staying), tuple(moving))


def allowed(model: ServingModel, units: NDArray[np.int64], rows: Mapping[str, int]) -> NDArray[np.int64]:
    """Return how many of `units`, int64 (H,), a model may have on each host: none where it does not get ready."""
    avoided = [rows[host] for host in model.avoids if host in rows]
    if not avoided:
        return units
    left = units.copy()
    left[avoided] = 0
    return left


def count_by_row(replicas: Sequence[Replica], rows: Mapping[str, int]) -> NDArray[np.int64]:
    """Return how many of the replicas each host has, int64 (H,)."""
    at = np.array([rows[replica.slot.host] for replica in replicas], dtype=np.int64)
    return np.bincount(at, minlength=len(rows)).astype(np.int64)


def survivors(counts: NDArray[np.int64], losses: int) -> int:
    """Return how many replicas are left when the `losses` hosts with most of them are lost."""
    return int(counts.sum()) - _largest(counts, losses)


def survival_need(fleet: Fleet, counts: NDArray[np.int64], units: NDArray[np.int64]) -> Need | None:
    """Return what must be added so that the loss of any k hosts leaves enough for now, or as many as can be had.

    Args:
        fleet: whose demand and limits count.
        counts: int64 (H,), replicas on each host already.
        units: int64 (H,), how many more each host could take at most.

    Returns:
        The need; None when enough survive already, or when adding replicas cannot help.
    """
    return next((need for _, need in _additions(fleet, counts, units)), None)


def survival_prospect(fleet: Fleet, counts: NDArray[np.int64], units: NDArray[np.int64]) -> tuple[int, int]:
    """Return how many survive once that is added, at most those needed, and how many need not be added: more is better.

    Args: as for `survival_need`.
    """
    there = min(survivors(counts, fleet.model.survive_host_losses), fleet.needed)
    return next(((goal, -need.count) for goal, need in _additions(fleet, counts, units)), (there, 0))


def _additions(fleet: Fleet, counts: NDArray[np.int64], units: NDArray[np.int64]) -> Iterator[tuple[int, Need]]:
    """Yield how many would survive, and what must be added for it; the most first, and of equals the fewest to add.

    With a level of L replicas a host, any k hosts hold at most T = the k largest of max(counts, L). So adding
    needed + T - all replicas below the level leaves enough, wherever they go. The lowest level for which there is room
    needs the fewest.
    """
    losses, total = fleet.model.survive_host_losses, int(counts.sum())
    goals = range(fleet.needed, survivors(counts, losses), -1)
    for goal in goals if losses else ():
        for level in range(1, min(goal, fleet.max_per_host) + 1):
            limit = np.where(units > 0, np.maximum(level - counts, 0), 0)
            reached = np.where(capped(units, limit, level) > 0, np.maximum(counts, level), counts)
            missing = goal + _largest(reached, losses) - total
            if total + missing <= fleet.most and capped(units, limit, missing).sum() >= missing:
                yield goal, Need(fleet.model.shape, missing, limit)


def _largest(counts: NDArray[np.int64], number: int) -> int:
    return int(np.sort(counts)[::-1][:number].sum())
