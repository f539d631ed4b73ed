"""A made-up site of any size: hosts, served models, and jobs whose mean size fills it with as many as are wanted."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.demand import ModelDemand
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.jobspec import JobSpec
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang, ServingModel

GPUS_PER_HOST: Final = 8
CPU_MILLI: Final = 192_000
MEMORY_MIB: Final = 2_097_152
GPU_MODELS: Final = (("MI300X", 196_608, 0.5), ("H100", 81_920, 0.3), ("MI210", 65_536, 0.2))
"""Name, memory of a device in MiB, share of the hosts."""
SERVING_SHARE: Final = 0.06
"""Share of the devices that replicas take."""
FULL: Final = 0.97
"""Share of the rest that the running jobs ask for together."""
_SIZES: Final = np.array([0.25, 0.5, 1, 2, 4, 8, 16, 32, 64])
_USUAL: Final = np.array([0.05, 0.05, 0.42, 0.14, 0.14, 0.14, 0.04, 0.015, 0.005])
"""How many GPUs jobs ask for, and how often; about as in published traces, with a few large gangs."""
_CPU_PER_GPU: Final = (4000, 8000, 16_000)
_MIB_PER_GPU: Final = (32_768, 65_536, 131_072)
QUEUES: Final = 8
"""Among which jobs are spread."""
_PRIORITIES: Final = (25, 50, 75)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a site is.

    Attributes:
        hosts: with 8 GPUs each.
        running: jobs that run.
        pending: jobs that wait because there is no room.
        models: served models.
        seed: of everything drawn at random.
        guaranteed: how many of the `QUEUES` queues are guaranteed devices, half of the site's together; with none there
            are no queues.
    """

    hosts: int
    running: int
    pending: int
    models: int
    seed: int = 1
    guaranteed: int = 0

    @property
    def gpus(self) -> int:
        """Devices of the site."""
        return self.hosts * GPUS_PER_HOST


def hosts_of(size: Size) -> tuple[Host, ...]:
    """Return the hosts, sorted by name, their GPU models mixed."""
    kinds = np.random.default_rng(size.seed).choice(len(GPU_MODELS), size.hosts, p=[share for *_, share in GPU_MODELS])
    return tuple(_host(number, *GPU_MODELS[kind][:2]) for number, kind in enumerate(kinds))


def queues_of(size: Size) -> tuple[Queue, ...]:
    """Return the queues, the first `size.guaranteed` of them with guarantees of devices; none where it is 0."""
    if not size.guaranteed:
        return ()
    each = Amounts(gpu_milli=size.gpus * WHOLE_DEVICE_MILLI // 2 // size.guaranteed)
    return tuple(Queue(f"queue{number}", each if number < size.guaranteed else Amounts()) for number in range(QUEUES))


def _host(number: int, gpu_model: str, memory_mib: int) -> Host:
    return Host(f"host{number:05}", CPU_MILLI, MEMORY_MIB, devices_offered(GPUS_PER_HOST, memory_mib), gpu_model)


def models_of(size: Size) -> tuple[tuple[ServingModel, ...], tuple[ModelDemand, ...]]:
    """Return served models, most important first, and what they need: `SERVING_SHARE` of the devices together."""
    rng = np.random.default_rng([size.seed, 1])
    gpus = rng.choice([1, 1, 1, 2, 4], size.models)
    replicas = _split(int(SERVING_SHARE * size.gpus), gpus)
    models = tuple(
        ServingModel(
            f"model{number:03}",
            Shape(cpu_milli=4000 * int(count), memory_mib=32_768 * int(count), gpu_count=int(count)),
            max_replicas=10 * int(wanted) + 10,
            warm_up_s=120.0,
        )
        for number, (count, wanted) in enumerate(zip(gpus, replicas, strict=True))
    )
    demands = tuple(
        ModelDemand(model.name, int(wanted), int(wanted), int(wanted) + max(1, int(wanted) // 10))
        for model, wanted in zip(models, replicas, strict=True)
    )
    return models, demands


def _split(devices: int, gpus: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share devices out among models, the first getting most (by Zipf's law), at least one replica each."""
    if not len(gpus):
        return gpus
    weights = 1 / np.arange(1, len(gpus) + 1)
    shares: NDArray[np.int64] = np.maximum(1, devices * weights / weights.sum() / gpus).astype(np.int64)
    return shares


class Submissions:
    """Jobs drawn one after the other, so large on average that the running ones fill the site."""

    def __init__(self, size: Size) -> None:
        """Fit the mix of sizes to the site."""
        self._rng = np.random.default_rng([size.seed, 2])
        self._sizes, self._odds = _mix(FULL * (1 - SERVING_SHARE) * size.gpus / max(1, size.running))
        self._number = 0

    def next(self) -> JobSpec:
        """Draw one job."""
        self._number += 1
        rng = self._rng
        return JobSpec(
            f"job{self._number}",
            "python train.py",
            self._gang(float(rng.choice(self._sizes, p=self._odds))),
            owner=f"owner{rng.integers(200)}",
            queue=f"queue{rng.integers(QUEUES)}",
            priority=int(rng.choice(_PRIORITIES, p=[0.2, 0.6, 0.2])),
            preemptible=bool(rng.random() < 0.85),  # noqa: PLR2004  # most jobs save checkpoints
            checkpoint_interval_s=600.0,
            max_runtime_s=float(rng.integers(1, 48)) * 3600.0 if rng.random() < 0.5 else None,  # noqa: PLR2004
        )

    def _gang(self, gpus: float) -> Gang:
        """Put up to 8 devices into one worker, more into workers of 8."""
        each = min(gpus, GPUS_PER_HOST)
        cpu, memory = self._rng.choice(_CPU_PER_GPU), self._rng.choice(_MIB_PER_GPU)
        named = self._rng.random() < 0.2  # noqa: PLR2004  # some say which model they need
        kind = GPU_MODELS[self._rng.choice(len(GPU_MODELS), p=[share for *_, share in GPU_MODELS])][0]
        shape = Shape(
            cpu_milli=int(cpu * each),
            memory_mib=int(memory * each),
            gpu_count=max(1, int(each)),
            gpu_milli=int(1000 * min(each, 1)),
            gpu_models=frozenset({kind}) if named else frozenset(),
        )
        return Gang(max(1, int(gpus) // GPUS_PER_HOST), shape)


def _mix(mean: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sizes and odds: the usual mix, tilted towards large or small until its mean is as wanted.

    Where even the largest usual job is too small, sizes are doubled until the mean is within reach.
    """
    sizes = _SIZES
    while mean > sizes[-1] / 2:
        sizes = np.concatenate([sizes[:1], sizes[1:] * 2])
    low, high = -20.0, 20.0
    for _ in range(60):
        tilt = (low + high) / 2
        odds = _USUAL * np.exp(tilt * np.log(sizes))
        odds /= odds.sum()
        low, high = (tilt, high) if (odds * sizes).sum() < mean else (low, tilt)
    return sizes, odds
