"""An evening peak takes the room of training: who waits is told at noon, and by night, when it will really start."""

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.expected_start import ExpectedStart, expected_start
from scheduler.control.ports import Traffic
from scheduler.control.runtimes import RunTimes
from scheduler.control.settings import Served, Settings
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, ServingModel
from simulations.arrivals import Arrival
from simulations.run import Setup, Simulation
from simulations.work import Work

HOUR_S, MIDNIGHT_S = 3600.0, 20 * 86_400.0
PERIOD_S, WARM_UP_S = 300.0, 120.0
GPUS = Shape(cpu_milli=1000, memory_mib=1024, gpu_count=6)


class Evenings:
    """9 requests per second, and 80 from 17:00 to 23:00, known for six weeks in bins of an hour."""

    def load(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return requests per second."""
        hour = np.asarray(at_s, dtype=np.float64) % 86_400 / HOUR_S
        return np.where((hour >= 17) & (hour < 23), 80.0, 9.0)

    def read(self, now_s: float) -> Traffic:
        """Return the past and the rate of the moment."""
        end_s = int(now_s // HOUR_S) * 3600
        centres = np.arange(end_s - 42 * 86_400, end_s, 3600) + 1800.0
        series = Series(int(centres[0]) - 1800, 3600, self.load(centres))
        return Traffic(series, float(self.load(np.array(now_s))), now_s)


def arrival(name: str, at_h: float, priority: int, run_h: float) -> Arrival:
    spec = JobSpec(
        name, "simulated", Gang(1, GPUS), priority=priority, checkpoint_interval_s=600.0, max_runtime_s=run_h * HOUR_S
    )
    return Arrival(MIDNIGHT_S + at_h * HOUR_S, spec, Work(run_h * HOUR_S, 30.0, 5.0, None))


@pytest.mark.parametrize(("priority", "first"), [(50, "waits"), (75, "runs")])
def test_what_is_said_at_noon_is_within_a_period_and_a_warm_up_of_what_comes(priority: int, first: str) -> None:
    traffic, said = Evenings(), list[ExpectedStart | None]()
    model = ServingModel("m", Shape(cpu_milli=1000, memory_mib=1024, gpu_count=1), 1, 8, warm_up_s=WARM_UP_S)
    setup = Setup(
        MIDNIGHT_S + 11.5 * HOUR_S,
        MIDNIGHT_S + 26 * HOUR_S,
        [Host("h", 64_000, 512_000, tuple(Device(index, 65_536) for index in range(8)), "MI300X")],
        policy_from_names(),
        Settings(period_s=PERIOD_S, scale_down_after_s=600.0, min_runtime_s=300.0),
        served=[Served(model, "m", 1.0, TargetRate(10.0))],
        sources={"m": traffic},
        loads={"m": traffic.load},
        arrivals=[arrival("runs", 11.5, priority, 6.25), arrival("waits", 12.0, 50, 1.0)],
    )
    sim = Simulation(setup)

    def ask() -> None:
        job = next(job for job in sim.world.store.jobs() if job.spec.name == "waits")
        (cycle,) = sim.world.store.cycles(limit=1)
        said.append(expected_start(cycle, setup.policy, RunTimes(), job.job_id))

    for hour in (12.1, 16.0, 20.0):
        sim.world.engine.at(MIDNIGHT_S + hour * HOUR_S, ask)
    sim.run()

    jobs = {job.spec.name: job for job in sim.world.store.jobs(open_only=False)}
    came_s = jobs["waits"].attempts[0].started_at_s
    assert came_s is not None
    assert len(jobs["runs"].attempts) == 2
    assert (jobs["runs"].attempts[1].decided_at_s < came_s) is (first == "runs")
    for found in said:
        assert found is not None
        assert found.p50_s <= found.p90_s
        assert abs(found.p50_s - came_s) <= PERIOD_S + WARM_UP_S
