"""What a queue's account is made of: amounts a resource each, what is free for all, and why the terms refuse a job."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduler.model.entitlements import Entitlements, Row
from scheduler.planning.placement.cached_trial import CachedTrial


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the terms of queues let a job wait.

    Attributes:
        queue: whose terms: the job's own, or the one that keeps most of what is free.
        column: the resource, as in `scheduler.model.entitlements`.
        asked: by the job.
        free: what the terms leave it.
        ceiling: the most that the job's queue may hold; None when another queue keeps what is free.
    """

    queue: str
    column: int
    asked: int
    free: int
    ceiling: int | None


@dataclass(slots=True)
class Account:
    """What a queue's running jobs hold, with those that start, what of it leaves, and what is reserved for others."""

    running: Row
    held: Row
    leaving: Row
    reserved: Row

    @property
    def will_hold(self) -> Row:
        """What it holds once all that leaves is gone and all for which room is reserved runs."""
        return plus(less(self.held, self.leaving), self.reserved)


@dataclass(frozen=True, slots=True)
class Leeway:
    """What the terms of queues leave one of them.

    Attributes:
        held: what it holds, with what is reserved for it.
        below: its ceiling less that.
        lent: what is free beyond what others keep.
    """

    held: Row
    below: Row
    lent: Row

    def with_more(self, own: Row) -> "Leeway":
        """Return it for a job to which a part of what is held is reserved."""
        return Leeway(less(self.held, own), plus(self.below, own), plus(self.lent, own))


class FreeRoom:
    """What is free on hosts that take work, one sum a column; it follows the changes of the room, row by row."""

    def __init__(self, now: CachedTrial, entitlements: Entitlements) -> None:
        self._now, self._seen = now, len(now.touched)
        self._has_model = [entitlements.has_model(model) for model in entitlements.models]
        self._of_row = self._counted(np.arange(len(now.cpu_milli)))
        self._sums = self._of_row.sum(axis=0)

    def __call__(self) -> Row:
        """Return the sums."""
        recent = self._now.touched[self._seen :]
        if recent:
            rows = np.array(sorted(set(recent)), dtype=np.int64)
            counted, self._seen = self._counted(rows), self._seen + len(recent)
            self._sums = self._sums + (counted - self._of_row[rows]).sum(axis=0)
            self._of_row[rows] = counted
        return tuple(self._sums.tolist())

    def _counted(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what is free on N rows, int64 (N, C)."""
        now, table = self._now, self._now.table
        gpu_milli = table.in_whole(np.maximum(now.gpu_milli[rows], 0), rows)
        plain = [np.maximum(free[rows], 0) for free in (now.cpu_milli, now.memory_mib)]
        columns = [*plain, gpu_milli, *(gpu_milli * has_model[rows] for has_model in self._has_model)]
        counted: NDArray[np.int64] = np.stack(columns, axis=1) * table.usable[rows][:, None]
        return counted


def times(left: Row, each: Row, most: int) -> int:
    """Return how often `each` fits into `left`, at most `most` times."""
    return max(0, min([most, *(have // wants for have, wants in zip(left, each, strict=True) if wants)]))


def plus(one: Row, other: Iterable[int]) -> Row:
    """Return the sums."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def less(one: Row, other: Iterable[int]) -> Row:
    """Return the differences."""
    return tuple(a - b for a, b in zip(one, other, strict=True))


def excess_over(amounts: Row, most: Iterable[int]) -> Row:
    """Return by how much amounts are above others, 0 where they are not."""
    return tuple(max(0, rest) for rest in less(amounts, most))
