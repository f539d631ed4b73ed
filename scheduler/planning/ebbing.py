"""Room that serving is expected to leave within a day: no promise, and for gangs that find no room by training's ends.

The order in which replicas go is guessed by where they would go from now: those on the emptiest hosts first.
"""

from scheduler.model.workloads import Replica, ReplicaState
from scheduler.planning.draft import Draft
from scheduler.planning.fleet import Fleet
from scheduler.planning.serving import Served
from scheduler.planning.timetable import Ebb, Release


def ebbs(served: Served, draft: Draft) -> list[Ebb]:
    """Return what serving is expected to leave, beyond what it stops already."""
    gone = {str(stop.replica_id) for stop in served.stops}
    return [ebb for fleet in served.fleets if (ebb := _ebb(fleet, gone, draft)) is not None]


def _ebb(fleet: Fleet, gone: set[str], draft: Draft) -> Ebb | None:
    """Return what a model leaves; nothing where it must outlive lost hosts, as that takes replicas in given places."""
    demand, model = fleet.demand, fleet.model
    if demand.replicas_low is None or demand.low_at_s <= draft.snapshot.taken_at_s or model.survive_host_losses:
        return None
    staying = [replica for replica in fleet.staying if replica.replica_id not in gone]
    spare = len(staying) - max(demand.replicas_low, model.min_replicas)
    if spare <= 0:
        return None
    first = sorted(staying, key=lambda replica: _turn(replica, draft))[:spare]
    return Ebb(model.name, Release(demand.low_at_s, tuple(replica.slot for replica in first), model.shape))


def _turn(replica: Replica, draft: Draft) -> tuple[bool, int, str]:
    coming = draft.room.coming
    free = int(coming.gpu_milli[coming.row(replica.slot.host)].clip(min=0).sum())
    return (replica.state is not ReplicaState.STARTING, -free, replica.replica_id)
