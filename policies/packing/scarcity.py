"""What is likely to run short: models that only some jobs may use, and hosts with many whole devices.

Both prices are chances of a shortage times what one unit of it would cost, in thousandths of a device. They follow
from what is free now and from the mix of what is asked for; the demand to come is taken to be what would fill the room.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from policies.packing.cutting_stock import HORIZONS
from policies.packing.min_cut import short_models
from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

_GRAIN: Final = 0.05
"""Chances closer than this are one."""
_FINE_GRAIN: Final = 0.01
"""The same of small ones."""
_UNLIKELY: Final = 0.001
"""Chances up to this are none."""
_MOMENTS: Final = 32
"""Moments over which a mean over time is taken."""
_LEAST_STAYING: Final = 0.01
_SOME: Final = 1e-9
"""In place of no room, for which a law of it is not defined."""


@dataclass(frozen=True, slots=True)
class SlotPrice:
    """What a host loses with room for one more unit of a shape of several devices, in thousandths of a device."""

    shape: Shape
    price: float


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What matters here of the work to come.

    Attributes:
        by_models: (accepted GPU models, thousandths of a device asked for) pairs; an empty set accepts any.
        gangs: the G shapes that ask for more than one device on a host.
        gangs_seen: int64 (G,), how many were asked for of each, and of all that compete for the same room: those that
            need as much or more.
        gangs_running: int64 (G,), how many of them run.
        gpu_milli: thousandths of a device asked for in all.
        running_milli: thousandths of a device in use.
        staying: share of all that was ever started that runs still; 1 where nothing ends.
    """

    by_models: tuple[tuple[frozenset[str], int], ...]
    gangs: tuple[Shape, ...]
    gangs_seen: NDArray[np.int64]
    gangs_running: NDArray[np.int64]
    gpu_milli: int
    running_milli: int = 0
    staying: float = 1.0

    @classmethod
    def of(cls, mix: SizeMix) -> "Expected":
        """Sum up a mix of which nothing has started."""
        counts = np.array([count for _, count in mix.counts], dtype=np.int64)
        none = np.zeros(len(counts), dtype=np.int64)
        return Census([shape for shape, _ in mix.counts]).expected(Counts(counts, none, none))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What became of work, int64 (K,) each by shape: how many were asked for, were started, and run now."""

    seen: NDArray[np.int64]
    started: NDArray[np.int64]
    running: NDArray[np.int64]


class Census:
    """Sums up counts of the same shapes again and again, because they change all the time.

    Attributes:
        gangs: the shapes of more than one device.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        """Sort K shapes, each of which is there once."""
        self._asked = np.array([shape.total_gpu_milli for shape in shapes], dtype=np.int64)
        self._models = tuple(dict.fromkeys(shape.gpu_models for shape in shapes))
        index = {models: g for g, models in enumerate(self._models)}
        self._group = np.array([index[shape.gpu_models] for shape in shapes], dtype=np.int64)
        self.gangs = tuple(shape for shape in shapes if shape.gpu_count > 1)
        rivals = [[_needs_as_much(one, least) for one in shapes] for least in self.gangs]
        self._rivals = np.array(rivals, dtype=np.int64).reshape(len(self.gangs), len(shapes))

    def expected(self, counts: Counts) -> Expected:
        """Sum up counts."""
        asked = counts.seen * self._asked
        per_group = np.bincount(self._group, weights=asked, minlength=len(self._models)).astype(np.int64).tolist()
        in_use, started = (int((each * self._asked).sum()) for each in (counts.running, counts.started))
        return Expected(
            tuple((models, milli) for models, milli in zip(self._models, per_group, strict=True) if milli),
            self.gangs,
            self._rivals @ counts.seen,
            self._rivals @ counts.running,
            int(asked.sum()),
            in_use,
            in_use / started if started else 1.0,
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
        short_models({models: round(part / asked * total * horizon) for models, part in groups.items()}, free_milli)
        for horizon in HORIZONS
    ]
    return {model: sum(model in models for models in short) / len(short) for model in free_milli}


def slot_prices(expected: Expected, rooms: NDArray[np.int64], free_milli: int) -> tuple[SlotPrice, ...]:
    """Return the price of room for each shape of several devices that the mix asks for.

    The demand to come is what fills all that is free, and what will have been given back by then; of those that run
    now, those that are over by then make room too.

    Args:
        expected: what is asked for.
        rooms: int64 (G,), how many of each of its gangs there is room for.
        free_milli: all that is free, in thousandths of a device.

    Returns:
        Those that cost something, by number of devices; chances are rounded, so that prices stay when little has
        changed. A shape that needs as much as another and whose room is no dearer is left out: it has no room that the
        other has not.
    """
    leaving = 1.0 - expected.staying
    ahead = (free_milli + leaving * expected.running_milli) / max(expected.gpu_milli, 1)
    chances = _chance_of_more(expected.gangs_seen, ahead, rooms + leaving * expected.gangs_running)
    prices = [
        SlotPrice(expected.gangs[g], expected.gangs[g].gpu_count * WHOLE_DEVICE_MILLI * float(chances[g]))
        for g in np.flatnonzero(chances * expected.gangs_seen).tolist()
    ]
    kept: list[SlotPrice] = []
    for price in sorted(prices, key=lambda p: (-p.price, p.shape.cpu_milli, p.shape.memory_mib)):
        if not any(_needs_as_much(price.shape, dearer.shape) for dearer in kept):
            kept.append(price)
    return tuple(sorted(kept, key=lambda p: p.shape.gpu_count))


def share_of_time(staying: float, devices: int) -> NDArray[np.float64]:
    """Return float64 (devices + 1,): for what share of the time ahead so many devices in use will have been given back.

    Holders leave independently at a constant rate, by which `staying` of them are left at the end: the mean over time
    of the chance that all of them have left. 0 for none, because what needs nothing back is room already.

    Args:
        staying: share of the holders that will not have left, 0 to 1.
        devices: the most that are looked at.
    """
    moments = (np.arange(_MOMENTS) + 0.5) / _MOMENTS
    gone = 1.0 - max(staying, _LEAST_STAYING) ** moments
    share: NDArray[np.float64] = (gone[:, None] ** np.arange(devices + 1)).mean(axis=0)
    share[0] = 0.0
    return share


def _needs_as_much(shape: Shape, least: Shape) -> bool:
    """Whether all room for the first is room for the second, with as many devices."""
    return (
        shape.gpu_count == least.gpu_count
        and shape.cpu_milli >= least.cpu_milli
        and shape.memory_mib >= least.memory_mib
        and (not least.gpu_models or (bool(shape.gpu_models) and shape.gpu_models <= least.gpu_models))
    )


def _chance_of_more(seen: NDArray[np.int64], ahead: float, room: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance that more will come of what was seen some times than there is room for, elementwise.

    It is rounded up: where room costs nothing, whole hosts are broken for the gain of a single step, one by one.

    Times seen are Poisson at an unknown rate, any rate being as likely as another beforehand; then the number to come
    is negative binomial, the wider the less was seen.

    Args:
        seen: times seen.
        ahead: the demand to come over the demand seen.
        room: how many there is room for.
    """
    chance = np.where(room > 0, betainc(np.maximum(room, _SOME), seen + 1, ahead / (1.0 + ahead)), 1.0)
    grain = np.where(chance > 2 * _GRAIN, _GRAIN, _FINE_GRAIN)
    return np.where(chance > _UNLIKELY, np.ceil(chance / grain) * grain, 0.0)
