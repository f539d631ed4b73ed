"""The whole loop on one device each against the formula: jobs on c devices are an M/M/c queue."""

import math

import numpy as np
import pytest

from policies.erlang import erlang_c
from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.settings import Settings
from scheduler.model.hosts import Device, Host
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup, Simulation

DEVICES = 4
MEAN_S = 3600.0
PERIOD_S = 180.0


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waits_are_those_of_an_mmc_queue(load: float) -> None:
    """Mean wait W = C(c, a) / (c/s - lambda), Erlang's second formula; and its tail is exponential.

    A turn comes half a period late on average, which is small beside the wait and taken off.
    """
    per_day = load * DEVICES * DAY_S / MEAN_S
    stream = JobStream(
        name="j", per_day=per_day, duration=MEAN_S, durations="exponential", start_up=0, resources=Resources(gpus=1)
    )
    end_s = 1500 / per_day * DAY_S
    setup = Setup(
        start_s=0.0,
        end_s=end_s,
        hosts=[Host("h", 64_000, 65_536, tuple(Device(index) for index in range(DEVICES)))],
        policy=policy_from_names(queue_order="fifo"),
        settings=Settings(period_s=PERIOD_S),
        arrivals=list(from_stream(stream, {"normal": 50}, 0.0, end_s, seed=11)),
        idle_period_s=math.inf,
    )
    simulation = Simulation(setup)
    simulation.run()
    jobs = [job for job in simulation.world.store.jobs(open_only=False) if job.attempts]
    waits = np.array([(job.attempts[0].started_at_s or end_s) - job.submitted_at_s for job in jobs])
    waiting = erlang_c(DEVICES, load * DEVICES)
    mean_s = waiting * MEAN_S / (DEVICES * (1 - load))
    assert waits.mean() - PERIOD_S / 2 == pytest.approx(mean_s, rel=0.25)
    assert np.mean(waits > PERIOD_S) == pytest.approx(waiting, abs=0.06)
