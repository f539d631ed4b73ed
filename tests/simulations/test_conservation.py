"""Whatever is ordered and whatever breaks: nothing is oversubscribed, nothing is lost, GPU-seconds add up."""

import contextlib
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.errors import ActionFailed
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.model.observation import Observation, RunState
from scheduler.model.plan import Cause, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ServingModel
from simulations.usage import Use
from simulations.work import Work
from simulations.world import World

SHAPES = (
    Shape(cpu_milli=1000, memory_mib=512, gpu_count=1),
    Shape(cpu_milli=500, memory_mib=512, gpu_count=1, gpu_milli=300),
    Shape(cpu_milli=2000, memory_mib=1024, gpu_count=2),
    Shape(cpu_milli=3000),
)
MODEL = ServingModel("m", SHAPES[1], max_replicas=9, warm_up_s=90.0)
HOSTS = [Host(name, 6000, 4096, tuple(Device(index) for index in range(3))) for name in "abc"]

slots = st.builds(Slot, st.sampled_from("abc"), st.sampled_from([(), (0,), (1,), (2,), (0, 1), (1, 2)]))
gangs = st.builds(
    lambda workers, shape, most: Gang(workers, shape, max_workers=most if most > workers else 0),
    st.integers(1, 2),
    st.sampled_from(SHAPES),
    st.sampled_from([0, 0, 2]),
)
works = st.builds(
    Work,
    duration_s=st.floats(1, 3000),
    start_up_s=st.sampled_from([0.0, 45.0]),
    save_s=st.sampled_from([0.0, 20.0, 90.0]),
    fails_after_s=st.none() | st.floats(0, 3000),
)
orders = st.one_of(
    st.tuples(st.just("submit"), gangs, works, st.sampled_from([None, 77.0])),
    st.tuples(st.just("start"), st.integers(0, 5), st.lists(slots, min_size=1, max_size=2)),
    st.tuples(st.just("preempt"), st.integers(0, 5)),
    st.tuples(st.just("replica"), slots),
    st.tuples(st.just("stop replica")),
    st.tuples(st.just("lose"), st.sampled_from("abc")),
    st.tuples(st.just("return"), st.sampled_from("abc")),
    st.tuples(st.just("pass"), st.floats(0, 900)),
)


class Chaos:
    """Gives orders as they come and looks at the world after each."""

    def __init__(self) -> None:
        self.world = World(0.0, HOSTS, [MODEL])
        self.attempts: dict[JobId, count[int]] = {}
        self.latest: dict[JobId, int] = {}

    def order(self, kind: str, *what: object) -> None:
        """Give one order; what is refused is refused."""
        with contextlib.suppress(ActionFailed):
            getattr(self, f"_{kind.replace(' ', '_')}")(*what)

    def _submit(self, gang: Gang, work: Work, interval_s: float | None) -> None:
        job_id = self.world.submit(JobSpec("job", "run", gang, checkpoint_interval_s=interval_s), work)
        self.attempts[job_id] = count(1)

    def _start(self, job: int, where: list[Slot]) -> None:
        job_id = JobId(str(job))
        number = next(self.attempts[job_id]) if job_id in self.attempts else 1
        self.world.cluster.apply(StartJob(job_id, number, tuple(where)))
        self.latest[job_id] = number

    def _preempt(self, job: int) -> None:
        job_id = JobId(str(job))
        self.world.cluster.apply(PreemptJob(job_id, self.latest.get(job_id, 0), 30.0, Cause.SERVING))

    def _replica(self, slot: Slot) -> None:
        self.world.cluster.apply(StartReplica("m", slot))

    def _stop_replica(self) -> None:
        for replica in self.world.cluster.observe().replicas[:1]:
            self.world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))

    def _lose(self, host: str) -> None:
        self.world.cluster.lose_host(host)

    def _return(self, host: str) -> None:
        self.world.cluster.return_host(host)

    def _pass(self, duration_s: float) -> None:
        self.world.engine.sleep(duration_s)

    def settle(self) -> None:
        """Wait until every gang and replica that can end has ended."""
        for replica in self.world.cluster.observe().replicas:
            self.world.cluster.apply(StopReplica(replica.replica_id, "m", replica.slot))
        self.world.engine.sleep(10_000.0)


def ledger_of(world: World, seen: Observation) -> Ledger:
    """Count what is free from what is seen alone."""
    taken = [
        (slot, world.store.spec(run.job_id).gang.shape)
        for run in seen.runs
        if run.state.holds_room
        for slot in run.slots
    ]
    return Ledger.of(seen.hosts, [*taken, *((replica.slot, MODEL.shape) for replica in seen.replicas)])


@settings(deadline=None, max_examples=150)
@given(st.lists(orders, max_size=40))
def test_never_oversubscribed_and_all_accounted_for(given_orders: list[tuple[str, object]]) -> None:
    chaos = Chaos()
    cluster, engine = chaos.world.cluster, chaos.world.engine
    for kind, *what in given_orders:
        chaos.order(kind, *what)
        free = ledger_of(chaos.world, cluster.observe())
        assert (free.cpu_milli >= 0).all()
        assert (free.memory_mib >= 0).all()
        assert (free.gpu_milli[free.table.device_exists] >= 0).all()
    chaos.settle()
    runs = cluster.observe().runs
    totals = cluster.totals
    assert all(not run.state.holds_room for run in runs)
    assert ledger_of(chaos.world, cluster.observe()) == Ledger.of(cluster.room.hosts)
    assert all(
        cluster.room.missing(Slot(host.name, (0, 1)), SHAPES[2]) in {"", f"host {host.name} is lost"} for host in HOSTS
    )
    assert cluster.meter.total(Use.TRAINING, engine.now_s()) == pytest.approx(totals.held_gpu_s, abs=1e-6)
    assert min(totals.kept_gpu_s, totals.lost_gpu_s, totals.overhead_gpu_s) >= -1e-6
    for job_id in chaos.attempts:
        work = chaos.world.work(job_id)
        assert 0.0 <= cluster.saved_s(job_id) <= work.duration_s
        succeeded = any(run.job_id == job_id and run.state is RunState.SUCCEEDED for run in runs)
        assert not succeeded or cluster.saved_s(job_id) == pytest.approx(work.duration_s)


@settings(deadline=None, max_examples=50)
@given(st.lists(orders, max_size=30))
def test_equal_orders_give_equal_worlds(given_orders: list[tuple[str, object]]) -> None:
    one, two = Chaos(), Chaos()
    for kind, *what in given_orders:
        one.order(kind, *what)
        two.order(kind, *what)
        assert one.world.cluster.observe() == two.world.cluster.observe()
