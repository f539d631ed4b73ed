"""What is likely to run short: models that only some jobs may use, and hosts with many whole devices.

Both prices are chances of a shortage times what one unit of it would cost, in thousandths of a device. They follow
from what is free now and from the mix of what is asked for; the demand to come is taken to be what would fill the room.
"""

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


@dataclass(frozen=True, slots=True)
class SlotPrice:
    """What a host loses with room for one more shape of `devices` whole devices, in thousandths of a device."""

    devices: int
    price: float


def model_premiums(mix: SizeMix, free_milli: dict[str, int]) -> dict[str, float]:
    """Return the chance, per GPU model, that demand which can go nowhere else uses all of it.

    Args:
        mix: what is asked for.
        free_milli: free thousandths of a device per GPU model.

    Returns:
        0.0 to 1.0 for each model: over the horizons, how often it is on the short side of a minimum cut between the
        demand and the models that may serve it.
    """
    groups = _demand_by_models(mix)
    total, asked = sum(free_milli.values()), sum(groups.values())
    if not total or not asked or set(groups) == {frozenset()}:
        return dict.fromkeys(free_milli, 0.0)
    short = [
        _short_models({models: part / asked * total * horizon for models, part in groups.items()}, free_milli)
        for horizon in HORIZONS
    ]
    return {model: sum(model in models for models in short) / len(short) for model in free_milli}


def slot_prices(mix: SizeMix, whole_free: NDArray[np.int64], free_milli: int) -> tuple[SlotPrice, ...]:
    """Return the price of room for each number of whole devices above one that the mix asks for.

    Args:
        mix: what is asked for.
        whole_free: int64 (H,), whole free devices per host.
        free_milli: all that is free, in thousandths of a device; the demand to come is what fills it.

    Returns:
        Those that cost something; chances are rounded to hundredths, so that prices stay when little has changed.
    """
    return tuple(
        SlotPrice(devices, devices * WHOLE_DEVICE_MILLI * chance)
        for devices, awaited in _awaited(mix, free_milli)
        if (chance := round(_chance_of_more(awaited, int((whole_free // devices).sum())), 2)) > 0
    )


def _awaited(mix: SizeMix, free_milli: int) -> Iterator[tuple[int, float]]:
    arrivals = free_milli / max(mix.gpu_milli, 1)
    for devices in sorted({shape.gpu_count for shape, _ in mix.gpu if shape.gpu_count > 1}):
        yield devices, _CAUTION * arrivals * sum(count for shape, count in mix.gpu if shape.gpu_count == devices)


def _chance_of_more(awaited: float, room: int) -> float:
    """Return P(X >= room) of a Poisson variable: whether the room there is would all be used."""
    return 1.0 if room <= 0 else float(pdtrc(room - 1, awaited))


def _demand_by_models(mix: SizeMix) -> dict[frozenset[str], int]:
    groups: dict[frozenset[str], int] = {}
    for shape, count in mix.gpu:
        groups[shape.gpu_models] = groups.get(shape.gpu_models, 0) + shape.total_gpu_milli * count
    return groups


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
