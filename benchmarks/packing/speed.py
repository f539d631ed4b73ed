"""How many placements a second one plan makes, in this process's time on a processor, on a site that is 45 % full.

All that `plan()` does counts: decisions, refusals and why, looking at what is scarce, learning. The collector of
garbage is spared what was there before, as in the control loop.
The yardstick is FGD scoring every host anew for every pod, on as many hosts in the same run.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.packing import peers
from benchmarks.packing.contenders import DEFAULT_POLICY, mix_of
from benchmarks.packing.packers import SharingPacker
from benchmarks.packing.planned import hosts_of
from benchmarks.packing.protocol import Play, arrivals, listed
from benchmarks.packing.workload import Fleet, Pods
from scheduler.control.gc_freeze import spare_collector
from scheduler.model.demand import Demand
from scheduler.model.hosts import Host
from scheduler.model.plan import StartJob
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

FROM, TO = 0.45, 0.9
"""Arrived demand over capacity of what is there, and with what waits."""
COPIES: Final = (1, 8)
"""How many times over the hosts are there: 1,213 and 9,704 of them on the openb trace."""
EXACT_PODS: Final = 40
"""Pods after which the yardstick is known well enough; every one of them takes it tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured on one fleet.

    Attributes:
        hosts: how many.
        placements_per_s: of one `plan()` by the default policy for all that waits.
        exact_fgd_per_s: of the yardstick.
    """

    hosts: int
    placements_per_s: float
    exact_fgd_per_s: float

    @property
    def times_fgd(self) -> float:
        """How many times as fast as the yardstick."""
        return self.placements_per_s / self.exact_fgd_per_s


def speed(fleet: Fleet, pods: Pods, seed: int) -> Speed:
    """Measure on one fleet."""
    order = arrivals(pods, fleet.capacity_milli, seed)
    asked = pods.gpu_milli[order].cumsum()
    first, last = asked.searchsorted([FROM * fleet.capacity_milli, TO * fleet.capacity_milli]).tolist()
    shapes, hosts = [pods.shapes[shape] for shape in order[:last].tolist()], hosts_of(listed(fleet, seed))
    running, _ = _started(hosts, (), shapes[:first])
    placed, spent_s = _started(hosts, running, shapes[first:])
    return Speed(len(hosts), len(placed) / spent_s, _exact(fleet, pods, seed))


def speeds(fleet: Fleet, pods: Pods, seed: int) -> tuple[Speed, ...]:
    """Measure on the fleet and on several times as many hosts and pods."""
    return tuple(speed(fleet.times(copies), pods.times(copies), seed) for copies in COPIES)


def document(measured: tuple[Speed, ...]) -> dict[str, object]:
    """Return what `--json` prints, by the number of hosts."""
    return {
        str(one.hosts): {
            "placements_per_s": round(one.placements_per_s, 1),
            "exact_fgd_per_s": round(one.exact_fgd_per_s, 1),
            "times_fgd": round(one.times_fgd, 1),
        }
        for one in measured
    }


def _started(
    hosts: Sequence[Host], running: Sequence[TrainingJob], coming: Sequence[Shape]
) -> tuple[list[TrainingJob], float]:
    """Return the jobs that one plan starts beside those that run, as they then run, and the seconds that it took."""
    waiting = {
        job_id: TrainingJob(job_id, "pod", Gang(1, shape), preemptible=False)
        for number, shape in enumerate(coming)
        for job_id in (JobId(f"{len(running)}-{number:06}"),)
    }
    snapshot = Snapshot.of(hosts=hosts, jobs=(*running, *waiting.values()))
    spare_collector()
    began = time.process_time()
    made = plan(snapshot, Demand(()), DEFAULT_POLICY)
    spent_s = time.process_time() - began
    starts = [action for action in made.actions if isinstance(action, StartJob)]
    return [
        replace(waiting[start.job_id], state=JobState.RUNNING, slots=start.slots, started_at_s=0.0) for start in starts
    ], spent_s


def _exact(fleet: Fleet, pods: Pods, seed: int) -> float:
    scoring = peers.fgd(mix_of(pods), fleet.models)
    play = Play(fleet, pods, lambda room, table, _: SharingPacker(room, table, scoring, keep=False), seed)
    order = arrivals(pods, fleet.capacity_milli, seed)[:EXACT_PODS].tolist()
    began = time.process_time()
    placed = sum(play.arrive(shape) is not None for shape in order)
    return placed / (time.process_time() - began)
