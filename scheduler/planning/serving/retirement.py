"""Replicas of models that are declared no longer: they answer on until those that are declared can.

A renamed model is an old name that is gone and a new one that has nothing yet. So the old replicas stay, and hold their
room, until every declared model has as many ready replicas as it wants; nobody has to say which is whose successor.
That ends an hour after the name was missed, whatever the others do. Earlier they give way where a declared model finds
no other room, not even training's: then at most half of them go, and the rest when those for whom they went are ready.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from scheduler.model.plan import Cause, StopReplica
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import Replica, ReplicaState
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.serving.fleet import Fleet

KEPT_AT_MOST_S: Final = 3600.0
"""Time after which replicas of a model that is not declared go, although others are not ready."""


def let_go(draft: Draft, fleets: Iterable[Fleet]) -> list[StopReplica]:
    """Stop the replicas of undeclared models that nobody waits for any more, and expect their room."""
    retired = retired_in(draft.snapshot)
    if not retired:
        return []
    waits = not all(fleet.is_ready for fleet in fleets)
    now_s = draft.snapshot.taken_at_s
    return _stopped([one for one in retired if not waits or _is_overdue(one, now_s)], draft)


def give_way(need: Need, draft: Draft) -> list[StopReplica]:
    """Stop at most half of the replicas of undeclared models where that makes room for what found no other.

    Nobody goes while replicas start, or old ones stop: first it is seen what becomes of that.

    Args:
        need: what found no room.
        draft: what was decided so far.
    """
    retired = retired_in(draft.snapshot)
    if not retired or any(_is_moving(one) for one in draft.snapshot.replicas):
        return []
    return _stopped(_chosen(need, draft.room.coming, _by_host(retired, draft.snapshot)), draft)


def retired_in(snapshot: Snapshot) -> list[Replica]:
    """Return the replicas of undeclared models that are not being stopped."""
    served = {model.name for model in snapshot.models}
    return [one for one in snapshot.replicas if one.model not in served and one.state is not ReplicaState.STOPPING]


def _is_overdue(replica: Replica, now_s: float) -> bool:
    return replica.retired_s is not None and now_s - replica.retired_s >= KEPT_AT_MOST_S


def _is_moving(replica: Replica) -> bool:
    return replica.state is not ReplicaState.READY


def _by_host(retired: Iterable[Replica], snapshot: Snapshot) -> list[tuple[Replica, Shape]]:
    """Return those on known hosts, host by host, with what each holds."""
    shapes = {model.name: model.shape for model in snapshot.models}
    known = [one for one in retired if one.slot.host in snapshot.ledger.table.rows]
    in_order = sorted(known, key=lambda one: (one.slot.host, one.replica_id))
    return [(one, shape_held(one, shapes)) for one in in_order]


def _chosen(need: Need, coming: CachedTrial, retired: Sequence[tuple[Replica, Shape]]) -> list[Replica]:
    """Return the fewest whose room wins units: up to half of them, or as many as a first unit takes."""
    trial, won, chosen = CachedTrial(coming), _fitting(need, coming), list[tuple[Replica, Shape]]()
    goal = won + need.count
    for one, shape in retired:
        if _fitting(need, trial) >= (goal if 2 * len(chosen) < len(retired) else won + 1):
            break
        trial.give_all([one.slot], shape)
        chosen.append((one, shape))
    reached = _fitting(need, trial)
    if reached == won:
        return []
    return [one for one, shape in chosen[::-1] if not _spared(one, shape, need, trial, reached)][::-1]


def _spared(one: Replica, shape: Shape, need: Need, trial: CachedTrial, reached: int) -> bool:
    """Put a replica back if as many units fit beside it."""
    trial.take_all([one.slot], shape)
    if _fitting(need, trial) >= reached:
        return True
    trial.give_all([one.slot], shape)
    return False


def _fitting(need: Need, room: CachedTrial) -> int:
    return int(need.fitting(room.units(need.shape)).sum())


def _stopped(replicas: Iterable[Replica], draft: Draft) -> list[StopReplica]:
    shapes = {model.name: model.shape for model in draft.snapshot.models}
    stops = []
    for one in replicas:
        draft.stop_replica(one.slot, shape_held(one, shapes))
        stops.append(StopReplica(one.replica_id, one.model, one.slot, Cause.ORPHAN))
    return stops
