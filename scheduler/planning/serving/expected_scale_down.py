"""Room that serving is expected to leave within a day: not certain, and for gangs that find no room by training's ends.

The order in which replicas go is guessed by where they would go from now: those on the emptiest hosts first.
"""

from collections.abc import Iterator

from scheduler.model.workloads import Replica, ReplicaState
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import ExpectedScaleDown, Release
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.serving.fleet import Fleet
from scheduler.planning.serving.supply import ServingDecision


def scale_downs(served: ServingDecision, draft: Draft, coming: CachedTrial) -> list[ExpectedScaleDown]:
    """Return what serving is expected to leave, beyond what it stops already.

    Args:
        served: what it was given.
        draft: what was decided.
        coming: the room by which hosts are told apart.
    """
    gone = {str(stop.replica_id) for stop in served.stops}
    return [scale_down for fleet in served.fleets for scale_down in _scale_downs(fleet, gone, draft, coming)]


def _scale_downs(fleet: Fleet, gone: set[str], draft: Draft, coming: CachedTrial) -> Iterator[ExpectedScaleDown]:
    """Yield what a model leaves, fall by fall; nothing where it must outlive lost hosts: that takes given places."""
    demand, model = fleet.demand, fleet.model
    if demand.replicas_low is None or demand.low_at_s <= draft.snapshot.taken_at_s or model.survive_host_losses:
        return
    staying = [replica for replica in fleet.staying if replica.replica_id not in gone]
    in_turn = sorted(staying, key=lambda replica: _turn(replica, coming))
    left = 0
    for at_s, number in demand.falls or ((demand.low_at_s, demand.replicas_low),):
        spare = len(staying) - max(number, model.min_replicas)
        if spare > left and at_s > draft.snapshot.taken_at_s:
            slots = tuple(replica.slot for replica in in_turn[left:spare])
            yield ExpectedScaleDown(model.name, Release(at_s, slots, model.shape))
            left = spare


def _turn(replica: Replica, coming: CachedTrial) -> tuple[bool, int, str]:
    free = int(coming.gpu_milli[coming.row(replica.slot.host)].clip(min=0).sum())
    return (replica.state is not ReplicaState.STARTING, -free, replica.replica_id)
