"""What happened in a run, told in full: watched turn by turn, and judged once it is known what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

from scheduler.control.records import JobRecord
from scheduler.control.reports.board import Report
from scheduler.model.hosts import HostState
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import ReplicaState
from simulations.hindsight import Seen, Stop, Violation, stops_of, violations_of
from simulations.outcome import first_start_s
from simulations.run import Simulation

MOST_BINS: Final = 480
"""Points of a timeline; of a longer run each stands for more time."""
READY, STARTING, TRAINING, FREE, DRAINED, LOST = "SsT.dx"
"""Marks of a device in `Evidence.occupancy`."""


@dataclass(frozen=True, slots=True)
class Point:
    """One moment of a run, in GPUs.

    Attributes:
        at_s: epoch seconds.
        demand: that the load needed, as the loop saw it.
        p50, p99: what had been forecast for this moment one lead time before; NaN when nothing had.
        ready, serving, training, free, drained: see `GpuShares`.
        waiting: jobs in the queue.
    """

    at_s: float
    demand: float
    p50: float
    p99: float
    ready: float
    serving: float
    training: float
    free: float
    drained: float
    waiting: int


@dataclass(frozen=True, slots=True)
class JobStory:
    """One job, for waits by priority and size.

    Attributes:
        priority: class as an integer.
        gpus: of all its workers.
        wait_s: until its first start; until the end of the run when it never started.
        completion_s: from submission to success; NaN without one.
    """

    priority: int
    gpus: float
    wait_s: float
    completion_s: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a report tells of one run.

    Attributes:
        seed: of the run.
        points: the timeline.
        hosts: names of those with devices.
        occupancy: of each of `hosts` its devices, of each device one mark a point.
        jobs: all of them.
        stops: preemptions.
        violations: times in which a model was short.
        outages: (host, from, until), epoch seconds.
        synthetic: what of the run is made up, in words.
    """

    seed: int
    points: tuple[Point, ...]
    hosts: tuple[str, ...]
    occupancy: tuple[tuple[str, ...], ...]
    jobs: tuple[JobStory, ...]
    stops: tuple[Stop, ...]
    violations: tuple[Violation, ...]
    outages: tuple[tuple[str, float, float], ...]
    synthetic: tuple[str, ...]


class Witness:
    """Watches a simulation; it has to be there before the first turn."""

    def __init__(self, simulation: Simulation, seed: int, synthetic: Sequence[str] = ()) -> None:
        """Have the loop say what it foresees, and listen to every turn."""
        self._simulation, self._seed, self._synthetic = simulation, seed, tuple(synthetic)
        setup = simulation.setup
        self._bin_s = max(setup.settings.period_s, (setup.end_s - setup.start_s) / MOST_BINS)
        self._hosts = tuple(host.name for host in setup.hosts if host.devices)
        self._points: list[Point] = []
        self._marks: list[dict[str, str]] = []
        self._seen = Seen()
        simulation.foresee()
        simulation.cycle.board.listeners.append(self._hear)

    def evidence(self) -> Evidence:
        """Return what was seen, in the light of what came of it."""
        simulation, setup = self._simulation, self._simulation.setup
        now_s, jobs = simulation.world.engine.now_s(), simulation.world.store.jobs(open_only=False)
        services = simulation.services()
        return Evidence(
            seed=self._seed,
            points=tuple(self._points),
            hosts=self._hosts,
            occupancy=tuple(self._devices(host) for host in self._hosts),
            jobs=tuple(_story(job, now_s) for job in jobs),
            stops=stops_of(jobs, self._seen, services, now_s),
            violations=violations_of(self._seen, services, setup),
            outages=tuple((one.host, one.at_s, one.until_s) for one in setup.outages),
            synthetic=self._synthetic,
        )

    def _hear(self, report: Report) -> None:
        setup, cycle = self._simulation.setup, report.cycle
        self._seen.hear(cycle)
        if not setup.start_s <= cycle.at_s < setup.end_s:
            return
        if self._points and cycle.at_s < self._points[-1].at_s + self._bin_s:
            return
        self._points.append(self._point(cycle.snapshot))
        self._marks.append(_marks(cycle.snapshot))

    def _point(self, snapshot: Snapshot) -> Point:
        shares = self._simulation.cycle.board.history[-1]
        free = shares.free + shares.held + shares.reserved
        return Point(
            shares.at_s,
            shares.demand,
            shares.p50,
            shares.p99,
            shares.ready,
            shares.serving,
            shares.training,
            free,
            shares.drained,
            len(snapshot.waiting),
        )

    def _devices(self, host: str) -> tuple[str, ...]:
        """Return the marks of each device of a host over time."""
        return tuple(map("".join, zip(*(marks[host] for marks in self._marks), strict=True)))


def _marks(snapshot: Snapshot) -> dict[str, str]:
    """Return who has each device of each host, one mark a device in their order."""
    found = {host.name: [_idle(host.state)] * len(host.devices) for host in snapshot.hosts if host.devices}
    for job in snapshot.jobs:
        for slot in job.slots:
            _mark(found, slot.host, slot.devices, TRAINING)
    for replica in snapshot.replicas:
        mark = READY if replica.state is ReplicaState.READY else STARTING
        _mark(found, replica.slot.host, replica.slot.devices, mark)
    return {name: "".join(marks) for name, marks in found.items()}


def _mark(found: dict[str, list[str]], host: str, devices: Sequence[int], mark: str) -> None:
    marks = found.get(host)
    for device in devices if marks is not None and marks[0] != LOST else ():
        marks[device] = mark  # type: ignore[index]  # not None here


def _idle(state: HostState) -> str:
    return LOST if state is HostState.LOST else FREE if state is HostState.READY else DRAINED


def _story(job: JobRecord, now_s: float) -> JobStory:
    wait_s = first_start_s(job, now_s) - job.submitted_at_s
    is_done = job.finished_at_s is not None and job.state.is_final
    completion_s = job.finished_at_s - job.submitted_at_s if is_done and job.finished_at_s else nan
    return JobStory(job.spec.priority, job.spec.gang.gpus, wait_s, completion_s)
