"""The whole loop on one device each is a queue of many servers, job by job."""

from typing import Any

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
PERIOD_S = 60.0


@pytest.mark.parametrize(
    ("devices", "durations", "load"),
    [(DEVICES, "exponential", 0.5), (DEVICES, "exponential", 0.8), (1, "lognormal", 0.6)],
)
def test_every_job_starts_when_a_queue_of_servers_takes_it_up(
    devices: int, durations: Any, load: float, discrete_events: Any
) -> None:
    """At the first beat at which a device is free, for the first in line."""
    per_day = load * devices * DAY_S / MEAN_S
    stream = JobStream(
        name="j", per_day=per_day, duration=MEAN_S, durations=durations, start_up=0, resources=Resources(gpus=1)
    )
    expected_jobs = 50 * devices
    end_s = expected_jobs / per_day * DAY_S
    setup = Setup(
        start_s=0.0,
        end_s=end_s,
        hosts=[Host("h", 64_000, 65_536, tuple(Device(index) for index in range(devices)))],
        policy=policy_from_names(queue_order="fifo"),
        settings=Settings(period_s=PERIOD_S),
        arrivals=list(from_stream(stream, {"normal": 50}, 0.0, end_s, seed=11)),
    )
    simulation = Simulation(setup)
    simulation.run()
    jobs = [job for job in simulation.world.store.jobs(open_only=False) if job.attempts]
    arrivals_s = np.array([arrival.at_s for arrival in setup.arrivals])
    services_s = np.array([arrival.work.duration_s for arrival in setup.arrivals])
    expected = discrete_events.starts_s(arrivals_s, services_s, devices, PERIOD_S)
    assert [job.attempts[0].started_at_s for job in jobs] == pytest.approx(expected[: len(jobs)])
    assert len(jobs) > 0.75 * expected_jobs


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waits_of_such_a_queue_are_erlang_s(load: float, discrete_events: Any) -> None:
    """Mean wait W = C(c, a) / (c/s - lambda), Erlang's second formula."""
    rng = np.random.default_rng(3)
    arrivals_s = np.cumsum(rng.exponential(MEAN_S / (load * DEVICES), 300_000))
    waits_s = discrete_events.starts_s(arrivals_s, rng.exponential(MEAN_S, 300_000), DEVICES) - arrivals_s
    waiting = erlang_c(DEVICES, load * DEVICES)
    assert waits_s.mean() == pytest.approx(waiting * MEAN_S / (DEVICES * (1 - load)), rel=0.02)
    assert np.mean(waits_s > 0.0) == pytest.approx(waiting, abs=0.01)


@pytest.mark.parametrize("load", [0.6])
def test_waits_of_one_server_are_those_of_pollaczek_and_khinchine(load: float, discrete_events: Any) -> None:
    """Mean wait W = lambda E[S^2] / (2 (1 - load)), whatever the durations; here lognormal ones."""
    rng, sigma = np.random.default_rng(5), 0.6
    arrivals_s = np.cumsum(rng.exponential(MEAN_S / load, 300_000))
    services_s = rng.lognormal(np.log(MEAN_S) - sigma**2 / 2, sigma, 300_000)
    waits_s = discrete_events.starts_s(arrivals_s, services_s, 1) - arrivals_s
    second_moment = MEAN_S**2 * np.exp(sigma**2)
    assert waits_s.mean() == pytest.approx(load / MEAN_S * second_moment / (2 * (1 - load)), rel=0.02)
