"""Which hosts take the units of a gang or of a model: arithmetic on counts of what fits, no search host by host."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scheduler.model.policy import Scorer
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial, Score
from scheduler.planning.placement.topology import most_together, near

NO_LIMIT = np.iinfo(np.int64).max
"""As `max_per_host`: as many as fit."""


def capped(units: NDArray[np.int64], limit: NDArray[np.int64] | int, count: int) -> NDArray[np.int64]:
    """Return how many of `count` units each host takes at most, by its room and a limit per host."""
    if isinstance(limit, int):
        return np.minimum(units, min(limit, count))
    return np.minimum(np.minimum(units, limit), count)


def limit_of(gang: Gang) -> int:
    """Return the most workers a host may have."""
    return gang.max_per_host or NO_LIMIT


def takes(ledger: CachedTrial, gang: Gang) -> bool:
    """Whether a whole gang fits, wherever that is; `hosts_for_gang` says where, for ten times the time."""
    units = capped(ledger.units(gang.shape), limit_of(gang), gang.workers)
    return most_together(gang, units, ledger.table) >= gang.workers


def hosts_for_gang(ledger: CachedTrial, gang: Gang, scorer: Scorer) -> Sequence[int] | None:
    """Return one host row per worker for the whole gang, or None when not all of it fits."""
    if gang.most == 1 and not gang.require_same and not gang.prefer_same:
        row = ledger.best_row(gang.shape, scorer)
        return None if row is None else [row]
    units = near(gang, capped(ledger.units(gang.shape), limit_of(gang), gang.most), ledger.table)
    if gang.is_elastic:
        units = np.minimum(units, gang.workers)
    if units.sum() < gang.workers:
        return None
    return fewest_hosts(units, gang.workers, ledger.score(gang.shape, scorer))


def fewest_hosts(units: NDArray[np.int64], count: int, score: Score) -> Sequence[int]:
    """Spread `count` units over as few hosts as possible, then over those that score lowest.

    The hosts with most room are filled up; what is left over goes to the best host that takes all of it.

    Args:
        units: int64 (H,), how many fit on each host; their sum is at least `count`.
        count: units to place, at least 1.
        score: lower is better; ties go to the first row. Asked only where it decides.

    Returns:
        The row of each unit.
    """
    filled, rest = _filled(units, count, score)
    takes_rest = units >= rest
    takes_rest[filled] = False
    last = _lowest(score, np.flatnonzero(takes_rest), 1)[0]
    return [*np.repeat(filled, units[filled]).tolist(), *[int(last)] * rest]


def _filled(units: NDArray[np.int64], count: int, score: Score) -> tuple[NDArray[np.int64], int]:
    """Return the rows that are filled up, those with most room first, and how many units are left over."""
    most = int(units.max())
    if most >= count:
        return np.empty(0, dtype=np.int64), count
    hosts = np.bincount(units, minlength=most + 1)[::-1]
    room = np.cumsum(hosts * np.arange(most, -1, -1))
    level = most - int(np.searchsorted(room, count))
    above = np.flatnonzero(units > level)
    rest = count - int(units[above].sum())
    some = _lowest(score, np.flatnonzero(units == level), (rest - 1) // level)
    in_order = above[np.lexsort((score(above), -units[above]))] if len(above) > 1 else above
    return np.concatenate([in_order, some]), rest - level * len(some)


def _lowest(score: Score, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the rows that score lowest, at most so many, in that order; ties go to the first row."""
    if not most or len(rows) <= 1:
        return rows[:most]
    scores = score(rows)
    if most == 1:
        return rows[[scores.argmin()]]
    if most < len(rows):
        near = np.flatnonzero(scores <= np.partition(scores, most - 1)[most - 1])
        rows, scores = rows[near], scores[near]
    return rows[np.argsort(scores, kind="stable")][:most]


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
        fewest = np.where(units > 0, present, NO_LIMIT)
        row = int(np.where(fewest == fewest.min(), score, np.inf).argmin())
        units[row], present[row] = units[row] - 1, present[row] + 1
        rows.append(row)
    return rows
