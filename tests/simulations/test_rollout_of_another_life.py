"""A controller of the cluster itself rolls a model out, on a full cluster: room comes from training and goes back."""

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.ports import Traffic
from scheduler.control.records import Outcome
from scheduler.control.settings import Served, Settings
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobState, ReplicaState, ServingModel
from simulations.arrivals import Arrival
from simulations.run import Setup, Simulation
from simulations.work import Work

ONE = Shape(cpu_milli=1000, memory_mib=256, gpu_count=1)
BEGINS_S, ENDS_S = 3000.0, 4200.0


class Steady:
    """Five requests a second."""

    def load(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return requests per second."""
        return np.full_like(np.asarray(at_s), 5.0)

    def read(self, now_s: float) -> Traffic:
        """Return the rate and no history."""
        return Traffic(Series(0, 3600, np.array([])), 5.0, now_s)


class Watched(Simulation):
    """A simulation that writes down after every turn how many replicas are ready, and how many there are."""

    def _turn(self, end_s: float) -> None:
        super()._turn(end_s)
        there = [replica.state for replica in self.world.cluster.replicas.all]
        self.seen.append((self.world.engine.now_s(), there.count(ReplicaState.READY), len(there)))


def test_a_rollout_with_one_replica_at_most_takes_its_room_from_training_and_gives_it_back() -> None:
    steady = Steady()
    work = Arrival(0.0, JobSpec("lm", "train", Gang(1, ONE), checkpoint_interval_s=60.0), Work(6000.0, 1.0, 5.0))
    setup = Setup(
        start_s=0.0,
        end_s=10_000.0,
        drain_s=10_000.0,
        hosts=[Host("a", 8000, 8192, devices_offered(2, 1024), "MI210")],
        policy=policy_from_names(),
        settings=Settings(period_s=30.0, reactive=True),
        served=[Served(ServingModel("m", ONE, 1, 1, warm_up_s=60.0), "steady", 1.0, TargetRate(10.0))],
        sources={"steady": steady},
        loads={"steady": steady.load},
        arrivals=[work],
        outages=[],
        idle_period_s=60.0,
    )
    simulation = Watched(setup)
    simulation.seen = []
    cluster, engine = simulation.world.cluster, simulation.world.engine
    engine.at(BEGINS_S, lambda: cluster.ask("m", 2))
    engine.at(ENDS_S, lambda: cluster.ask("m", 0))
    simulation.run()

    assert cluster.refused == 0
    assert min(ready for at_s, ready, _ in simulation.seen if at_s > 300.0) == 1
    assert {ready for at_s, ready, _ in simulation.seen if ENDS_S - 600.0 < at_s < ENDS_S} == {2}
    assert {there for at_s, _, there in simulation.seen if at_s > ENDS_S + 600.0} == {1}
    (job,) = simulation.world.store.jobs(open_only=False)
    assert job.state is JobState.SUCCEEDED
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.PREEMPTED, Outcome.SUCCEEDED]
