"""How many placements a second, in this process's time on a processor, on a site that fills from 45 to 90 %.

All that happens while it places counts: decisions, refusals, looking at what is scarce, learning. The collector of
garbage is spared what was there before, as in the control loop.
The yardstick is FGD scoring every host anew for every pod, on as many hosts in the same run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.packing import peers
from benchmarks.packing.contenders import CONTENDERS, DEFAULT_POLICY, mix_of
from benchmarks.packing.packers import SharingPacker
from benchmarks.packing.planned import hosts_of
from benchmarks.packing.protocol import Play, arrivals, listed
from benchmarks.packing.room import Seat
from benchmarks.packing.workload import Fleet, Pods
from scheduler.control.gc_freeze import spare_collector
from scheduler.model.demand import Demand
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

FROM, TO = 0.45, 0.9
"""Arrived demand over capacity between which time is taken."""
COPIES: Final = (1, 8)
"""How many times over the hosts are there: 1,213 and 9,704 of them on the openb trace."""
EXACT_PODS: Final = 40
"""Pods after which the yardstick is known well enough; every one of them takes it tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured on one fleet.

    Attributes:
        hosts: how many.
        turn_each_per_s: of the default policy, where every pod is a turn of the loop that looks at the site anew.
        one_plan_per_s: of one `plan()` for all of them, reasons for what waits included.
        exact_fgd_per_s: of the yardstick.
    """

    hosts: int
    turn_each_per_s: float
    one_plan_per_s: float
    exact_fgd_per_s: float


def speed(fleet: Fleet, pods: Pods, seed: int) -> Speed:
    """Measure on one fleet."""
    play = Play(fleet, pods, CONTENDERS["headroom"](fleet, pods), seed)
    order = arrivals(pods, fleet.capacity_milli, seed)
    asked = pods.gpu_milli[order].cumsum()
    first, last = asked.searchsorted([FROM * fleet.capacity_milli, TO * fleet.capacity_milli]).tolist()
    there = [(play.arrive(shape), pods.shapes[shape]) for shape in order[:first].tolist()]
    coming = order[first:last].tolist()
    one_plan = _one_plan(listed(fleet, seed), there, [pods.shapes[shape] for shape in coming])
    return Speed(len(fleet.cpu_milli), _turn_each(play, coming), one_plan, _exact(fleet, pods, seed))


def speeds(fleet: Fleet, pods: Pods, seed: int) -> tuple[Speed, ...]:
    """Measure on the fleet and on several times as many hosts and pods."""
    return tuple(speed(fleet.times(copies), pods.times(copies), seed) for copies in COPIES)


def document(measured: tuple[Speed, ...]) -> dict[str, object]:
    """Return what `--json` prints, by the number of hosts."""
    return {
        str(one.hosts): {
            "turn_each_per_s": round(one.turn_each_per_s, 1),
            "one_plan_per_s": round(one.one_plan_per_s, 1),
            "exact_fgd_per_s": round(one.exact_fgd_per_s, 1),
        }
        for one in measured
    }


def _turn_each(play: Play, coming: Sequence[int]) -> float:
    spare_collector()
    began = time.process_time()
    placed = sum(play.arrive(shape) is not None for shape in coming)
    return placed / (time.process_time() - began)


def _one_plan(fleet: Fleet, there: Sequence[tuple[Seat | None, Shape]], coming: Sequence[Shape]) -> float:
    hosts = hosts_of(fleet)
    running = [
        replace(_job(number, shape), state=JobState.RUNNING, slots=(Slot(hosts[seat.row].name, seat.devices),))
        for number, (seat, shape) in enumerate(there)
        if seat is not None
    ]
    waiting = [_job(len(there) + number, shape) for number, shape in enumerate(coming)]
    snapshot = Snapshot.of(hosts=hosts, jobs=(*running, *waiting))
    spare_collector()
    began = time.process_time()
    decided = plan(snapshot, Demand(()), DEFAULT_POLICY)
    return sum(isinstance(action, StartJob) for action in decided.actions) / (time.process_time() - began)


def _job(number: int, shape: Shape) -> TrainingJob:
    return TrainingJob(JobId(f"{number:06}"), "pod", Gang(1, shape), preemptible=False)


def _exact(fleet: Fleet, pods: Pods, seed: int) -> float:
    scoring = peers.fgd(mix_of(pods), fleet.models)
    play = Play(fleet, pods, lambda room, table, _: SharingPacker(room, table, scoring, keep=False), seed)
    order = arrivals(pods, fleet.capacity_milli, seed)[:EXACT_PODS].tolist()
    began = time.process_time()
    placed = sum(play.arrive(shape) is not None for shape in order)
    return placed / (time.process_time() - began)
