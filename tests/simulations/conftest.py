"""Builders shared by the simulation's tests, and a queue played request by request."""

import heapq
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.config.scenario import JobStream
from scheduler.config.schema import Resources
from scheduler.control.ports import Traffic
from scheduler.control.settings import Served, Settings
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel
from simulations.arrivals import DAY_S, from_stream
from simulations.run import Setup
from simulations.world import World


def _host(name: str) -> Host:
    return Host(name, 8000, 10_000, tuple(Device(index, 65536) for index in range(4)), "MI210")


@pytest.fixture
def world() -> World:
    """Two hosts of four devices and a model m; it starts at second 0."""
    model = ServingModel("m", Shape(cpu_milli=1000, memory_mib=100, gpu_count=1), max_replicas=4, warm_up_s=120.0)
    return World(0.0, [_host("a"), _host("b")], [model])


class Wave:
    """Traffic that swings between 10 and 110 requests per second once a day, known in hourly bins."""

    def load(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return requests per second."""
        return 60.0 - 50.0 * np.cos(2 * np.pi * np.asarray(at_s, dtype=np.float64) / 86400.0)

    def read(self, now_s: float) -> Traffic:
        """Return two weeks of bins and the rate of the moment."""
        end_s = int(now_s // 3600) * 3600
        centres = np.arange(end_s - 14 * 86400, end_s, 3600) + 1800.0
        return Traffic(Series(end_s - 14 * 86400, 3600, self.load(centres)), float(self.load(np.array(now_s))), now_s)


@pytest.fixture
def wave() -> Wave:
    """Traffic with a peak at noon."""
    return Wave()


@pytest.fixture
def make_setup(wave: Wave) -> Callable[..., Setup]:
    """Return a builder of a day with a slow model on eight devices, training in the rest, and host losses if asked."""

    def make(seed: int = 1, *, reactive: bool = False, per_day: float = 60, **changes: object) -> Setup:
        model = ServingModel("m", Shape(cpu_milli=1000, memory_mib=100, gpu_count=1), 1, 7, warm_up_s=1800.0)
        stream = JobStream(
            name="tune", per_day=per_day, duration=5400, resources=Resources(cpus=1, memory=100, gpus=1), grace=60
        )
        start_s = 20 * DAY_S
        setup = Setup(
            start_s=start_s,
            end_s=start_s + DAY_S,
            hosts=[_host("a"), _host("b")],
            policy=policy_from_names(),
            settings=Settings(period_s=60.0, reactive=reactive),
            served=[Served(model, "wave", 1.0, TargetRate(20.0))],
            sources={"wave": wave},
            loads={"wave": wave.load},
            arrivals=list(from_stream(stream, {"normal": 50}, start_s, start_s + DAY_S, seed)),
            lead_in_s=7200.0,
        )
        return replace(setup, **changes)

    return make


class DiscreteEvents:
    """First come, first served before equal servers, request by request: what the accounting is held against."""

    @staticmethod
    def starts_s(
        arrivals_s: NDArray[np.float64], services_s: NDArray[np.float64], servers: int, beat_s: float = 0.0
    ) -> NDArray[np.float64]:
        """Return when each request is taken up, (n,), for ascending arrivals; at a beat where there are beats."""
        free = [0.0] * servers
        starts = np.empty(len(arrivals_s))
        for index, (at_s, takes_s) in enumerate(zip(arrivals_s.tolist(), services_s.tolist(), strict=True)):
            start_s = max(at_s, free[0])
            starts[index] = start_s = -(-start_s // beat_s) * beat_s if beat_s else start_s
            heapq.heapreplace(free, start_s + takes_s)
        return starts

    @staticmethod
    def arrivals_s(
        rate: Callable[[NDArray[np.float64]], NDArray[np.float64]], most: float, until_s: float, seed: int
    ) -> NDArray[np.float64]:
        """Return the arrivals of a Poisson process whose rate moves, thinned from one of the highest rate."""
        rng = np.random.default_rng(seed)
        number = rng.poisson(most * until_s)
        at_s = np.sort(rng.uniform(0.0, until_s, number))
        return at_s[rng.uniform(0.0, most, number) < rate(at_s)]


@pytest.fixture(scope="session")
def discrete_events() -> DiscreteEvents:
    """Return queues that are played request by request."""
    return DiscreteEvents()
