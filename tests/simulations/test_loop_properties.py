"""The real loop and planner in random worlds: whatever comes, nothing refused, nothing oversubscribed, all done."""

from dataclasses import replace
from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.ports import Traffic
from scheduler.control.records import Outcome
from scheduler.control.settings import Served, Settings
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobState, ServingModel
from simulations.arrivals import Arrival
from simulations.faults import Outage
from simulations.run import Setup, Simulation
from simulations.work import Work

HOUR_S = 3600.0
BUSY_S = 6 * HOUR_S
"""Jobs arrive, hosts are lost and loads move for so long; then all must come to an end."""
DRAIN_S = 24 * HOUR_S
HOSTS = [Host(name, 8000, 8192, tuple(Device(index, 1024) for index in range(4)), "MI210") for name in "ab"]
HOSTS.append(Host("c", 16_000, 16_384))
SHAPES = (
    Shape(cpu_milli=1000, memory_mib=256, gpu_count=1),
    Shape(cpu_milli=1000, memory_mib=256, gpu_count=1, gpu_milli=400),
    Shape(cpu_milli=2000, memory_mib=512, gpu_count=2),
    Shape(cpu_milli=4000, memory_mib=512),
)
FREE = Ledger.of(HOSTS)


class Stairs:
    """Traffic that changes by the hour, and is low when the busy time is over."""

    def __init__(self, rates: tuple[float, ...]) -> None:
        """Take requests per second of each hour."""
        self._rates = np.array(rates)

    def load(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return requests per second."""
        hours = np.asarray(at_s) // HOUR_S
        return np.where(hours < len(self._rates), self._rates[np.minimum(hours, len(self._rates) - 1).astype(int)], 1.0)

    def read(self, now_s: float) -> Traffic:
        """Return the rate of the moment and no history."""
        return Traffic(Series(0, 3600, np.array([])), float(self.load(np.array(now_s))), now_s)


gangs = st.builds(
    lambda workers, shape, limit, most: Gang(workers, shape, limit, max_workers=most if most > workers else 0),
    st.integers(1, 2),
    st.sampled_from(SHAPES),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 0, 2, 3]),
)
specs = st.builds(
    JobSpec,
    name=st.just("job"),
    entrypoint=st.just("run"),
    gang=gangs,
    priority=st.sampled_from([25, 50, 75]),
    preemptible=st.booleans(),
    grace_period_s=st.sampled_from([10.0, 60.0]),
    checkpoint_interval_s=st.sampled_from([None, 120.0, 900.0]),
    max_runtime_s=st.sampled_from([None, 7200.0]),
)
works = st.builds(Work, duration_s=st.floats(1, 5400), start_up_s=st.just(30.0), save_s=st.sampled_from([5.0, 30.0]))
arrivals = st.builds(Arrival, at_s=st.floats(0, BUSY_S), spec=specs, work=works)
outages = st.builds(
    lambda host, at_s, lasts_s: Outage(host, at_s, at_s + lasts_s),
    st.sampled_from("abc"),
    st.floats(0, BUSY_S),
    st.floats(60, HOUR_S),
)
# Models are small enough that, at the low load in the end, every job that fits an empty cluster fits beside them.
models = st.lists(
    st.builds(
        ServingModel,
        name=st.just("m"),
        shape=st.sampled_from(SHAPES[:2]),
        min_replicas=st.integers(0, 1),
        max_replicas=st.integers(1, 6),
        warm_up_s=st.sampled_from([30.0, 600.0]),
        max_per_host=st.sampled_from([0, 2]),
        survive_host_losses=st.sampled_from([0, 0, 1]),
    ),
    max_size=2,
)


@st.composite
def setups(draw: st.DrawFn) -> Setup:
    """Draw a small world."""
    served = [
        Served(replace(model, name=f"m{index}"), "stairs", 1.0, TargetRate(10.0))
        for index, model in enumerate(draw(models))
    ]
    stairs = Stairs(tuple(draw(st.lists(st.floats(0, 90), min_size=6, max_size=6))))
    return Setup(
        start_s=0.0,
        end_s=BUSY_S + HOUR_S,
        drain_s=DRAIN_S,
        hosts=HOSTS,
        policy=policy_from_names(),
        settings=Settings(period_s=60.0, reactive=True),
        served=served,
        sources={"stairs": stairs},
        loads={"stairs": stairs.load},
        arrivals=draw(st.lists(arrivals, min_size=4, max_size=20)),
        outages=draw(st.lists(outages, max_size=2, unique_by=lambda outage: outage.host)),
        idle_period_s=1800.0,
    )


class Watched(Simulation):
    """A simulation that looks at the world after every turn."""

    def _turn(self, end_s: float) -> None:
        """Take a turn, and check that nobody holds more than there is."""
        super()._turn(end_s)
        self._look()

    def _look(self) -> None:
        seen = self.world.cluster.observe()
        shapes = {served.model.name: served.model.shape for served in self.setup.served}
        taken = [*seen.occupied, *((replica.slot, shapes[replica.model]) for replica in seen.replicas)]
        for run in seen.runs:
            if run.state.holds_room:
                taken += [(slot, self.world.store.spec(run.job_id).gang.shape) for slot in run.slots]
        free = Ledger.of(seen.hosts, taken)
        assert (free.cpu_milli >= 0).all()
        assert (free.memory_mib >= 0).all()
        assert (free.gpu_milli[free.table.device_exists] >= 0).all()


@settings(deadline=None, max_examples=40)
@given(setups())
def test_nothing_is_refused_or_oversubscribed_and_every_job_ends(setup: Setup) -> None:
    simulation = Watched(setup)
    simulation.run()
    assert_all_is_done(simulation, setup)


others = st.tuples(
    st.sampled_from("abc"), st.floats(0, BUSY_S), st.floats(60, HOUR_S), st.sampled_from([*SHAPES, Shape(7000, 8000)])
)


@settings(deadline=None, max_examples=30)
@given(setups(), st.lists(others, min_size=2, max_size=12))
def test_nor_with_other_work_that_comes_where_there_is_room_and_goes(
    setup: Setup, comings: list[tuple[str, float, float, Shape]]
) -> None:
    simulation = Watched(setup)
    for host, at_s, lasts_s, shape in comings:
        simulation.world.engine.at(at_s, partial(come, simulation, host, shape))
        simulation.world.engine.at(at_s + lasts_s, partial(simulation.world.cluster.occupy, host))
    simulation.run()
    assert simulation.world.cluster.observe().occupied == ()
    assert_all_is_done(simulation, setup)


def come(simulation: Watched, host: str, shape: Shape) -> None:
    """Let other work take the place of what was on a host before, where there is room, as any scheduler would."""
    cluster = simulation.world.cluster
    cluster.occupy(host)
    devices = [index for index in range(4) if not cluster.room.missing(Slot(host, (index,)), SHAPES[0])]
    slot = Slot(host, tuple(devices[: shape.gpu_count]))
    if not cluster.room.missing(slot, shape):
        cluster.occupy(host, (slot, shape))


def assert_all_is_done(simulation: Watched, setup: Setup) -> None:
    store = simulation.world.store
    assert simulation.world.cluster.refused == 0
    jobs = store.jobs(open_only=False)
    assert len(jobs) == len(setup.arrivals)
    for job in jobs:
        could_run = int(FREE.units_fitting(job.spec.gang.shape).sum()) >= job.spec.gang.workers
        over_time = bool(job.attempts) and job.attempts[-1].outcome is Outcome.TIMED_OUT
        assert job.state is JobState.SUCCEEDED or over_time or not could_run, f"{job} never ended"
        assert [attempt.number for attempt in job.attempts] == list(range(1, len(job.attempts) + 1))
    assert simulation.world.cluster.totals.kept_gpu_s >= 0.0
