"""What is likely to run short: models that only some jobs may use, and hosts with many whole devices.

Both prices are chances of a shortage times what one unit of it would cost, in thousandths of a device. They follow
from what is free now and from the mix of what is asked for; the demand to come is taken to be what would fill the room.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from scipy.special import pdtrc

from policies.packing_cutting import HORIZONS
from policies.packing_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

_CAUTION: Final = 2.0
"""Gangs of whole devices are awaited in twice the number of the mix: a host once broken up is slow to come back."""

_GRAIN: Final = 0.05
"""Chances closer than this are one."""


@dataclass(frozen=True, slots=True)
class SlotPrice:
    """What a host loses with room for one more shape of `devices` whole devices, in thousandths of a device."""

    devices: int
    price: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What matters here of the work to come; worked out once a mix, because prices are looked at all the time.

    Attributes:
        by_models: (accepted GPU models, thousandths of a device asked for) pairs; an empty set accepts any.
        gangs: (whole devices on one host, times seen) pairs, for more than one device.
        gpu_milli: thousandths of a device asked for in all.
    """

    by_models: tuple[tuple[frozenset[str], int], ...]
    gangs: tuple[tuple[int, int], ...]
    gpu_milli: int

    @classmethod
    def of(cls, mix: SizeMix) -> "Expected":
        """Sum up a mix."""
        groups: Counter[frozenset[str]] = Counter()
        gangs: Counter[int] = Counter()
        for shape, count in mix.gpu:
            groups[shape.gpu_models] += shape.total_gpu_milli * count
            if shape.gpu_count > 1:
                gangs[shape.gpu_count] += count
        return cls(tuple(groups.items()), tuple(sorted(gangs.items())), mix.gpu_milli)


def model_premiums(expected: Expected, free_milli: dict[str, int]) -> dict[str, float]:
    """Return the chance, per GPU model, that demand which can go nowhere else uses all of it.

    Args:
        expected: what is asked for.
        free_milli: free thousandths of a device per GPU model.

    Returns:
        0.0 to 1.0 for each model: over the horizons, how often it is on the short side of a minimum cut between the
        demand and the models that may serve it.
    """
    groups = dict(expected.by_models)
    total, asked = sum(free_milli.values()), sum(groups.values())
    if not total or not asked or set(groups) == {frozenset()}:
        return dict.fromkeys(free_milli, 0.0)
    short = [
        _short_models({models: part / asked * total * horizon for models, part in groups.items()}, free_milli)
        for horizon in HORIZONS
    ]
    return {model: sum(model in models for models in short) / len(short) for model in free_milli}


def slot_prices(expected: Expected, whole_free: NDArray[np.int64], free_milli: int) -> tuple[SlotPrice, ...]:
    """Return the price of room for each number of whole devices above one that the mix asks for.

    Args:
        expected: what is asked for.
        whole_free: int64 (H,), whole free devices per host.
        free_milli: all that is free, in thousandths of a device; the demand to come is what fills it.

    Returns:
        Those that cost something; chances are rounded, so that prices stay when little has changed.
    """
    return tuple(
        SlotPrice(devices, devices * WHOLE_DEVICE_MILLI * chance)
        for devices, awaited in _awaited(expected, free_milli)
        if (chance := _chance_of_more(awaited, int((whole_free // devices).sum()))) > 0
    )


def _awaited(expected: Expected, free_milli: int) -> Iterator[tuple[int, float]]:
    arrivals = free_milli / max(expected.gpu_milli, 1)
    for devices, count in expected.gangs:
        yield devices, _CAUTION * arrivals * count


def _chance_of_more(awaited: float, room: int) -> float:
    """Return P(X >= room) of a Poisson variable: whether the room there is would all be used."""
    chance = 1.0 if room <= 0 else float(pdtrc(room - 1, awaited))
    return round(chance / _GRAIN) * _GRAIN


def _short_models(demand: dict[frozenset[str], float], free_milli: dict[str, int]) -> set[str]:
    """Return the models on the demand's side of the smallest minimum cut: they serve nobody whom another could."""
    models, groups = list(free_milli), list(demand)
    source, sink, size = 0, 1, 2 + len(groups) + len(models)
    capacity = np.zeros((size, size), dtype=np.int32)
    for g, group in enumerate(groups):
        capacity[source, 2 + g] = round(demand[group])
        for m, model in enumerate(models):
            if not group or model in group:
                capacity[2 + g, 2 + len(groups) + m] = np.iinfo(np.int32).max
    for m, model in enumerate(models):
        capacity[2 + len(groups) + m, sink] = free_milli[model]
    flow = maximum_flow(csr_matrix(capacity), source, sink).flow.toarray()
    residual = csr_matrix((capacity.astype(np.int64) - flow > 0).astype(np.int8))
    reached = set(breadth_first_order(residual, source, return_predecessors=False).tolist())
    return {model for m, model in enumerate(models) if 2 + len(groups) + m in reached}
