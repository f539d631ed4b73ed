"""Surplus replicas are stopped as looking at every one of them anew each time would stop them."""

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import ModelDemand
from scheduler.model.hosts import Host, HostState, devices_offered
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Cause
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel
from scheduler.planning.draft.draft import Draft
from scheduler.planning.serving.fleet import Fleet, count_by_row, fleets, survival_prospect, survivors
from scheduler.planning.serving.scale_down import stop_surplus

ONE = Shape(gpu_count=1)
places = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=14)
states = st.sampled_from([ReplicaState.READY, ReplicaState.READY, ReplicaState.STARTING])


@st.composite
def worlds(draw: Any) -> tuple[Draft, Fleet]:
    """Replicas of one model on a few hosts, of which one may be draining."""
    last = draw(st.sampled_from([HostState.READY, HostState.DRAINING]))
    hosts = [Host(f"h{n}", 8000, 8192, devices_offered(4, 1024), "A") for n in range(4)]
    hosts.append(Host("h4", 8000, 8192, devices_offered(4, 1024), "A", state=last))
    losses, needed, more = draw(st.integers(0, 2)), draw(st.integers(0, 4)), draw(st.integers(0, 3))
    model = ServingModel("m", ONE, 0, 20, max_per_host=draw(st.sampled_from([0, 2])), survive_host_losses=losses)
    replicas = [
        Replica(ReplicaId(f"r{number:02}"), "m", Slot(f"h{host}", (device,)), draw(states))
        for number, (host, device) in enumerate(draw(st.permutations(sorted(draw(places)))))
    ]
    snapshot = Snapshot.of(taken_at_s=10.0, hosts=hosts, models=[model], replicas=replicas)
    (fleet,) = fleets(snapshot, [ModelDemand("m", needed, needed + more, needed + more)])
    return Draft.of(snapshot, policy_from_names()), fleet


@given(worlds())
def test_every_stop_is_the_first_of_those_that_can_be_spared_then_and_in_the_end_none_can(
    world: tuple[Draft, Fleet],
) -> None:
    draft, fleet = world
    before = draft.room.copy().coming
    everybody = {r.replica_id: r for r in (*fleet.staying, *(r for r, _ in fleet.leaving))}
    left, ready = list(fleet.staying), sum(r.state is ReplicaState.READY for r in everybody.values())
    for stop in stop_surplus(fleet, draft):
        replica = everybody[stop.replica_id]
        if stop.cause is Cause.SURPLUS:
            spare = [other for other in left if _can_spare(other, left, ready, fleet, before)]
            assert replica is min(spare, key=lambda other: _rank(other, before))
            left.remove(replica)
        before.give(replica.slot, ONE)
        ready -= replica.state is ReplicaState.READY
    assert not any(_can_spare(replica, left, ready, fleet, before) for replica in left)


def _rank(replica: Replica, room: Ledger) -> tuple[bool, int, str]:
    """Order by: starting ones, the host with most devices free, the id."""
    free = int(room.gpu_milli[room.row(replica.slot.host)].sum()) or 8000
    return (replica.state is ReplicaState.READY, -free, replica.replica_id)


def _can_spare(replica: Replica, left: list[Replica], ready: int, fleet: Fleet, room: Ledger) -> bool:
    is_ready = replica.state is ReplicaState.READY
    if len(left) <= fleet.wanted or (is_ready and ready <= fleet.wanted):
        return False
    peers = [other for other in left if other.state is ReplicaState.READY or not is_ready]
    losses, counts = fleet.model.survive_host_losses, Counter(other.slot.host for other in peers)
    before = survivors(np.array(list(counts.values()), dtype=np.int64), losses)
    counts[replica.slot.host] -= 1
    after = survivors(np.array(list(counts.values()), dtype=np.int64), losses)
    return not losses or (after >= min(fleet.needed, before) and _is_of_no_use(replica, left, fleet, room))


def _is_of_no_use(replica: Replica, left: list[Replica], fleet: Fleet, room: Ledger) -> bool:
    """Whether, once replicas are added where there is room, as many outlive lost hosts and no more had to be added."""
    row, rows = room.row(replica.slot.host), room.table.rows
    there, units = count_by_row(left, rows), room.units_fitting(ONE)
    without, more = there.copy(), units.copy()
    without[row], more[row] = without[row] - 1, more[row] + 1
    return survival_prospect(fleet, without, more) >= survival_prospect(fleet, there, units)
