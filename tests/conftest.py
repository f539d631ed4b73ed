"""What every room's tests may use: one local Ray for the whole session."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.backends.ray.local import LocalAddress, LocalHostSpec, LocalRay

SERVED = Path(__file__).parent / "backends" / "served"
"""Models that tests serve; Ray's workers find them through PYTHONPATH."""


@pytest.fixture(scope="session")
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAddress]:
    """A real Ray: gpu-a and gpu-b with 4 devices of a "Tester" each, cpu-a with none; it dies with pytest."""
    hosts = [
        LocalHostSpec("gpu-a", cpus=8, memory_mib=16384, gpus=4, gpu_model="Tester", gpu_memory_mib=64 * 1024),
        LocalHostSpec("gpu-b", cpus=8, memory_mib=16384, gpus=4, gpu_model="Tester", gpu_memory_mib=64 * 1024),
        LocalHostSpec("cpu-a", cpus=8, memory_mib=16384, labels={"rack": "7"}),
    ]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", os.pathsep.join([str(SERVED), os.environ.get("PYTHONPATH", "")]))
        with LocalRay(hosts, tmp_path_factory.mktemp("ray"), leashed=True) as address:
            yield address
