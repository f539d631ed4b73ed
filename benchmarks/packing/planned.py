"""The site's own policy as a packer: every arrival is a turn of the loop, decided by the functions that `plan()` uses.

What a turn would see is here: the ledger of what runs, the work counted as the control plane counts it, a score
prepared for both. Nothing is known of the work beforehand. `tests/benchmarks/test_packing_planner.py` holds every seat
against `plan()` itself.
"""

from collections import Counter

import numpy as np

from benchmarks.packing.room import Room, Seat, ShapeTable
from benchmarks.packing.workload import Fleet
from scheduler.control.snapshots.workload_stats import WorkloadStats
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.policy import Policy
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import hosts_for_gang


class PlannedPacker:
    """Places by a policy's score and the planner's rules; what is refused goes on waiting and is not tried again."""

    def __init__(self, room: Room, table: ShapeTable, policy: Policy) -> None:
        """Begin with empty hosts and no knowledge of the work."""
        self._policy = policy
        self._shapes, self._gangs = table.shapes, [Gang(1, shape) for shape in table.shapes]
        self._ledger = Ledger.of(hosts_of(room.fleet))
        self._workload_stats = WorkloadStats()
        self._running, self._waiting = Counter[Shape](), Counter[Shape]()

    def choose(self, shape: int) -> Seat | None:
        """Count the arrival and return where the policy starts it."""
        self._count(self._shapes[shape])
        scorer, now = self._policy.placement_score(self._ledger, self._workload_stats.work), CachedTrial(self._ledger)
        rows = hosts_for_gang(now, self._gangs[shape], scorer)
        return None if rows is None else Seat(rows[0], now.slot_on(rows[0], self._shapes[shape]).devices)

    def changed(self, seat: Seat, shape: int, sign: int) -> None:
        """Take note of what was seated (sign -1) or has left (+1)."""
        asked = self._shapes[shape]
        unit = ((Slot(self._ledger.hosts[seat.row].name, seat.devices), asked),)
        gone, come = ((), unit) if sign < 0 else (unit, ())
        self._ledger = self._ledger.after(gone, come, self._ledger.table)
        self._running[asked] -= sign
        self._waiting[asked] -= sign < 0

    def _count(self, asked: Shape) -> None:
        self._waiting[asked] += 1
        self._workload_stats.count(asked, 1)
        self._workload_stats.forget()
        if self._workload_stats.has_news:
            self._workload_stats.sum_up(self._running, self._waiting)


def hosts_of(fleet: Fleet) -> tuple[Host, ...]:
    """Return the hosts of a fleet, named so that their order is that of the fleet."""
    amounts = zip(fleet.cpu_milli.tolist(), fleet.memory_mib.tolist(), fleet.gpu_milli, fleet.model, strict=True)
    return tuple(
        Host(f"h{row:06}", cpu, memory, tuple(map(Device, np.flatnonzero(gpu > 0).tolist())), fleet.models[model])
        for row, (cpu, memory, gpu, model) in enumerate(amounts)
    )
