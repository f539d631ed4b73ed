"""A world small enough to see through: a clock that is told the time, a cluster that fails when it is told to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.cycle import Cycle
from scheduler.control.ports import Store, Traffic, TrafficSource
from scheduler.control.reports.board import Board
from scheduler.control.settings import Declared, Served, Settings
from scheduler.model.errors import ActionFailed, Unreachable
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.model.observation import Observation, Progress, Run, RunState
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, Replica, ReplicaId, ReplicaState, ServingModel
from simulations.memory_store import MemoryStore

MONDAY_S = 1_350_259_200.0
"""2012-10-15 00:00 UTC."""
GPU = Shape(1000, 1024, 1)


@dataclass
class ToldClock:
    """A clock that goes when it is told to."""

    at_s: float = MONDAY_S
    speed: float = 1.0

    def now_s(self) -> float:
        """Return the moment told."""
        return self.at_s

    def to_world_s(self, wall_s: float) -> float:
        """Return `wall_s`."""
        return wall_s

    def sleep(self, duration_s: float) -> None:
        """Go on at once."""
        self.at_s += duration_s


@dataclass
class FakeCluster:
    """Runs jobs at one step a second; refuses to be oversubscribed, and says so loudly."""

    clock: ToldClock
    store: Store
    hosts: dict[str, Host]
    steps: Mapping[str, int] = field(default_factory=dict)
    start_s: float = 5.0
    checkpoint_every_s: float = 10.0
    warm_up_s: float = 20.0
    silent: bool = False
    refuses: Callable[[Action], bool] = lambda _: False
    runs: dict[tuple[str, int], Run] = field(default_factory=dict)
    replicas: dict[str, Replica] = field(default_factory=dict)
    applied: list[Action] = field(default_factory=list)
    begun: list[tuple[str, int]] = field(default_factory=list)
    forgotten: list[tuple[str, int]] = field(default_factory=list)
    stops: dict[tuple[str, int], float] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    declared: tuple[Declared, ...] = ()
    broken: set[tuple[str, int]] = field(default_factory=set)
    work: dict[tuple[str, int], tuple[Shape, int]] = field(default_factory=dict)
    """Shape and first step of every run."""

    def observe(self) -> Observation:
        """Show what is there by now."""
        self._answer()
        self.advance()
        hosts = tuple(self.hosts[name] for name in sorted(self.hosts))
        return Observation(self.clock.at_s, hosts, tuple(self.runs.values()), tuple(self.replicas.values()))

    def apply(self, action: Action) -> None:
        """Begin an action, unless it is there or gone already."""
        self._answer()
        if self.refuses(action):
            raise ActionFailed("the cluster does not feel like it")
        self.applied.append(action)
        match action:
            case StartJob():
                self._start(action)
            case PreemptJob():
                self._preempt(action)
            case StartReplica():
                name = f"{action.model}-{len(self.applied):04d}"
                self._check_room()
                self.replicas[name] = Replica(
                    ReplicaId(name),
                    action.model,
                    action.slot,
                    ReplicaState.STARTING,
                    self.clock.at_s,
                    revision=action.revision,
                )
                self._check_room()
            case StopReplica():
                self.replicas.pop(action.replica_id, None)

    def declare(self, declared: Sequence[Declared]) -> None:
        """Know other models."""
        self._answer()
        self.declared = tuple(declared)
        self.shapes |= {one.model.name: one.model.shape for one in declared}

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop a run."""
        self._answer()
        self.forgotten.append((job_id, attempt))
        self.runs.pop((job_id, attempt), None)

    def advance(self) -> None:
        """Let everything come to where it is by now."""
        now_s = self.clock.at_s
        for key, run in list(self.runs.items()):
            if run.state.holds_room:
                self.runs[key] = self._moved(key, run, now_s)
        for name, replica in list(self.replicas.items()):
            if replica.state is not ReplicaState.STARTING or now_s < replica.since_s + self.warm_up_s:
                continue
            if (replica.model, replica.revision) in self.broken:
                self.replicas[name] = replace(replica, fault="its constructor raised")
            else:
                self.replicas[name] = replace(replica, state=ReplicaState.READY, since_s=now_s)

    def lose(self, host: str, *, noticed: bool = True) -> None:
        """Take a host away, and all that is on it; runs go on being shown when the cluster has not `noticed` it."""
        self.advance()
        self.hosts[host] = replace(self.hosts[host], state=HostState.LOST)
        if not noticed:
            return
        for key, run in list(self.runs.items()):
            if run.state.holds_room and any(slot.host == host for slot in run.slots):
                self.runs[key] = replace(run, state=RunState.LOST, ended_at_s=self.clock.at_s)
        self.replicas = {name: r for name, r in self.replicas.items() if r.slot.host != host}

    @property
    def holding(self) -> list[Run]:
        """Runs that hold room."""
        return [run for run in self.runs.values() if run.state.holds_room]

    def _answer(self) -> None:
        if self.silent:
            raise Unreachable("the cluster does not answer")

    def _start(self, action: StartJob) -> None:
        key = (action.job_id, action.attempt)
        if key in self.runs or key in self.forgotten:
            return
        self.begun.append(key)
        record = self.store.job(action.job_id)
        self.work[key] = (record.spec.gang.shape, record.attempts[-1].resumed_from_step)
        self.runs[key] = Run(action.job_id, action.attempt, action.slots, RunState.STARTING, self.clock.at_s)
        self._check_room()

    def _preempt(self, action: PreemptJob) -> None:
        key = (action.job_id, action.attempt)
        run = self.runs.get(key)
        if run is not None and run.state in {RunState.STARTING, RunState.RUNNING}:
            self.advance()
            self.stops[key] = self.clock.at_s + min(3.0, action.grace_period_s)
            self.runs[key] = replace(self.runs[key], state=RunState.STOPPING)

    def _moved(self, key: tuple[str, int], run: Run, now_s: float) -> Run:
        ran_s = max(0.0, min(now_s, self.stops.get(key, now_s)) - run.started_at_s - self.start_s)
        first = self.work[key][1]
        total = self.steps.get(run.job_id, 40)
        if first + ran_s >= total:
            done_s = run.started_at_s + self.start_s + total - first
            return replace(run, state=RunState.SUCCEEDED, ended_at_s=done_s, progress=Progress(total, total, done_s))
        saved = int(ran_s // self.checkpoint_every_s * self.checkpoint_every_s)
        progress = Progress(first + saved, total, run.started_at_s + self.start_s + saved) if saved else None
        if run.state is RunState.STOPPING and now_s >= self.stops[key]:
            saved_now = Progress(first + int(ran_s), total, self.stops[key]) if ran_s else None
            return replace(run, state=RunState.STOPPED, ended_at_s=self.stops[key], progress=saved_now)
        started = run.state is RunState.STARTING and now_s >= run.started_at_s + self.start_s
        return replace(run, state=RunState.RUNNING if started else run.state, progress=progress)

    def intrude(self, job_id: str, attempt: int, *slots: Slot) -> None:
        """Let a run be there that nobody has asked for."""
        key = (job_id, attempt)
        self.work[key] = (GPU, 0)
        self.runs[key] = Run(JobId(job_id), attempt, slots, RunState.STARTING, self.clock.at_s)

    def _check_room(self) -> None:
        jobs = [(slot, self.work[run.job_id, run.attempt][0]) for run in self.holding for slot in run.slots]
        replicas = [(r.slot, self.shapes[r.model]) for r in self.replicas.values()]
        ledger = Ledger.of(list(self.hosts.values()), [*jobs, *replicas])
        exists = ledger.table.device_exists
        assert (ledger.gpu_milli[exists] >= 0).all(), "a device was given twice"
        assert (ledger.cpu_milli >= 0).all(), "cores were given twice"


@dataclass
class ToldTraffic:
    """Hourly history of a function of time, and its value of the moment."""

    rate: Callable[[float], float]
    history_s: float = 42 * 86400.0
    silent: bool = False
    reads: int = 0

    def read(self, now_s: float) -> Traffic:
        """Return the history up to now."""
        self.reads += 1
        if self.silent:
            raise Unreachable("the source does not answer")
        end_s = int(now_s // 3600 * 3600)
        start_s = end_s - int(self.history_s // 3600 * 3600)
        values = np.array([self.rate(at_s + 1800.0) for at_s in range(start_s, end_s, 3600)])
        return Traffic(Series(start_s, 3600, values), self.rate(now_s), now_s)


def gpu_hosts(count: int, devices: int = 2) -> dict[str, Host]:
    """Return hosts a, b, … with so many devices each."""
    names = [chr(ord("a") + index) for index in range(count)]
    return {name: Host(name, 16000, 65536, tuple(Device(i, 1024) for i in range(devices)), "MI210") for name in names}


@dataclass
class Lab:
    """A control plane over a fake cluster; `restart` forgets all that was only in memory."""

    store: Store
    clock: ToldClock
    cluster: FakeCluster
    served: list[Served] = field(default_factory=list)
    sources: dict[str, TrafficSource] = field(default_factory=dict)
    settings: Settings = field(
        default_factory=lambda: Settings(period_s=5.0, min_runtime_s=0.0, scale_down_after_s=60.0)
    )
    board: Board = field(default_factory=Board)
    cycle: Cycle = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new process on the same store and cluster."""
        self.board = Board()
        self.cluster.shapes |= {one.model.name: one.model.shape for one in self.served}
        self.cycle = Cycle(
            cluster=self.cluster,
            store=self.store,
            clock=self.clock,
            served=self.served,
            sources=self.sources,
            policy=policy_from_names(min_runtime_s=0.0, reservation_s=60.0),
            settings=self.settings,
            board=self.board,
            timer=lambda: 0.0,
        )

    def submit(
        self, name: str = "job", *, workers: int = 1, priority: int = 50, shape: Shape = GPU, **more: object
    ) -> JobId:
        """Accept a job."""
        spec = JobSpec(name, "python train.py", Gang(workers, shape), priority=priority, grace_period_s=10.0)
        return self.store.accept(replace(spec, **more), self.clock.at_s).job_id

    def turns(self, count: int, pause_s: float = 5.0) -> None:
        """Take turns with pauses between them."""
        for _ in range(count):
            self.cycle.turn()
            self.clock.at_s += pause_s

    def events(self) -> list[str]:
        """Return the titles of all events."""
        return [event.title for event in self.store.events(limit=1000)]

    def serve(self, name: str, rate: Callable[[float], float], **more: object) -> None:
        """Declare a model of one GPU a replica and 10 requests per second, and restart."""
        model = ServingModel(name, GPU, **{"min_replicas": 1, "max_replicas": 8, "warm_up_s": 20.0, **more})
        self.served.append(Served(model, name, 1.0, TargetRate(10.0)))
        self.sources[name] = ToldTraffic(rate)
        self.restart()


def build(hosts: Iterable[Host], store: Store | None = None) -> Lab:
    """Build a lab on hosts."""
    kept = store or MemoryStore()
    clock = ToldClock()
    return Lab(kept, clock, FakeCluster(clock, kept, {host.name: host for host in hosts}))


@pytest.fixture
def lab() -> Lab:
    """Return two hosts with two devices each, and nothing served."""
    return build(gpu_hosts(2).values())


@pytest.fixture
def build_lab() -> Callable[..., Lab]:
    """Return the builder, for tests that want other hosts or another store."""
    return lambda hosts=2, devices=2, store=None: build(gpu_hosts(hosts, devices).values(), store)
