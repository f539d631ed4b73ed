"""Hosts and pods made up by a seed, for who has no list: kinds and shares like those of a large site for training.

The proportions follow what Weng et al. (USENIX ATC 2023) tell of such a site: most GPUs in hosts of eight, most hosts
small ones with many cores; nearly half of the pods ask for a part of a GPU, one in a hundred for several.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.workload import NO_DEVICE, Fleet, Pods
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

OPENB_HOSTS: Final = 1213
"""Hosts of the openb trace, the usual size of a run."""
_MODELS: Final = ("A10", "G2", "G3", "P100", "T4", "V100")
_KINDS: Final = (
    # weight, model, devices, cores, GiB of memory
    (45, "G2", 8, 96, 384),
    (32, "T4", 2, 104, 512),
    (9, "P100", 2, 16, 120),
    (5, "V100", 4, 32, 128),
    (3, "G3", 8, 128, 768),
    (2, "P100", 2, 64, 256),
    (2, "V100", 8, 96, 768),
    (2, "A10", 1, 128, 1024),
)
_PODS: Final = (
    # weight, devices, thousandths of each
    (13, 0, 0),
    (14, 1, 460),
    (10, 1, 810),
    (6, 1, 300),
    (5, 1, 650),
    (3, 1, 220),
    (47, 1, WHOLE_DEVICE_MILLI),
    (0.4, 2, WHOLE_DEVICE_MILLI),
    (0.4, 4, WHOLE_DEVICE_MILLI),
    (0.7, 8, WHOLE_DEVICE_MILLI),
)
_CORES: Final = np.array([2, 4, 6, 8, 10, 12, 16, 20])
"""Cores beside a device or a share of one; the smaller ones are the likelier."""
_MIB_PER_CORE: Final = 3500
_PODS_PER_HOST: Final = 7


def fleet_of(hosts: int, seed: int) -> Fleet:
    """Return so many hosts."""
    chance = np.random.default_rng((seed, 1))
    kinds = [_KINDS[k] for k in _drawn(chance, [kind[0] for kind in _KINDS], hosts)]
    devices, cores, gib = (np.array([kind[field] for kind in kinds], dtype=np.int64) for field in (2, 3, 4))
    gpu = np.where(np.arange(8) < devices[:, None], WHOLE_DEVICE_MILLI, NO_DEVICE).astype(np.int64)
    models = np.array([_MODELS.index(kind[1]) for kind in kinds], dtype=np.int64)
    return Fleet(cores * 1000, gib * 1024, gpu, _MODELS, models)


def pods_for(hosts: int, seed: int) -> Pods:
    """Return about as many pods as so many hosts take."""
    chance, many = np.random.default_rng((seed, 2)), _PODS_PER_HOST * hosts
    kinds = [_PODS[k] for k in _drawn(chance, [kind[0] for kind in _PODS], many)]
    cores = _CORES[_drawn(chance, [2.0**-k for k in range(len(_CORES))], many)]
    return Pods.of([_pod(int(kind[1]), int(kind[2]), int(c)) for kind, c in zip(kinds, cores, strict=True)])


def _pod(devices: int, milli: int, cores: int) -> Shape:
    wide = cores * max(devices, 1)
    shape = Shape(cpu_milli=wide * 1000, memory_mib=wide * _MIB_PER_CORE)
    return replace(shape, gpu_count=devices, gpu_milli=milli) if devices else shape


def _drawn(chance: np.random.Generator, weights: list[float], many: int) -> NDArray[np.int64]:
    shares = np.array(weights) / sum(weights)
    return chance.choice(len(weights), size=many, p=shares).astype(np.int64)
