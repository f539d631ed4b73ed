"""Load that jumps up and down, as no forecast knew, has training come and go with it a few times and then no more."""

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.ports import Traffic
from scheduler.control.settings import Served, Settings
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, ServingModel
from simulations.arrivals import Arrival
from simulations.run import Setup, Simulation
from simulations.work import Work

START_S, HOURS = 20 * 86_400.0, 8
GPU = Shape(cpu_milli=1000, memory_mib=1024, gpu_count=1)


class Jumps:
    """10 requests per second for six weeks; from then on 55 every other span."""

    def __init__(self, span_s: float) -> None:
        """Jump after each span."""
        self.span_s = span_s

    def load(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return requests per second."""
        since = np.asarray(at_s, dtype=np.float64) - START_S
        return np.where((since < 0) | (since // self.span_s % 2 == 0), 10.0, 55.0)

    def read(self, now_s: float) -> Traffic:
        """Return the flat past in hourly bins, and the rate of the moment."""
        end_s = int(now_s // 3600) * 3600
        centres = np.arange(end_s - 42 * 86_400, end_s, 3600) + 1800.0
        return Traffic(
            Series(int(centres[0]) - 1800, 3600, self.load(centres)), float(self.load(np.array(now_s))), now_s
        )


def setup(span_s: float) -> Setup:
    """Return eight devices, a model of one to eight replicas and seven jobs that never end."""
    traffic = Jumps(span_s)
    model = ServingModel("m", GPU, min_replicas=1, max_replicas=8, warm_up_s=120.0)
    spec = JobSpec("t", "simulated", Gang(1, GPU), checkpoint_interval_s=600.0)
    work = Work(3_000_000.0, 30.0, 5.0, None)
    return Setup(
        START_S,
        START_S + HOURS * 3600.0,
        [Host("h", 64_000, 512_000, tuple(Device(index, 65_536) for index in range(8)), "MI300X")],
        policy_from_names(),
        Settings(scale_down_after_s=600.0),
        served=[Served(model, "m", 1.0, TargetRate(10.0))],
        sources={"m": traffic},
        loads={"m": traffic.load},
        arrivals=[Arrival(START_S, spec, work) for _ in range(7)],
        lead_in_s=3600.0,
    )


@pytest.mark.parametrize("minutes", [10, 20, 40])
def test_no_job_is_stopped_more_than_three_times_and_serving_is_served(minutes: int) -> None:
    simulation = Simulation(setup(minutes * 60.0))
    outcome = simulation.run()
    stops = [sum(a.stop_cause is not None for a in job.attempts) for job in simulation.world.store.jobs()]
    assert max(stops) <= 3
    assert sum(stops) > 0, "the load took room"
    assert outcome.violation_s < 0.05 * HOURS * 3600.0, "short for a warm-up after each jump, and no longer"
