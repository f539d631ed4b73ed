"""Builders shared by the simulation's tests."""

import pytest

from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel
from simulations.world import World


def _host(name: str) -> Host:
    return Host(name, 8000, 10_000, tuple(Device(index, 65536) for index in range(4)), "MI210")


@pytest.fixture
def world() -> World:
    """Two hosts of four devices and a model m; it starts at second 0."""
    model = ServingModel("m", Shape(cpu_milli=1000, memory_mib=100, gpu_count=1), max_replicas=4, warm_up_s=120.0)
    return World(0.0, [_host("a"), _host("b")], [model])
