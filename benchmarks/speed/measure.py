"""Measures the planner on a site at work: cold plans, then cycles with one change each."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.speed.site import Size
from benchmarks.speed.world import CHANGES, World
from scheduler.control.gc_freeze import spare_collector
from scheduler.control.jobs.reconcile import reconcile
from scheduler.control.patience import Patience
from scheduler.control.records import CycleRecord
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.model.plan import Plan, StartJob, StartReplica
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.planning.planner import plan
from scheduler.store.sql import SqlStore

SETTLING: Final = 40
"""Most cycles until nothing starts any more."""
QUIET: Final = 3
"""Cycles without an action after which a site is settled."""
RESTART_COST_S: Final = 60.0
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Taken:
    """How long something took, in seconds: by the wall, and of this process's time on a processor."""

    wall_s: float
    cpu_s: float

    def __add__(self, other: "Taken") -> "Taken":
        """Add two."""
        return Taken(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)


@dataclass(frozen=True, slots=True)
class CycleTimes:
    """One cycle.

    Attributes:
        kind: what had changed, a key of `CHANGES`.
        snapshot: from records and the observation to the snapshot.
        plan: from the snapshot to the plan.
        actions: how many the plan asked for.
        reconcile: from the records and the observation to the records as they are now.
        journal: the entry of the cycle, on disk.
    """

    kind: str
    snapshot: Taken
    plan: Taken
    actions: int
    reconcile: Taken = Taken(0.0, 0.0)
    journal: Taken = Taken(0.0, 0.0)


@dataclass(slots=True)
class Measured:
    """Everything measured on one site.

    Attributes:
        size: as asked for.
        running, pending: as they were before the cycles.
        empty: snapshot and plan with every job waiting and every host empty.
        started: jobs that this plan started.
        placed: workers and replicas that it placed.
        cold: snapshot and plan of the site at work, nothing remembered.
        cycles: the steady cycles.
    """

    size: Size
    running: int = 0
    pending: int = 0
    empty: tuple[Taken, Taken] = (Taken(0.0, 0.0), Taken(0.0, 0.0))
    started: int = 0
    placed: int = 0
    cold: tuple[Taken, Taken] = (Taken(0.0, 0.0), Taken(0.0, 0.0))
    cycles: list[CycleTimes] = field(default_factory=list)


def measure(size: Size, policy: Policy, cycles: int, progress: Progress) -> Measured:
    """Fill a site, settle it, and time `cycles` cycles; kinds of change take turns."""
    found, world, loop = Measured(size), World(size), _Loop(policy)
    for _ in range(size.running + size.pending):
        world.submit()
    progress(f"{size.hosts} hosts, {size.gpus} GPUs: all {size.running + size.pending} jobs wait, hosts are empty")
    found.empty, made = loop.turn(world)
    starts = [action for action in made.actions if isinstance(action, StartJob)]
    found.started, replicas = len(starts), sum(isinstance(action, StartReplica) for action in made.actions)
    found.placed = sum(len(start.slots) for start in starts) + replicas
    world.carry_out(made)
    world.age()
    for number in _settle(world, loop):
        progress(f"settling, cycle {number}: {world.running} jobs run, {world.pending} wait")
    found.running, found.pending = world.running, world.pending
    found.cold, made = _Loop(policy).turn(world)
    spare_collector()
    with TemporaryDirectory() as folder:
        store = SqlStore(f"sqlite:///{folder}/state.db")
        for number in range(cycles):
            kind = list(CHANGES)[number % len(CHANGES)]
            CHANGES[kind](world)
            found.cycles.append(_cycle(kind, world, loop, store))
            if number % max(1, cycles // 10) == 0:
                took = found.cycles[-1].snapshot + found.cycles[-1].plan
                progress(f"cycle {number + 1} of {cycles}: {1000 * took.wall_s:.0f} ms, {kind}")
        store.close()
    return found


def _cycle(kind: str, world: World, loop: "_Loop", store: SqlStore) -> CycleTimes:
    began = _now()
    reconcile(tuple(world.jobs.values()), world.observation(), Patience(), loop.number, world.now_s)
    reconciled = _since(began, _now())
    (snapshot, planned), made = loop.turn(world)
    record = CycleRecord(loop.number, world.now_s, loop.snapshot, world.demand, made, planned.wall_s)
    began = _now()
    store.journal(record)
    journalled = _since(began, _now())
    world.carry_out(made)
    return CycleTimes(kind, snapshot, planned, len(made.actions), reconciled, journalled)


class _Loop:
    """What a turn of the control loop does between the observation and its plan."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self._builder, self.number = policy, SnapshotBuilder(), 0
        self.snapshot = Snapshot.of()

    def turn(self, world: World) -> tuple[tuple[Taken, Taken], Plan]:
        """Return the times of the snapshot and of the plan, and the plan."""
        self.number += 1
        seen, jobs = world.observation(), tuple(world.jobs.values())
        began = _now()
        self.snapshot = self._builder.snapshot(
            version=self.number,
            seen=seen,
            jobs=jobs,
            strays=(),
            marks=(),
            reservations=world.reservations,
            models=world.models,
            restart_cost_s=RESTART_COST_S,
            queues=world.queues,
        )
        between = _now()
        made = plan(self.snapshot, world.demand, self._policy)
        return (_since(began, between), _since(between, _now())), made


def _settle(world: World, loop: _Loop) -> Iterator[int]:
    """Plan until nothing starts or stops any more, keeping as many jobs waiting as are asked for."""
    wanted, quiet = world.size.pending, 0
    for number in range(SETTLING):
        for _ in range(world.pending - wanted):
            world.withdraw()
        for _ in range(wanted - world.pending):
            world.submit()
        _, made = loop.turn(world)
        world.carry_out(made)
        yield number
        quiet = quiet + 1 if not made.actions and world.pending == wanted else 0
        if quiet == QUIET:
            return


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(began: tuple[float, float], ended: tuple[float, float]) -> Taken:
    return Taken(ended[0] - began[0], ended[1] - began[1])
