"""Plays a story with the real control loop, and looks after every turn whether each promise holds."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from benchmarks.chaos.promises import Broken, look, look_back
from benchmarks.chaos.shaky import Death, Fate, ShakyClock, ShakyCluster, ShakyStore, ShakyTraffic
from benchmarks.chaos.stories import BUSY_S, DEVICES, HOSTS, Job, Kind, Story, Trouble
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.config.scenario import Starts
from scheduler.control.cycle import Cycle
from scheduler.control.records import DesiredState, HostMark
from scheduler.control.reports.board import Board
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.configured import Configured
from scheduler.control.settings import Served, Settings
from scheduler.model.errors import Unreachable
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, ReplicaState, ServingModel
from simulations.faults import StartFaults
from simulations.work import Work
from simulations.world import World

PERIOD_S: Final = 60.0
PEACE_S: Final = 24 * 3600.0
"""Within so long after the last trouble every job is over: waiting is bounded."""
SETTLE_S: Final = 3 * 3600.0
"""Within so long serving has what a high load needs, when every job is over: models that were given up are tried."""
HIGH_RPS: Final = 80.0
DOWN_S: Final = 60.0
"""A control plane that ended is there again after so long."""
JUMPS_S: Final = (-7200.0, -300.0, 300.0, 7200.0)
LIES: Final = (0.0, 1e4, -5.0, 1e-9)
MODELS: Final = (
    ServingModel("m", Shape(1000, 256, 1), 1, 5, warm_up_s=120.0),
    ServingModel("n", Shape(1000, 256, 1, 500), 0, 3, warm_up_s=600.0, max_per_host=2),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a story ended.

    Attributes:
        story: what was played.
        broken: the promise that was broken; "" when all held.
        why: what was seen.
        at_s: when, seconds since the beginning.
        turns: that were taken.
        deaths: of the control plane.
    """

    story: Story
    broken: str
    why: str
    at_s: float
    turns: int
    deaths: int


def play(story: Story) -> Verdict:
    """Play a story to its end, or until a promise is broken."""
    life = Life(story)
    try:
        life.run()
    except Broken as broken:
        return Verdict(story, broken.promise, str(broken), life.now_s, life.turns, life.deaths)
    except Exception as error:  # noqa: BLE001  # whatever ends the loop is a promise broken
        said = f"{type(error).__name__}: {error}"
        return Verdict(story, "the loop goes on", said, life.now_s, life.turns, life.deaths)
    return Verdict(story, "", "", life.now_s, life.turns, life.deaths)


class Life:
    """A world, what goes wrong in it, and control planes that look after it one after the other.

    Attributes:
        world: the truth.
        turns: that were taken.
        deaths: of control planes.
        accepted: what was submitted, by job.
        doubled: for how many turns each job was seen to run twice.
        held: jobs on hold, by the trouble that did it.
    """

    def __init__(self, story: Story) -> None:
        """Plan all that will happen."""
        hosts = [Host(name, 16_000, 16_384, tuple(Device(n, 1024) for n in range(DEVICES)), "A") for name in HOSTS]
        self.story, self.world = story, World(0.0, hosts, MODELS)
        self.turns = self.deaths = 0
        self.accepted: dict[JobId, Job] = {}
        self.doubled: Counter[JobId] = Counter()
        self.held: dict[Trouble, JobId] = {}
        engine = self.world.engine
        self._fate, self._clock = Fate(), ShakyClock(engine)
        self._cluster = ShakyCluster(self.world.cluster, self._clock, self._fate, engine)
        self._store = ShakyStore(self.world.store, self._fate)
        self._traffic = ShakyTraffic(story.loads, BUSY_S / len(story.loads))
        self._settings, self._policy = Settings(PERIOD_S, reactive=True, outlooks=False), policy_from_names()
        self._renewed: Configured | None = None
        self._served = tuple(Served(model, "t", 0.5, TargetRate(10.0)) for model in MODELS)
        self._cycle = self._control_plane()
        for job in story.jobs:
            engine.at(job.at_s, partial(self._submit, job))
        for trouble in story.troubles:
            engine.at(trouble.at_s, partial(self._begin, trouble))
            engine.at(trouble.at_s + trouble.lasts_s, partial(self._end, trouble))

    @property
    def now_s(self) -> float:
        """The true time, seconds since the beginning."""
        return self.world.engine.now_s()

    @property
    def is_peace(self) -> bool:
        """Whether all trouble is over, and the last job was submitted."""
        last_s = max((trouble.at_s + trouble.lasts_s for trouble in self.story.troubles), default=0.0)
        return self.now_s > max(last_s, BUSY_S)

    def run(self) -> None:
        """Let it all happen.

        Raises:
            Broken: a promise is.
        """
        until_s = 0.0
        while not self.is_peace or (self.world.store.jobs() and self.now_s < until_s):
            until_s = until_s if self.is_peace else self.now_s + PEACE_S
            self._turn(PERIOD_S)
        look_back(self)
        self._traffic.after, until_s = HIGH_RPS, self.now_s + SETTLE_S
        while short := self.short():
            if self.now_s > until_s:
                raise Broken("headroom is restored", f"{short} hours after peace returned")
            self._turn(PERIOD_S)

    def short(self) -> str:
        """Return which model lacks replicas now, in words; "" where none does."""
        seen = self.world.cluster.observe().replicas
        for model in MODELS:
            ready = sum(one.model == model.name and one.state is ReplicaState.READY for one in seen)
            if ready < (needed := self.needed(model.name)):
                return f"{model.name} has {ready} of {needed} replicas"
        return ""

    def want(self, job_id: JobId, desired: DesiredState) -> None:
        """Let an owner change their mind."""
        job = self.world.store.job(job_id)
        if not job.state.is_final:
            self.world.store.save(replace(job, desired=desired))

    def needed(self, model: str) -> int:
        """Return the replicas that the load of this moment needs."""
        served = next(one for one in self._served if one.model.name == model)
        load = float(self._traffic.load(self.now_s)) * served.share
        return min(served.model.max_replicas, max(served.model.min_replicas, served.rule.replicas(load)))

    def _turn(self, pause_s: float) -> None:
        try:
            self._cycle.turn()
        except Death:
            self.deaths += 1
            self.world.engine.run_until(self.now_s + DOWN_S)
            self._cycle = self._control_plane()
        except Unreachable:
            pass  # the loop says so and goes on
        self.turns += 1
        look(self)
        self.world.engine.run_until(self.now_s + pause_s)

    def _control_plane(self) -> Cycle:
        return Cycle(
            cluster=self._cluster,
            store=self._store,
            clock=self._clock,
            served=self._served,
            sources={"t": self._traffic},
            policy=self._policy,
            settings=self._settings,
            board=Board(),
            renewed=self._take_renewed,
        )

    def _take_renewed(self) -> Configured | None:
        renewed, self._renewed = self._renewed, None
        return renewed

    def _submit(self, job: Job) -> None:
        shape = Shape(1000, 256, job.gpus)
        gang = Gang(job.workers, shape, max_workers=job.most)
        interval_s = 120.0 if job.saves else None
        spec = JobSpec("job", "run", gang, priority=job.priority, checkpoint_interval_s=interval_s)
        job_id = self.world.submit(spec, Work(job.takes_s, start_up_s=20.0, save_s=5.0))
        self.accepted[job_id] = job

    def _begin(self, trouble: Trouble) -> None:
        BEGINNINGS[trouble.kind](self, trouble)

    def _end(self, trouble: Trouble) -> None:
        ENDINGS.get(trouble.kind, _nothing)(self, trouble)


Happening = Callable[[Life, Trouble], None]


def _nothing(_: Life, __: Trouble) -> None:
    """Leave all as it is."""


def _host(trouble: Trouble) -> str:
    return HOSTS[trouble.pick % len(HOSTS)]


def _set(**values: object) -> Happening:
    """Return what sets attributes of the shaky parts, "part.attribute" with "__" for the dot."""

    def happen(life: Life, _: Trouble) -> None:
        for place, value in values.items():
            part, _dot, name = place.partition("__")
            setattr(getattr(life, f"_{part}"), name, value)

    return happen


def _miss(life: Life, trouble: Trouble) -> None:
    life._cluster.misses, life._cluster.pick = 1 + trouble.pick % 2, trouble.pick % 5  # noqa: SLF001  # its own part


def _lie(life: Life, trouble: Trouble) -> None:
    life._traffic.lie = LIES[trouble.pick % len(LIES)]  # noqa: SLF001  # its own part


def _jump(life: Life, trouble: Trouble) -> None:
    life._clock.off_s = JUMPS_S[trouble.pick % len(JUMPS_S)]  # noqa: SLF001  # its own part


def _be_late(life: Life, trouble: Trouble) -> None:
    life._cluster.late_s = 1.0 + 89.0 * trouble.size  # noqa: SLF001  # its own part


def _strike(life: Life, trouble: Trouble) -> None:
    life._fate.left = trouble.pick  # noqa: SLF001  # its own part


def _starts(**asked: float) -> Happening:
    def happen(life: Life, _: Trouble) -> None:
        life.world.cluster.replicas.faults = StartFaults(Starts(**asked), life.story.seed)

    return happen


def _drain(life: Life, trouble: Trouble) -> None:
    state = HostState.DRAINING if trouble.pick % 2 else HostState.CORDONED
    life.world.store.mark_host(HostMark(_host(trouble), state, "", life.now_s))


def _reload(life: Life, trouble: Trouble) -> None:
    settings = replace(life._settings, margin=trouble.size, scale_down_after_s=120.0)  # noqa: SLF001  # its own part
    policy = policy_from_names(victim_cost="newest-first" if trouble.pick % 2 else "lost-work", bookings=0)
    served, sources = life._served, {"t": life._traffic}  # noqa: SLF001  # likewise
    life._renewed = Configured(served, sources, {}, policy, settings, SiteLimits())  # noqa: SLF001  # likewise


def _hold(life: Life, trouble: Trouble) -> None:
    if life.accepted:
        job_id = sorted(life.accepted)[trouble.pick % len(life.accepted)]
        life.held[trouble] = job_id
        life.want(job_id, DesiredState.HOLD)


def _resume(life: Life, trouble: Trouble) -> None:
    job_id = life.held.pop(trouble, None)
    if job_id is not None and job_id not in life.held.values():
        life.want(job_id, DesiredState.RUN)


BEGINNINGS: Final[dict[Kind, Happening]] = {
    Kind.HOST_DIES: lambda life, trouble: life.world.cluster.lose_host(_host(trouble)),
    Kind.HOST_SILENT: lambda life, trouble: _silence(life, _host(trouble)),
    Kind.STARTS_FAIL: _starts(failing=0.6, jobs_failing=0.6),
    Kind.STARTS_HANG: _starts(slow=0.6, slow_by=20.0),
    Kind.DEATH: _strike,
    Kind.STALE: _set(cluster__stale=True),
    Kind.MISSES: _miss,
    Kind.LATE: _be_late,
    Kind.UNREACHABLE: _set(cluster__is_away=True),
    Kind.DISK_FULL: _set(store__is_full=True),
    Kind.TELEMETRY_STOPS: _set(traffic__is_silent=True),
    Kind.TELEMETRY_LIES: _lie,
    Kind.CLOCK_JUMPS: _jump,
    Kind.DRAIN: _drain,
    Kind.RELOAD: _reload,
    Kind.OWNER: _hold,
}
"""What each kind of trouble does when it begins."""
ENDINGS: Final[dict[Kind, Happening]] = {
    Kind.HOST_DIES: lambda life, trouble: life.world.cluster.return_host(_host(trouble)),
    Kind.HOST_SILENT: lambda life, trouble: _hear(life, _host(trouble)),
    Kind.STARTS_FAIL: _starts(),
    Kind.STARTS_HANG: _starts(),
    Kind.STALE: _set(cluster__stale=False),
    Kind.MISSES: _set(cluster__misses=0),
    Kind.LATE: _set(cluster__late_s=0.0),
    Kind.UNREACHABLE: _set(cluster__is_away=False),
    Kind.DISK_FULL: _set(store__is_full=False),
    Kind.TELEMETRY_STOPS: _set(traffic__is_silent=False),
    Kind.TELEMETRY_LIES: _set(traffic__lie=float("nan")),
    Kind.CLOCK_JUMPS: _set(clock__off_s=0.0),
    Kind.DRAIN: lambda life, trouble: life.world.store.unmark_host(_host(trouble)),
    Kind.OWNER: _resume,
}
"""What each kind of trouble does when it is over."""


def _silence(life: Life, host: str) -> None:
    if life.world.cluster.room.host(host).state is not HostState.LOST:
        life.world.cluster.silence_host(host)


def _hear(life: Life, host: str) -> None:
    if life.world.cluster.room.host(host).reason == "no word from it":
        life.world.cluster.hear_host(host)
