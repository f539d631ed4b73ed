"""For which models a plan finds no room: those it starts itself, and those that others serve."""

from dataclasses import replace

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel
from scheduler.planning.planner import plan
from simulations.whatif.lacking import lacking

GPU = Shape(cpu_milli=1000, memory_mib=100, gpu_count=1)
MODEL = ServingModel("m", GPU, 1, 8, 60.0)
HOST = Host("a", 64_000, 64_000, tuple(Device(index, 65_536) for index in range(3)))


def planned(model: ServingModel, wanted: int, *, there: int = 0) -> dict[str, int]:
    replicas = [Replica(ReplicaId(f"m-{n}"), "m", Slot("a", (n,)), ReplicaState.READY, 0.0, GPU) for n in range(there)]
    seen = Snapshot.of(hosts=[HOST], models=[model], replicas=replicas)
    demand = Demand((ModelDemand("m", wanted, wanted, wanted),))
    return lacking(CycleRecord(1, 0.0, seen, demand, plan(seen, demand, policy_from_names()), 0.0))


def test_replicas_that_find_no_room_are_counted() -> None:
    assert planned(MODEL, 3) == {}
    assert planned(MODEL, 5) == {"m": 2}
    assert planned(MODEL, 5, there=1) == {"m": 2}


def test_so_is_room_that_cannot_be_held_for_what_others_serve() -> None:
    elsewhere = replace(MODEL, elsewhere=True)
    assert planned(elsewhere, 3) == {}
    assert planned(elsewhere, 5) == {"m": 2}
    assert planned(elsewhere, 3, there=2) == {}
    assert planned(elsewhere, 20) == {"m": 5}, "no more than the model may have"
