"""How many placements a second: a packer at work on a half-full site, in this process's time on a processor.

All that happens while it places counts: decisions, refusals, keeping scores, looking at what is scarce, learning. The
collector of garbage is spared what was there before, as in the control loop.
The yardstick is FGD scoring every host anew for every pod, on as many hosts in the same run.
"""

import time
from dataclasses import dataclass
from typing import Final

from benchmarks.packing import peers
from benchmarks.packing.contenders import CONTENDERS, mix_of
from benchmarks.packing.packers import SharingPacker
from benchmarks.packing.protocol import PackerOf, Play, arrivals
from benchmarks.packing.workload import Fleet, Pods
from scheduler.control.pauses import spare_collector

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
        placements_per_s: of the default policy, everything included.
        deciding_per_s: without what it took to learn prices, which happens ever more seldom.
        exact_fgd_per_s: of the yardstick.
    """

    hosts: int
    placements_per_s: float
    deciding_per_s: float
    exact_fgd_per_s: float

    @property
    def times_fgd(self) -> float:
        """How many times as fast as the yardstick."""
        return self.placements_per_s / self.exact_fgd_per_s


def speed(fleet: Fleet, pods: Pods, seed: int) -> Speed:
    """Measure on one fleet."""
    placed, spent_s, learning_s = _timed(CONTENDERS["headroom"](fleet, pods), fleet, pods, seed)
    return Speed(len(fleet.cpu_milli), placed / spent_s, placed / (spent_s - learning_s), _exact(fleet, pods, seed))


def speeds(fleet: Fleet, pods: Pods, seed: int) -> tuple[Speed, ...]:
    """Measure on the fleet and on several times as many hosts and pods."""
    return tuple(speed(fleet.times(copies), pods.times(copies), seed) for copies in COPIES)


def document(measured: tuple[Speed, ...]) -> dict[str, object]:
    """Return what `--json` prints, by the number of hosts."""
    return {
        str(one.hosts): {
            "placements_per_s": round(one.placements_per_s, 1),
            "deciding_per_s": round(one.deciding_per_s, 1),
            "exact_fgd_per_s": round(one.exact_fgd_per_s, 1),
            "times_fgd": round(one.times_fgd, 1),
        }
        for one in measured
    }


def _timed(packer_of: PackerOf, fleet: Fleet, pods: Pods, seed: int) -> tuple[int, float, float]:
    """Return pods placed, seconds spent, and those of them spent on learning."""
    play, order = Play(fleet, pods, packer_of, seed), arrivals(pods, fleet.capacity_milli, seed)
    asked = pods.gpu_milli[order].cumsum()
    first, last = asked.searchsorted([FROM * fleet.capacity_milli, TO * fleet.capacity_milli]).tolist()
    for shape in order[:first].tolist():
        play.arrive(shape)
    spare_collector()
    learned_s, began = play.learning_s, time.process_time()
    placed = sum(play.arrive(shape) is not None for shape in order[first:last].tolist())
    return placed, time.process_time() - began, play.learning_s - learned_s


def _exact(fleet: Fleet, pods: Pods, seed: int) -> float:
    scoring = peers.fgd(mix_of(pods), fleet.models)
    play = Play(fleet, pods, lambda room, table, _: SharingPacker(room, table, scoring, keep=False), seed)
    order = arrivals(pods, fleet.capacity_milli, seed)[:EXACT_PODS].tolist()
    began = time.process_time()
    placed = sum(play.arrive(shape) is not None for shape in order)
    return placed / (time.process_time() - began)
