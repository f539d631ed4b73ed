"""What a cycle costs as the site grows: in hosts, in waiting jobs and in running jobs, the others left as they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.speed.measure import Measured, Progress, measure
from benchmarks.speed.report import PARTS, percentiles_ms
from benchmarks.speed.site import Size
from scheduler.model.policy import Policy

AXES: Final[Mapping[str, tuple[int, ...]]] = {
    "hosts": (100, 300, 1000, 3000, 10_000),
    "pending": (10, 100, 1000, 10_000),
    "running": (100, 1000, 10_000),
}
"""What grows, and its values. With the hosts grow their jobs: two running and one half waiting for each host."""


@dataclass(frozen=True, slots=True)
class Point:
    """One site of the curve: the axis along which it lies, its value there, and what was measured."""

    axis: str
    value: int
    found: Measured

    @property
    def row(self) -> dict[str, float]:
        """Percentiles of snapshot and plan together, milliseconds, and seconds for a plan from nothing."""
        cycles = self.found.cycles
        wall = percentiles_ms(PARTS["together"](cycle).wall_s for cycle in cycles)
        cpu = percentiles_ms(PARTS["together"](cycle).cpu_s for cycle in cycles)
        cold = self.found.cold[0] + self.found.cold[1]
        size = self.found.size
        return {
            "hosts": size.hosts,
            "running": self.found.running,
            "pending": self.found.pending,
            "p50_ms": round(wall[0], 2),
            "p99_ms": round(wall[1], 2),
            "p50_cpu_ms": round(cpu[0], 2),
            "p99_cpu_ms": round(cpu[1], 2),
            "cold_cpu_s": round(cold.cpu_s, 3),
        }


def sizes(base: Size, most_hosts: int) -> Iterator[tuple[str, int, Size]]:
    """Yield the axis, the value and the site of each point; hosts grow up to `most_hosts`, the rest on `base`."""
    for axis, values in AXES.items():
        for value in values:
            if axis == "hosts" and value <= most_hosts:
                yield axis, value, replace(base, hosts=value, running=2 * value, pending=value // 2)
            elif axis == "pending":
                yield axis, value, replace(base, pending=value)
            elif axis == "running":
                yield axis, value, replace(base, running=value)


def curve(base: Size, most_hosts: int, policy: Policy, cycles: int, progress: Progress) -> list[Point]:
    """Measure every point, `cycles` cycles each."""
    points = []
    for axis, value, size in sizes(base, most_hosts):
        progress(f"{axis} {value}")
        points.append(Point(axis, value, measure(size, policy, cycles, lambda _: None)))
    return points


def document(points: Sequence[Point]) -> dict[str, object]:
    """Return what `--json` prints."""
    return {"curve": {axis: [point.row for point in points if point.axis == axis] for axis in AXES}}
