"""What is likely to run short: models that only some jobs may use, and hosts with many whole devices.

Both prices are chances of a shortage times what one unit of it would cost, in thousandths of a device. They follow
from what is free now and from the mix of what is asked for; the demand to come is taken to be what would fill the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from scipy.special import betainc

from policies.packing_cutting import HORIZONS
from policies.packing_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

_GRAIN: Final = 0.05
"""Chances closer than this are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Vacancy:
    """What is free on hosts, as far as gangs look at it.

    Attributes:
        whole: int64 (N,), whole free devices.
        cpu_milli: int64 (N,), free thousandths of a core.
        memory_mib: int64 (N,), free MiB.
        gpu_models: names of the GPU models there are.
        gpu_model: int64 (N,), the index of each host's model.
    """

    whole: NDArray[np.int64]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    gpu_models: tuple[str, ...]
    gpu_model: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64]) -> "Vacancy":
        """Return what is free on some of the hosts."""
        return Vacancy(
            self.whole[rows], self.cpu_milli[rows], self.memory_mib[rows], self.gpu_models, self.gpu_model[rows]
        )

    def room_for(self, gang: Shape) -> NDArray[np.int64]:
        """Return int64 (N,): how many units of a shape of whole devices each host could take."""
        room = self.whole // gang.gpu_count
        if gang.gpu_models:
            suits = np.array([model in gang.gpu_models for model in self.gpu_models], dtype=bool)
            room = np.where(suits[self.gpu_model], room, 0)
        if not room.any():
            return room
        for free, asked in ((self.cpu_milli, gang.cpu_milli), (self.memory_mib, gang.memory_mib)):
            if asked:
                room = np.minimum(room, np.maximum(free, 0) // asked)
        return room


@dataclass(frozen=True, slots=True)
class SlotPrice:
    """What a host loses with room for one more unit of a shape of several devices, in thousandths of a device."""

    shape: Shape
    price: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What matters here of the work to come.

    Attributes:
        by_models: (accepted GPU models, thousandths of a device asked for) pairs; an empty set accepts any.
        gangs: (shape, times seen) pairs, for more than one device on a host; seen are those that need as much or more,
            because they compete for the same room.
        gpu_milli: thousandths of a device asked for in all.
    """

    by_models: tuple[tuple[frozenset[str], int], ...]
    gangs: tuple[tuple[Shape, int], ...]
    gpu_milli: int

    @classmethod
    def of(cls, mix: SizeMix) -> "Expected":
        """Sum up a mix."""
        counts = np.array([count for _, count in mix.counts], dtype=np.int64)
        return Census([shape for shape, _ in mix.counts]).expected(counts)


class Census:
    """Sums up counts of the same shapes again and again, because they grow all the time."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        """Sort K shapes, each of which is there once."""
        self._asked = np.array([shape.total_gpu_milli for shape in shapes], dtype=np.int64)
        self._models = tuple(dict.fromkeys(shape.gpu_models for shape in shapes))
        index = {models: g for g, models in enumerate(self._models)}
        self._group = np.array([index[shape.gpu_models] for shape in shapes], dtype=np.int64)
        self._gangs = tuple(shape for shape in shapes if shape.gpu_count > 1)
        rivals = [[_needs_as_much(one, least) for one in shapes] for least in self._gangs]
        self._rivals = np.array(rivals, dtype=np.int64).reshape(len(self._gangs), len(shapes))

    def expected(self, counts: NDArray[np.int64]) -> Expected:
        """Sum up counts, int64 (K,)."""
        asked = counts * self._asked
        per_group = np.bincount(self._group, weights=asked, minlength=len(self._models)).astype(np.int64).tolist()
        seen = (self._rivals @ counts).tolist()
        return Expected(
            tuple((models, milli) for models, milli in zip(self._models, per_group, strict=True) if milli),
            tuple((gang, count) for gang, count in zip(self._gangs, seen, strict=True) if count),
            int(asked.sum()),
        )


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


def slot_prices(expected: Expected, vacancy: Vacancy, free_milli: int) -> tuple[SlotPrice, ...]:
    """Return the price of room for each shape of several devices that the mix asks for.

    Args:
        expected: what is asked for.
        vacancy: what is free on every host.
        free_milli: all that is free, in thousandths of a device; the demand to come is what fills it.

    Returns:
        Those that cost something; chances are rounded, so that prices stay when little has changed. A shape that needs
        as much as another and whose room is no dearer is left out: it has no room that the other has not.
    """
    ahead = free_milli / max(expected.gpu_milli, 1)
    open_hosts = vacancy.at(np.flatnonzero(vacancy.whole > 1))
    prices = [
        SlotPrice(gang, gang.gpu_count * WHOLE_DEVICE_MILLI * chance)
        for gang, count in expected.gangs
        if (chance := _chance_of_more(count, ahead, int(open_hosts.room_for(gang).sum()))) > 0
    ]
    kept: list[SlotPrice] = []
    for price in sorted(prices, key=lambda p: (-p.price, p.shape.cpu_milli, p.shape.memory_mib)):
        if not any(_needs_as_much(price.shape, dearer.shape) for dearer in kept):
            kept.append(price)
    return tuple(kept)


def _needs_as_much(shape: Shape, least: Shape) -> bool:
    """Whether all room for the first is room for the second, with as many devices."""
    return (
        shape.gpu_count == least.gpu_count
        and shape.cpu_milli >= least.cpu_milli
        and shape.memory_mib >= least.memory_mib
        and (not least.gpu_models or (bool(shape.gpu_models) and shape.gpu_models <= least.gpu_models))
    )


def _chance_of_more(seen: int, ahead: float, room: int) -> float:
    """Return the chance that more will come of what was seen some times than there is room for.

    Times seen are Poisson at an unknown rate, any rate being as likely as another beforehand; then the number to come
    is negative binomial, the wider the less was seen.

    Args:
        seen: times seen.
        ahead: the demand to come over the demand seen.
        room: how many there is room for.
    """
    chance = 1.0 if room <= 0 else float(betainc(room, seen + 1, ahead / (1.0 + ahead)))
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
