"""Which hosts take the units of a gang or of a model: arithmetic on counts of what fits, no search host by host."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.policy import Scorer
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.room import Counted

NO_LIMIT = np.iinfo(np.int64).max
"""As `max_per_host`: as many as fit."""
MIB_OUTWEIGHS: Final = 1e6
"""What a MiB of a device counts: more than any two scores differ, so that scores decide only among hosts whose devices
are of one size. Device memory stays below 2**24 MiB, so that sums are exact to 1/256."""


def capped(units: NDArray[np.int64], limit: NDArray[np.int64] | int, count: int) -> NDArray[np.int64]:
    """Return how many of `count` units each host takes at most, by its room and a limit per host."""
    return np.minimum(np.minimum(units, limit), count)


def limit_of(gang: Gang) -> int:
    """Return the most workers a host may have."""
    return gang.max_per_host or NO_LIMIT


def hosts_for_gang(ledger: Counted, gang: Gang, scorer: Scorer) -> Sequence[int] | None:
    """Return one host row per worker for the whole gang, or None when not all of it fits."""
    units = capped(ledger.units(gang.shape), limit_of(gang), gang.workers)
    if units.sum() < gang.workers:
        return None
    return fewest_hosts(units, gang.workers, scores(ledger, units, gang.shape, scorer))


def scores(ledger: Counted, units: NDArray[np.int64], shape: Shape, scorer: Scorer) -> NDArray[np.float64]:
    """Return the score of every host with room for a unit, infinity elsewhere.

    Work that says how much device memory it needs goes where the devices are smallest, a partition before a whole
    device: a large device is not spent on what a smaller one serves. Whoever says nothing may need all there is.
    """
    rows = np.flatnonzero(units > 0)
    all_scores = np.full(len(units), np.inf)
    all_scores[rows] = scorer(ledger, rows, shape)
    if shape.gpu_count and shape.device_memory_mib:
        all_scores[rows] += MIB_OUTWEIGHS * ledger.table.device_memory_mib[rows].max(axis=1, initial=0)
    return all_scores


def fewest_hosts(units: NDArray[np.int64], count: int, score: NDArray[np.float64]) -> Sequence[int]:
    """Spread `count` units over as few hosts as possible, then over those that score lowest.

    The hosts with most room are filled up; what is left over goes to the best host that takes all of it.

    Args:
        units: int64 (H,), how many fit on each host; their sum is at least `count`.
        count: units to place, at least 1.
        score: float64 (H,), lower is better; ties go to the first row.

    Returns:
        The row of each unit.
    """
    order = np.lexsort((score, -units))
    before = np.cumsum(units[order]) - units[order]
    filled = order[: int(np.searchsorted(before + units[order], count))]
    rest = count - int(units[filled].sum())
    takes_rest = units >= rest
    takes_rest[filled] = False
    last = int(np.where(takes_rest, score, np.inf).argmin())
    return [*np.repeat(filled, units[filled]).tolist(), *[last] * rest]


def most_even(
    units: NDArray[np.int64], count: int, score: NDArray[np.float64], present: NDArray[np.int64]
) -> Sequence[int]:
    """Spread `count` units so that hosts end up with numbers as equal as the room allows.

    Args:
        units: int64 (H,), how many fit on each host; their sum is at least `count`.
        count: units to place.
        score: float64 (H,), lower is better among hosts with equally many; ties go to the first row.
        present: int64 (H,), how many each host has already.

    Returns:
        The row of each unit.
    """
    units, present, rows = units.copy(), present.copy(), []
    for _ in range(count):
        row = int(np.lexsort((score, np.where(units > 0, present, NO_LIMIT)))[0])
        units[row], present[row] = units[row] - 1, present[row] + 1
        rows.append(row)
    return rows
